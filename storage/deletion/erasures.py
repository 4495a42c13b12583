"""Erasures: delete a contact, and all that jobs have stored about it, in short steps.

A step reads a bounded piece of the account's images, failed items or kept rows, erases what it finds, and
records where the next one begins, in one transaction. So a process that dies loses one step at most, and any
worker goes on.

An erasure begins when the jobs and uploads that were there before it are over. Their bytes are deleted then,
so nobody has to search them. What arrives later is new data of a new contact.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

from schemas.ids import AccountId, JobId, new_erasure_id
from schemas.states import ErasureState
from storage import pruning
from storage.deletion import contact_traces, image_traces
from storage.deletion.contact_traces import START, After
from storage.deletion.identifiers import Identifiers
from storage.deletion.image_traces import Erased
from storage.entities import contacts
from storage.failpoints import reach
from storage.postgres.db_errors import LOCKED_OUT
from storage.postgres.named_queries import Db, load
from storage.postgres.pool import Conn, Pool
from storage.postgres.transactions import transaction, try_lock

IDENTIFIERS = """jsonb_build_array(jsonb_build_array('phone', c.phone),
    jsonb_build_array('external_id', c.external_id), jsonb_build_array('email', c.email))"""
QUERIES = load(__name__, {"identifiers": IDENTIFIERS})
LOCK = 0x626C6572  # 'bler': advisory lock, one process at a time does a step: two would rewrite one part
FAR_SECONDS = 60.0  # beyond it, the time of the next step is of a clock that was set back since
WAIT_SECONDS = 2.0  # for jobs and uploads that are not over, or after an error


class ErasureStep(IntEnum):
    """The steps of an erasure, in their order. The numbers are stored."""

    CONTACT = 0
    IMAGES = 1  # before the others, because they tell its earlier phones and emails
    SINGLE_CHANGES = 2
    FAILED_ITEMS = 3
    KEPT_ROWS = 4
    LEFT_PARTS = 5
    DONE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """A request to erase a contact. `checked`: failed items and parts so far; `erased`: items and rows."""

    account_id: AccountId
    id: UUID
    contact_id: int
    state: ErasureState
    step: ErasureStep
    after: After
    identifiers: Identifiers
    checked: int
    erased: int
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """What a step has done. `after`: where it goes on; None: it has come to its end."""

    after: After | None = None
    checked: int = 0
    erased: int = 0
    waits: bool = False
    identifiers: Identifiers | None = None  # if they have changed


async def request(db: Db, account_id: AccountId, contact_id: int) -> Erasure | None:
    """Ask to erase a contact. Return its erasure; None: there is no such contact. Safe to repeat."""
    row = await QUERIES.request(db, account_id=account_id, id=new_erasure_id(), contact_id=contact_id)
    row = row or await QUERIES.of_contact(db, account_id=account_id, contact_id=contact_id)
    return _erasure(row) if row else None


async def get(db: Db, account_id: AccountId, erasure_id: UUID) -> Erasure | None:
    """Return an erasure; None: the account has no such one."""
    row = await QUERIES.get(db, account_id=account_id, id=erasure_id)
    return _erasure(row) if row else None


async def advance(pool: Pool) -> bool:
    """Do the next step of an erasure. Return False if none is due, or another process does one.

    A step that meets a locked row is postponed, because erasures of other accounts wait for it.
    """
    erasure = None
    try:
        async with transaction(pool, short_wait=True) as conn:
            row = await QUERIES.due(conn, far_seconds=FAR_SECONDS) if await try_lock(conn, LOCK) else None
            if row is None:
                return False
            erasure = _erasure(row)
            await _record(conn, erasure, await STEPS[erasure.step](conn, erasure))
            reach("erasure.step")
    except Exception as error:
        if erasure is not None:
            await QUERIES.postpone(pool, account_id=erasure.account_id, id=erasure.id, seconds=WAIT_SECONDS)
        if erasure is None or not isinstance(error, LOCKED_OUT):
            raise
    return True


async def _record(conn: Conn, erasure: Erasure, progress: StepDone) -> None:
    ends = progress.after is None and not progress.waits
    step = ErasureStep(erasure.step + ends)
    done = step is ErasureStep.DONE
    state: ErasureState = "completed" if done else "waiting" if progress.waits else "running"
    identifiers = progress.identifiers or erasure.identifiers
    await QUERIES.record(
        conn,
        account_id=erasure.account_id,
        id=erasure.id,
        state=state,
        step=step,
        after=None if progress.after is None else json.dumps([str(progress.after[0]), progress.after[1]]),
        identifiers=None if done else json.dumps(identifiers.pairs()),
        checked=progress.checked,
        erased=progress.erased,
        wait_seconds=WAIT_SECONDS if progress.waits else 0.0,
    )


async def _contact(conn: Conn, erasure: Erasure) -> StepDone:
    """Delete the contact itself, unless jobs or uploads of before may still change it."""
    account_id, contact_id = erasure.account_id, erasure.contact_id
    if any(await contact_traces.unended(conn, account_id, erasure.created_at)):
        return StepDone(waits=True)
    now = await QUERIES.identifiers(conn, account_id=account_id, contact_id=contact_id)
    await contacts.delete(conn, account_id, contact_id)
    await contact_traces.forget_changes(conn, account_id, contact_id)
    return StepDone(identifiers=erasure.identifiers.with_pairs(json.loads(now) if now else ()))


async def _images(conn: Conn, erasure: Erasure) -> StepDone:
    return _progress(
        erasure,
        await image_traces.erase_images(conn, erasure.account_id, erasure.after, erasure.identifiers),
    )


async def _single_changes(conn: Conn, erasure: Erasure) -> StepDone:
    return _progress(
        erasure,
        await image_traces.erase_single_changes(conn, erasure.account_id, erasure.after, erasure.identifiers),
    )


def _progress(erasure: Erasure, done: Erased | None) -> StepDone:
    if done is None:
        return StepDone()
    known = erasure.identifiers.with_pairs(done.pairs)
    return StepDone(after=done.after, checked=done.checked, erased=done.erased, identifiers=known)


async def _failed_items(conn: Conn, erasure: Erasure) -> StepDone:
    items = await contact_traces.failed_items(conn, erasure.account_id, erasure.after)
    if not items:
        return StepDone()
    found = contact_traces.with_traces(items, erasure.identifiers)
    await contact_traces.erase_failed_items(conn, erasure.account_id, found)
    last = items[-1]
    return StepDone(after=After(last.job_id, last.error.index), checked=len(items), erased=len(found))


async def _kept_rows(conn: Conn, erasure: Erasure) -> StepDone:
    kept = await contact_traces.next_kept_part(conn, erasure.account_id, erasure.after, erasure.identifiers)
    if kept is None:
        return StepDone()
    if kept.traces:
        await contact_traces.erase_kept_rows(conn, erasure.account_id, kept)
    return StepDone(after=After(kept.job_id, kept.part), checked=1, erased=len(kept.traces))


async def _left_parts(conn: Conn, erasure: Erasure) -> StepDone:
    """Delete the bytes of jobs that have ended, if a worker died before it could."""
    job_id = await contact_traces.ended_with_parts(conn, erasure.account_id)
    if job_id is None:
        return StepDone()
    return StepDone(after=START, checked=await pruning.some_parts(conn, erasure.account_id, job_id))


STEPS: dict[ErasureStep, Callable[[Conn, Erasure], Awaitable[StepDone]]] = {
    ErasureStep.CONTACT: _contact,
    ErasureStep.IMAGES: _images,
    ErasureStep.SINGLE_CHANGES: _single_changes,
    ErasureStep.FAILED_ITEMS: _failed_items,
    ErasureStep.KEPT_ROWS: _kept_rows,
    ErasureStep.LEFT_PARTS: _left_parts,
}


def _erasure(row: Any) -> Erasure:
    after = json.loads(row["after"]) if row["after"] else None
    return Erasure(
        account_id=row["account_id"],
        id=row["id"],
        contact_id=row["contact_id"],
        state=row["state"],
        step=ErasureStep(row["step"]),
        after=After(JobId(UUID(after[0])), after[1]) if after else START,
        identifiers=Identifiers.of(row["contact_id"], json.loads(row["identifiers"] or "[]")),
        checked=row["checked"],
        erased=row["erased"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
    )
