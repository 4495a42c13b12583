"""Chunks: leases, fences, and the results of their items."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from schemas.ids import AccountId, JobId, WorkerId
from schemas.items.reader import CHUNK_ITEMS
from schemas.operations import JobParams, facts_of
from storage.images.before_images import change_of
from storage.pipeline.leases import LEASE_SECONDS
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

QUERIES = load(__name__)

MAX_DEATHS = 3  # deaths after which a chunk is claimed in halves: see choose_chunks
TOGETHER = 64  # maximum of small jobs in one claim; their items are at most those of a chunk
CREDIT_ITEMS = 10_000  # items that an account may catch up after it waited for its window: see lease_chunks


class ExpiredLease(NamedTuple):
    """A chunk whose lease has expired, with the token and the end of the lease."""

    account_id: AccountId
    job_id: JobId
    first_index: int
    token: int
    lease_until: datetime


class TurnsLocked(Exception):
    """Others hold the turns of all accounts with chunks to claim: wait for that of the AccountId in `args`.

    Wait in another transaction, because the present one may hold turns for which others wait.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A chunk to lease, before a grant of its account's window. An `item_limit` of 0: no limit.

    `postgres_at` is the reading of PostgreSQL's clock after the lock of the turn. `follows`: as in a Claim.
    """

    account_id: AccountId
    item_limit: int
    window_seconds: int
    postgres_at: datetime
    job_id: JobId
    operation: str
    first_index: int
    items: int
    deaths: int
    follows: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A leased chunk with everything that is needed to apply it.

    `token` is the fence. `failures` counts the errors of ours in the job since its last success. `total` is
    the number of items of the job; None: a part is not split yet. `follows`: an earlier job of the stream was
    claimed together with this one, and must be applied before it. `waited`: the seconds since the job was
    accepted; None: it was claimed before. `trace`: see `schemas.trace_context`.
    """

    account_id: AccountId
    job_id: JobId
    first_index: int
    items: int
    skip: int
    token: int
    deaths: int
    failures: int = 0
    total: int | None = None
    follows: bool = False
    waited: float | None = None
    trace: str | None = None
    operation: str
    params: JobParams
    format: str
    layout: dict[str, Any] | None
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """How many memberships a chunk added and removed."""

    added: int = 0
    removed: int = 0

    def __add__(self, other: "Members") -> "Members":
        return Members(added=self.added + other.added, removed=self.removed + other.removed)


class Progress(NamedTuple):
    """What became of a claimed chunk.

    `others_ready`: other chunks of the job were ready, so the finish of the job was not tried. They may have
    been applied before this one was committed, so the caller must call `finish_if_last` after its turn.
    `errors` is the number of item errors of the job so far, or 0 if this chunk has none. `items` is the
    number of its applied items, or 0 if it has no `max_errors`. `applied`: this claim has applied the chunk,
    so the job that follows it may be applied.
    """

    others_ready: bool = False
    errors: int = 0
    items: int = 0
    applied: bool = True


async def claim_unlimited(
    db: Conn | Pool,
    worker_id: WorkerId,
    tokens: Sequence[int],
    *,
    together: Collection[str] = (),
    skip_limited: bool = False,
) -> list[Claim] | None:
    """Lease the next chunk in one statement, or several, each the only chunk of a small job.

    `tokens` are new ones of `leases.new_token`, one for each chunk that may be leased. `together` holds the
    operations whose small jobs may be claimed together.

    Returns None if the next account has an item limit: the caller must use `choose` and `lease`, and take a
    grant of its window in between. `skip_limited` leaves out such accounts. Returns [] if there is nothing to
    claim. Raises TurnsLocked.
    """
    rows = await QUERIES.claim(
        db,
        worker_id=worker_id,
        tokens=tokens,
        lease_seconds=LEASE_SECONDS,
        max_deaths=MAX_DEATHS,
        credit_items=CREDIT_ITEMS,
        skip_limited=skip_limited,
        items=CHUNK_ITEMS,
        operations=list(together),
    )
    if rows and rows[0]["job_id"] is None:
        _raise_if_locked(rows[0])
        return None
    return [_claim(row) for row in rows]


async def choose(conn: Conn, *, most: int, together: Collection[str] = ()) -> list[Candidate]:
    """Lock the turns of the accounts to serve next. Return up to `most` of their chunks, to lease in order.

    There is more than one only if each is the only chunk of a small job. `together`: as in `claim_unlimited`.
    Raises TurnsLocked.
    """
    rows = await QUERIES.choose(
        conn, most=most, items=CHUNK_ITEMS, operations=list(together), max_deaths=MAX_DEATHS
    )
    if rows and rows[0]["job_id"] is None:
        _raise_if_locked(rows[0])
    return [Candidate(**row) for row in rows]


