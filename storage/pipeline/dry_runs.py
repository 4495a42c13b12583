"""Dry runs: claim the next one, record the results of an attempt, release it."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from schemas.ids import AccountId, JobId
from schemas.operations import JobParams, facts_of
from storage.pipeline import failures, results, turns
from storage.pipeline.chunks import MAX_DEATHS, Claim, Progress
from storage.pipeline.leases import LEASE_SECONDS, Watch, new_token
from storage.pipeline.results import Done
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool
from storage.postgres.transactions import transaction, without_time_limit

CANDIDATES = 10  # dry runs that a worker tries to claim: another worker may be faster
QUERIES = load(__name__, {"candidates": CANDIDATES})


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """An attempt at a dry run. `token` is the fence. `careful`: a chunk of the job counts a death.

    `failures` is the number of failures of the job if the last attempt has died after its last chunk, else 0.
    """

    account_id: AccountId
    job_id: JobId
    operation: str
    params: JobParams
    format: str
    layout: dict[str, Any] | None
    token: int
    careful: bool
    failures: int = 0
    trace: str | None = None


class DueDryRun(NamedTuple):
    """A dry run that may start. `lease_until` is not None if an earlier worker did not release it."""

    account_id: AccountId
    job_id: JobId
    token: int | None
    lease_until: datetime | None


async def claim(pool: Pool, watch: Watch[DueDryRun] | None = None) -> DryRun | None:
    """Claim the dry run that has waited longest, of an account without a running dry run.

    Deletes what an earlier attempt has recorded. `watch` tells which of the dry runs that a worker did not
    release are abandoned; without it, all of them are. Returns None if there is no dry run to claim.
    """
    due = [DueDryRun(**row) for row in await QUERIES.due(pool)]
    expired = [dry_run for dry_run in due if dry_run.lease_until is not None]
    abandoned = watch.abandoned(expired) if watch else expired
    for dry_run in due:
        if dry_run.lease_until is None or dry_run in abandoned:
            async with transaction(pool) as conn:
                if claimed := await _claim(conn, dry_run.account_id, dry_run.job_id):
                    return claimed
    return None


async def in_flight(db: Pool, account_id: AccountId) -> bool:
    """Return whether a chunk of the account is being applied or a job of the account is being finished."""
    busy: bool = await QUERIES.in_flight(db, account_id=account_id)
    return busy


async def next_chunk(db: Pool, dry_run: DryRun, after: int) -> Claim | None:
    """Return the first chunk after an index, with its bytes.

    None means that there is none, or that another attempt has begun.
    """
    row = await QUERIES.next_chunk(
        db, account_id=dry_run.account_id, id=dry_run.job_id, token=dry_run.token, after=after
    )
    if row is None:
        return None
    return Claim(
        account_id=dry_run.account_id,
        job_id=dry_run.job_id,
        token=dry_run.token,
        operation=dry_run.operation,
        params=dry_run.params,
        format=dry_run.format,
        layout=dry_run.layout,
        **row,
    )


async def record(pool: Pool, done: Done) -> Progress | None:
    """Record the results of a chunk. Return None if another attempt has begun or the job is cancelled."""
    claim = done.claim
    async with transaction(pool) as conn:
        mine: bool | None = await QUERIES.fence(
            conn,
            account_id=claim.account_id,
            id=claim.job_id,
            first_index=claim.first_index,
            items=claim.items,
            token=claim.token,
        )
        return await results.record(conn, done) if mine else None


async def renew(db: Pool, dry_run: DryRun) -> None:
    """Renew the lease of a dry run."""
    await QUERIES.renew(db, **_keys(dry_run), lease_seconds=LEASE_SECONDS)


async def release(pool: Pool, dry_run: DryRun, *, blame: bool) -> bool:
    """Release a dry run. With `blame`, the chunk at which it stopped counts a death.

    Returns whether a chunk counts a death.
    """
    async with transaction(pool) as conn:
        mine = await QUERIES.release(conn, **_keys(dry_run)) is not None
        return mine and blame and await _blame(conn, dry_run.account_id, dry_run.job_id)


async def lock_complete(conn: Conn, dry_run: DryRun) -> bool:
    """Lock the job if this attempt has recorded all its chunks.

    Returns False if the job is cancelled or another attempt has begun.
    """
    if not await QUERIES.lock(conn, **_keys(dry_run)):
        return False
    complete: bool = await QUERIES.complete(conn, **_keys(dry_run))
    return complete


async def correct_results(conn: Conn, account_id: AccountId, job_id: JobId) -> None:
    """Merge the results of contacts that several chunks name, and remove the ids that were rolled back."""
    async with without_time_limit(conn):  # each statement reads all results, possibly millions
        if await results.any_repeated(conn, account_id, job_id):
            await results.merge_repeated(conn, account_id, job_id)
        await QUERIES.hide_created(conn, account_id=account_id, id=job_id)


async def _claim(conn: Conn, account_id: AccountId, job_id: JobId) -> DryRun | None:
    await turns.lock(conn, account_id)
    token = new_token()
    row = await QUERIES.claim(
        conn, account_id=account_id, id=job_id, token=token, lease_seconds=LEASE_SECONDS
    )
    if row is None:
        return None
    failed = 0
    if row["died"] and not await _blame(conn, account_id, job_id):
        failed = await failures.count(conn, account_id, job_id)
    careful = await QUERIES.careful(conn, account_id=account_id, id=job_id)
    await QUERIES.take_chunks(conn, account_id=account_id, id=job_id, token=token)
    await QUERIES.forget(conn, account_id=account_id, id=job_id)
    return DryRun(
        account_id=account_id,
        job_id=job_id,
        **facts_of(row["operation"], row["params"]),
        format=row["format"],
        layout=json.loads(row["layout"] or "null"),
        token=token,
        careful=careful,
        failures=failed,
        trace=row["trace"],
    )


async def _blame(conn: Conn, account_id: AccountId, job_id: JobId) -> bool:
    blamed = await QUERIES.blame(conn, account_id=account_id, id=job_id, max_deaths=MAX_DEATHS)
    return blamed is not None


def _keys(dry_run: DryRun) -> dict[str, Any]:
    return {"account_id": dry_run.account_id, "id": dry_run.job_id, "token": dry_run.token}
