"""Settle: correct what chunks applied out of order, so that a job ends as if its items had come one by one.

Chunks run in parallel, so an earlier item of a contact may be applied after a later one and overwrite its
values. `worker.operations.history` decides which fields to correct. A change that a client made over REST
after an item was applied stays, and a contact that was deleted is not created again.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any
from uuid import UUID

from schemas.items.faults import Fault
from storage.context import Context
from storage.entities import channels, contacts, references
from storage.entities.references import Lock
from storage.failpoints import reach
from storage.images import before_images
from storage.pipeline import finish, reordered, results
from storage.pipeline.finish import Finishing
from storage.pipeline.reordered import Reordered
from storage.postgres.db_errors import ROW_REJECTED, rejection_of
from storage.postgres.pool import Conn
from worker.operations.base import Indexed, item_error
from worker.operations.contacts_upsert import check_properties
from worker.operations.history import UNKNOWN, History
from worker.operations.registry import operation_of
from worker.prepare import prepare_some, raw_item

BATCH_CONTACTS = 200  # in one transaction; each may hold two values of 32 KiB for its JSON fields
CHANNEL = "default_channel_id"

Histories = dict[int, History]  # by the id of the contact
Corrections = dict[int, dict[str, Any]]  # the fields to set, by the id of the contact


async def settle(ctx: Context, job: Finishing) -> None:
    """Correct all contacts that the job changed out of order. Safe to repeat after a worker died in it."""
    if not operation_of(job.operation).settles:
        return
    if not await reordered.any_chunk(ctx.pool, job.account_id, job.job_id):
        return
    async with reordered.opened(ctx.pool, job.account_id, job.job_id) as (conn, pages):
        async for page in pages:
            for at in range(0, len(page), BATCH_CONTACTS):
                if not await _settle(ctx, conn, job, page[at : at + BATCH_CONTACTS]):
                    return  # another worker finishes the job


async def _settle(ctx: Context, conn: Conn, job: Finishing, batch: Sequence[Reordered]) -> bool:
    """Correct contacts in one transaction. Return False if the finish is lost.

    The lock on the job is the fence: see `finish.lock_finished`.
    """
    histories = await _histories(conn, job, batch)
    async with conn.transaction():
        if not await finish.lock_finished(conn, job):
            return False
        if ctx.settings.keeps_images:
            await before_images.begin(conn, job.job_id)
        existing = await _lock_channels(conn, job, histories)
        corrections = await _lock_and_compare(conn, job, histories)
        for fields in corrections.values():
            if fields.get(CHANNEL) is not None and str(fields[CHANNEL]) not in existing:
                fields[CHANNEL] = None  # the channel was deleted, which clears it in every contact
        faults = await _correct(conn, job, corrections)
        for contact in batch:
            if fault := faults.get(contact.contact_id):
                await _fail_last(conn, job, contact, fault)
        reach("settle.before_commit", str(job.job_id))
    return True


async def _histories(conn: Conn, job: Finishing, batch: Sequence[Reordered]) -> Histories:
    """Read the items of contacts again. Reads each chunk once, in order.

    A contact with an item that cannot be read any more is left out: the code has changed since.
    """
    histories = {contact.contact_id: History() for contact in batch}
    for first_index in sorted({first for contact in batch for first in contact.chunks}):
        chunk = await reordered.chunk(conn, job.account_id, job.job_id, first_index)
        owners = {
            index: contact_id
            for index, contact_id in enumerate(chunk.contact_ids, first_index)
            if contact_id in histories
        }
        items = list(prepare_some(operation_of(job.operation), job, chunk, owners))
        for contact_id in {owners[index] for index, item in items if isinstance(item, Fault)}:
            del histories[contact_id]
        readable = [(index, item) for index, item in items if owners[index] in histories]
        for index, item in await _with_properties(conn, job, readable):
            histories[owners[index]].add(index, chunk.applied, item)
    return histories


async def _with_properties(conn: Conn, job: Finishing, items: Sequence[Indexed]) -> Iterable[Indexed]:
    """Return items with their properties as they are stored; UNKNOWN if the definitions have changed."""
    checked, faults = await check_properties(conn, job, items)
    unknown = [(index, {**item, "properties": UNKNOWN}) for index, item in items if index in faults]
    return heapq.merge(checked, unknown, key=itemgetter(0))


async def _lock_channels(conn: Conn, job: Finishing, histories: Histories) -> set[str]:
    """Lock the channels that corrections may set, before any contact. Return the ids of those that exist."""
    wanted = {value for history in histories.values() for value in history.values(CHANNEL)}
    if not wanted:
        return set()
    for change in await contacts.changes_of(conn, job.account_id, list(histories)):
        wanted.add(change.fields.get(CHANNEL))
    ids = [UUID(str(value)) for value in wanted - {None}]
    return set(map(str, await channels.lock_many_shared(conn, job.account_id, ids)))


async def _lock_and_compare(conn: Conn, job: Finishing, histories: Histories) -> Corrections:
    """Lock the contacts that still exist. Return what to correct in each."""
    found = (await references.lock(conn, job.account_id, job.job_id, Lock.CHANGE, ids=list(histories))).ids
    changes = defaultdict(list)
    for change in await contacts.changes_of(conn, job.account_id, found):
        changes[change.contact_id].append(change)
    rows = await contacts.by_ids(conn, job.account_id, found)
    corrections = {row.id: histories[row.id].corrections(changes[row.id], row.fields) for row in rows}
    return {contact_id: fields for contact_id, fields in corrections.items() if fields}


async def _correct(conn: Conn, job: Finishing, corrections: Corrections) -> dict[int, Fault]:
    """Set the fields of contacts. Return the faults of the contacts that the database rejects, by id."""
    if not corrections:
        return {}
    try:
        async with conn.transaction():  # a savepoint
            await contacts.correct(conn, job.account_id, corrections)
        return {}
    except ROW_REJECTED as error:
        if len(corrections) == 1:
            return dict.fromkeys(corrections, rejection_of(error))
    ids = list(corrections)
    halves = (ids[: len(ids) // 2], ids[len(ids) // 2 :])
    first, second = [await _correct(conn, job, {id_: corrections[id_] for id_ in half}) for half in halves]
    return first | second


async def _fail_last(conn: Conn, job: Finishing, contact: Reordered, fault: Fault) -> None:
    """Let the last item of a contact fail, as it would if it were applied last."""
    index = await results.fail_last(conn, job.account_id, job.job_id, contact.contact_id, contact.chunks)
    if index is not None:
        chunk = await reordered.chunk(conn, job.account_id, job.job_id, contact.chunks[-1])
        error = item_error(index, fault, raw_item(job, chunk, index))
        await results.add_errors(conn, job.account_id, job.job_id, [error])
