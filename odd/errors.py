"""The one exception that a user is meant to read."""


class OddError(Exception):
    """A problem the user can solve; its message is one line that names the thing and the remedy."""
