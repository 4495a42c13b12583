"""Leases: a process renews the leases of its work. When it dies, they expire and the work becomes free.

A lease that has expired does not prove that its holder died: PostgreSQL may have been away, or its clock was
set. So the holder gets time to renew: see `Watch`.
"""

import secrets
import struct
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from storage.background import beside, repeat

LEASE_SECONDS = 4.0  # of a chunk, a finish, a dry run: promise P6 allows 10 s to replace a dead worker
RENEW_SECONDS = 1.0  # two renewals may fail before the lease is lost

UPLOAD_LEASE_SECONDS = 6.0  # an upload fails if its api process does not renew the lease
UPLOAD_RENEW_SECONDS = 1.0

# A lease that ends later than twice these times was written before the clock was set back. They are the
# leases of release 0.1.0, whose processes may run for some seconds during a deploy.
LONGEST_LEASE_SECONDS = 6
LONGEST_UPLOAD_LEASE_SECONDS = 15
LONGEST_DELAY_SECONDS = 30  # of a job after an error of ours

PATIENCE_SECONDS = 1.5  # more than the time between two renewals
# A longer pause between two looks means that PostgreSQL or this process was stopped, so the holder may have
# been unable to renew, too. With shorter pauses, a lease does not expire before its holder could renew it.
PAUSE_SECONDS = LEASE_SECONDS - RENEW_SECONDS

Expired = TypeVar("Expired", bound=Hashable)


class Watch(Generic[Expired]):
    """Tells which expired leases are abandoned: those that stay expired while PostgreSQL responds.

    Each process watches by its own monotonic clock, so neither a crash of PostgreSQL nor a step of its clock
    can make a lease look abandoned.
    """

    def __init__(
        self, patience: float = PATIENCE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._patience = patience
        self._clock = clock
        self._since: dict[Expired, float] = {}  # when each was first seen expired
        self._looked_at = float("-inf")

    def abandoned(self, expired: Iterable[Expired]) -> list[Expired]:
        """Return those of the expired leases that were expired for `patience` seconds.

        Call it with each look at the table. A lease that was renewed must differ from the same lease before.
        """
        now = self._clock()
        if now - self._looked_at > PAUSE_SECONDS:
            self._since.clear()
        self._looked_at = now
        self._since = {lease: self._since.get(lease, now) for lease in expired}
        return [lease for lease, since in self._since.items() if now - since >= self._patience]


def new_token() -> int:
    """Return a token for a lease: a random number of 63 bits, so that it never repeats.

    A number that PostgreSQL counts up can repeat after a crash that loses the commit of a claim.
    """
    (token,) = new_tokens(1)
    return token


def new_tokens(count: int) -> list[int]:
    """Return several of these tokens, from one question to the system, because every claim needs many."""
    return [number >> 1 for number in struct.unpack(f"{count}Q", secrets.token_bytes(8 * count))]


def renewing(
    renew: Callable[[], Awaitable[object]], *, what: str, every: float | None = None
) -> AbstractAsyncContextManager[None]:
    """Call `renew` every `every` seconds (default RENEW_SECONDS) while the body runs, after a first pause."""
    return beside(repeat(every or RENEW_SECONDS, renew, what=f"renewing {what}", pause_first=True))
