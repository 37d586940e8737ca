"""The one exception that a user is meant to read."""


class OddError(Exception):
    """A problem the user can solve; its message is one line that names the thing and the remedy."""

    def __init__(self, message: str) -> None:
        """Join the lines of `message`: names and reasons from elsewhere may bring line breaks with them."""
        super().__init__(" ".join(message.splitlines()))
