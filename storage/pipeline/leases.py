"""Leases: a process keeps what it works on by renewing it; what a dead process held becomes free."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from storage.background import beside, repeat

LEASE_SECONDS = 6.0  # of a chunk, a finish, a dry run: a dead worker is replaced within P6's 10 seconds
RENEW_SECONDS = 2.0  # two renewals may fail before the lease is lost

UPLOAD_LEASE_SECONDS = 15.0  # an upload whose api is silent for so long is given up
UPLOAD_RENEW_SECONDS = 4.0  # three renewals may fail


def renewing(
    renew: Callable[[], Awaitable[object]], *, what: str, every: float | None = None
) -> AbstractAsyncContextManager[None]:
    """Call `renew` every `every` seconds (RENEW_SECONDS) while the body runs, after a first pause."""
    return beside(repeat(every or RENEW_SECONDS, renew, what=f"renewing {what}", pause_first=True))
