"""Rehearsals of dry runs: which of them is next, the answers they record, and how they are given back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.ids import AccountId, JobId
from schemas.item_errors import ItemError
from schemas.params import JobParams
from storage.pipeline import chunks, turns
from storage.pipeline.chunks import MAX_DEATHS, Answer, Claim, Members
from storage.pipeline.results import LONG_SECONDS
from storage.postgres.pool import Conn, Pool
from storage.postgres.queries import load

QUERIES = load(__name__)

LEASE_SECONDS = 6.0  # a dead worker is replaced within P6's 10 seconds
RENEW_SECONDS = 2.0  # two renewals may fail before a lease is lost


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """An attempt to rehearse a dry run; `token` is the fence, None where the job has no chunks."""

    account_id: AccountId
    job_id: JobId
    operation: str
    params: JobParams
    format: str
    layout: dict[str, Any] | None
    token: int | None


async def claim(pool: Pool) -> DryRun | None:
    """Take the dry run that has waited longest, of an account without another; None: there is none to take.

    It begins anew: what an earlier attempt has recorded is forgotten.
    """
    for row in await QUERIES.due(pool):
        async with pool.acquire() as conn, conn.transaction():
            if dry_run := await _claim(conn, row["account_id"], row["id"]):
                return dry_run
    return None


async def in_flight(db: Pool, account_id: AccountId) -> bool:
    """Whether chunks of the account are still being applied, or the closing steps of a job."""
    busy: bool = await QUERIES.in_flight(db, account_id=account_id)
    return busy


async def next_chunk(db: Pool, dry_run: DryRun, after: int) -> Claim | None:
    """The chunk behind an index, with its bytes; None: there is none, or it is no longer this attempt's."""
    row = await QUERIES.next_chunk(
        db, account_id=dry_run.account_id, id=dry_run.job_id, token=dry_run.token, after=after
    )
    if row is None:
        return None
    assert dry_run.token is not None
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


async def record(
    pool: Pool, claim: Claim, answers: Sequence[Answer], errors: Sequence[ItemError], members: Members
) -> bool:
    """Record the answers of a chunk; False: another attempt has begun, or the job is cancelled."""
    async with pool.acquire() as conn, conn.transaction():
        mine: bool | None = await QUERIES.fence(
            conn,
            account_id=claim.account_id,
            id=claim.job_id,
            first_index=claim.first_index,
            token=claim.token,
        )
        if mine:
            await chunks.record(conn, claim, answers, errors, members)
        return mine is True


async def renew(db: Pool, dry_run: DryRun) -> None:
    """Keep a dry run."""
    await QUERIES.renew(db, **_keys(dry_run), lease_seconds=LEASE_SECONDS)


async def release(pool: Pool, dry_run: DryRun, *, blame: bool) -> None:
    """Give a dry run back; with blame, the chunk that it stopped at counts a death."""
    async with pool.acquire() as conn, conn.transaction():
        mine = await QUERIES.release(conn, **_keys(dry_run)) is not None
        if mine and blame:
            await _blame(conn, dry_run.account_id, dry_run.job_id)


async def lock_complete(conn: Conn, dry_run: DryRun) -> bool:
    """Lock the job if this attempt has recorded all of it; False: it is cancelled, or another attempt's."""
    if not await QUERIES.lock(conn, account_id=dry_run.account_id, id=dry_run.job_id):
        return False
    complete: bool = await QUERIES.complete(conn, **_keys(dry_run))
    return complete


async def conclude(conn: Conn, account_id: AccountId, job_id: JobId) -> None:
    """Correct the answers of contacts that several chunks named, and hide the ids that do not exist."""
    await conn.execute("SET LOCAL statement_timeout = 0")  # each goes over all answers, maybe millions
    await QUERIES.merge_repeated(conn, within=LONG_SECONDS, account_id=account_id, id=job_id)
    await QUERIES.hide_created(conn, within=LONG_SECONDS, account_id=account_id, id=job_id)


async def _claim(conn: Conn, account_id: AccountId, job_id: JobId) -> DryRun | None:
    await turns.lock(conn, account_id)
    row = await QUERIES.claim(conn, account_id=account_id, id=job_id, lease_seconds=LEASE_SECONDS)
    if row is None:
        return None
    if row["died"]:
        await _blame(conn, account_id, job_id)
    token = await QUERIES.raise_tokens(conn, account_id=account_id, id=job_id)
    await QUERIES.forget(conn, account_id=account_id, id=job_id)
    return DryRun(
        account_id=account_id,
        job_id=job_id,
        operation=row["operation"],
        params=JobParams.model_validate_json(row["params"]),
        format=row["format"],
        layout=json.loads(row["layout"] or "null"),
        token=token,
    )


async def _blame(conn: Conn, account_id: AccountId, job_id: JobId) -> None:
    await QUERIES.blame(conn, account_id=account_id, id=job_id, max_deaths=MAX_DEATHS)


def _keys(dry_run: DryRun) -> dict[str, Any]:
    return {"account_id": dry_run.account_id, "id": dry_run.job_id, "token": dry_run.token}