def _raise_if_locked(row: Any) -> None:
    if row["account_id"] is not None:
        raise TurnsLocked(row["account_id"])


async def lease(
    conn: Conn, candidates: Sequence[Candidate], *, worker_id: WorkerId, tokens: Sequence[int]
) -> list[Claim]:
    """Lease the first `items` items of chunks. A chunk that is not ready any more is absent."""
    rows = await QUERIES.lease(
        conn,
        account_ids=[chunk.account_id for chunk in candidates],
        ids=[chunk.job_id for chunk in candidates],
        first_indexes=[chunk.first_index for chunk in candidates],
        items=[chunk.items for chunk in candidates],
        deaths=[chunk.deaths for chunk in candidates],
        follows=[chunk.follows for chunk in candidates],
        tokens=tokens,
        worker_id=worker_id,
        lease_seconds=LEASE_SECONDS,
        credit_items=CREDIT_ITEMS,
    )
    return [_claim(row) for row in rows]


async def fence(conn: Conn, claim: Claim, *, keep_images: bool) -> bool:
    """Lock the chunk if the claim still holds it. Return False if it was taken over, done or cancelled.

    With `keep_images`, what the transaction does from now on can be undone: see `before_images`.
    """
    mine: bool | None = await QUERIES.fence(
        conn,
        account_id=claim.account_id,
        id=claim.job_id,
        first_index=claim.first_index,
        items=claim.items,
        token=claim.token,
        change=change_of(claim.job_id, keep_images=keep_images),
    )
    return mine is True


async def fence_all(conn: Conn, claims: Sequence[Claim], *, keep_images: bool) -> bool:
    """Lock the chunks of these claims. Return whether every claim still holds its chunk.

    With `keep_images`, the transaction is now that of the first claim: see `before_images`.
    """
    held: int = await QUERIES.fence_all(
        conn,
        account_ids=[claim.account_id for claim in claims],
        ids=[claim.job_id for claim in claims],
        first_indexes=[claim.first_index for claim in claims],
        items=[claim.items for claim in claims],
        tokens=[claim.token for claim in claims],
        change=change_of(claims[0].job_id, keep_images=keep_images),
    )
    return held == len(claims)


async def release(db: Pool, claim: Claim, *, blame: bool) -> None:
    """Make a chunk ready again that could not be applied. With `blame`, this counts as a death."""
    await QUERIES.release(
        db,
        account_id=claim.account_id,
        id=claim.job_id,
        first_index=claim.first_index,
        token=claim.token,
        deaths=int(blame),
    )


async def renew(db: Pool, worker_id: WorkerId, held: Collection[int]) -> list[int]:
    """Renew the leases of a worker's claims. `held` holds their tokens.

    Returns the tokens of other claims of the worker: it never read their reply, or could not release them.
    """
    rows = await QUERIES.renew(
        db, within=LEASE_SECONDS / 2, worker_id=worker_id, tokens=list(held), lease_seconds=LEASE_SECONDS
    )
    return [row["token"] for row in rows]


async def disown(db: Pool, worker_id: WorkerId, tokens: Collection[int]) -> None:
    """Make the chunks of these claims ready again. This counts no death."""
    await QUERIES.disown(db, worker_id=worker_id, tokens=list(tokens))


async def expired(db: Conn | Pool) -> list[ExpiredLease]:
    """Return the expired leases of chunks that nobody is applying."""
    return [ExpiredLease(**row) for row in await QUERIES.expired(db)]


async def free(db: Conn | Pool, abandoned: Sequence[ExpiredLease]) -> int:
    """Make the chunks of dead workers ready again; each counts a death. Return their number."""
    rows = await QUERIES.free(
        db,
        account_ids=[lease.account_id for lease in abandoned],
        ids=[lease.job_id for lease in abandoned],
        first_indexes=[lease.first_index for lease in abandoned],
        tokens=[lease.token for lease in abandoned],
        ends=[lease.lease_until for lease in abandoned],
    )
    return len(rows)


def _claim(row: Any) -> Claim:
    return Claim(
        account_id=AccountId(row["account_id"]),
        follows=row["follows"],
        waited=row["waited"],
        trace=row["trace"],
        total=row["total"],
        job_id=row["job_id"],
        first_index=row["first_index"],
        items=row["items"],
        skip=row["skip"],
        token=row["token"],
        deaths=row["deaths"],
        failures=row["failures"],
        **facts_of(row["operation"], row["params"]),
        format=row["format"],
        layout=json.loads(row["layout"] or "null"),
        body=row["body"],
    )
