"""How long to wait before a part is started again."""

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 5.0  # half of what promise P6 allows for being back
RESET_SECONDS = 10.0  # a life this long clears the record


class Backoff:
    """Doubles with each short life. Without jitter: a machine has one supervisor."""

    def __init__(self) -> None:
        self._next = FIRST_SECONDS

    def after(self, lifetime: float) -> float:
        """Seconds to wait now that a life of `lifetime` seconds has ended."""
        if lifetime >= RESET_SECONDS:
            self._next = FIRST_SECONDS
        delay = self._next
        self._next = min(2 * delay, LONGEST_SECONDS)
        return delay
