"""Leases: a process renews the leases of its work. When it dies, they expire and the work becomes free."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from storage.background import beside, repeat

LEASE_SECONDS = 6.0  # of a chunk, a finish, a dry run: requirement P6 allows 10 s to replace a dead worker
RENEW_SECONDS = 2.0  # two renewals may fail before the lease is lost

UPLOAD_LEASE_SECONDS = 15.0  # an upload fails if its api process does not renew the lease
UPLOAD_RENEW_SECONDS = 4.0  # three renewals may fail


def renewing(
    renew: Callable[[], Awaitable[object]], *, what: str, every: float | None = None
) -> AbstractAsyncContextManager[None]:
    """Call `renew` every `every` seconds (default RENEW_SECONDS) while the body runs, after a first pause."""
    return beside(repeat(every or RENEW_SECONDS, renew, what=f"renewing {what}", pause_first=True))
