"""The exception whose message is meant for users."""

from odd.text import shortened

LONGEST = 3000
"""Characters of a message."""


class OddError(Exception):
    """A problem the user can solve; its message is one line that names the thing and the remedy."""

    def __init__(self, message: str) -> None:
        """Join and shorten `message`: names and reasons from elsewhere may be long and have line breaks."""
        super().__init__(shortened(" ".join(message.splitlines()), LONGEST))
