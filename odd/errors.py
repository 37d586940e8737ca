"""The exception whose message is meant for users."""


class OddError(Exception):
    """A problem the user can solve; its message is one line that names the thing and the remedy."""

    def __init__(self, message: str) -> None:
        """Join the lines of `message`: names and reasons from elsewhere may contain line breaks."""
        super().__init__(" ".join(message.splitlines()))
