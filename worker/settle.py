"""Settle: contacts that several chunks of a job named end as if their items had come one by one.

Chunks run side by side, so such a contact saw its items in any order. Every field is decided by the last
item that sets it: to merge a contact's items in their order and apply the result once more gives exactly
the state of one-by-one application, whatever happened in between.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from schemas.items.faults import Fault
from schemas.states import Outcome
from storage.context import Context
from storage.pipeline import finish, results
from storage.pipeline.finish import Finishing
from storage.pipeline.results import Correction, Duplicate
from storage.postgres.pool import Conn
from storage.postgres.transactions import transaction
from worker.isolate import apply_isolated
from worker.operations.base import Applied, item_error
from worker.operations.registry import operation_of
from worker.prepare import prepare_some

PASS_CONTACTS = 20_000  # merged items held in memory at once
BATCH_CONTACTS = 1_000  # one transaction

Merged = dict[int, Any]  # the merged item of each contact, by the contact's id


async def settle(ctx: Context, job: Finishing) -> None:
    """Settle all contacts that more than one chunk named; begins again where a dead worker stopped.

    Where all items of a contact do the same, only the results are corrected: see `BaseOperation.reapplies`.
    """
    starts = await results.chunk_starts(ctx.pool, job.account_id, job.job_id)
    if len(starts) < 2:
        return
    reapplies = operation_of(job.operation).reapplies
    while found := await _find(ctx, job):
        merged = await _merge(ctx, job, found, starts) if reapplies else {}
        for at in range(0, len(found), BATCH_CONTACTS):
            if not await _apply(ctx, job, found[at : at + BATCH_CONTACTS], merged):
                return  # another worker has ended the job


async def _find(ctx: Context, job: Finishing) -> list[Duplicate]:
    """The contacts to settle next: one aggregate over all results, which takes long for millions."""
    async with transaction(ctx.pool, unlimited_time=True) as conn:
        return await results.duplicates(conn, job.account_id, job.job_id, PASS_CONTACTS)


async def _merge(ctx: Context, job: Finishing, found: Sequence[Duplicate], starts: Sequence[int]) -> Merged:
    """Merge the items of each contact; reads each of their chunks once, in order."""
    owner = {index: duplicate.contact_id for duplicate in found for index in duplicate.indexes}
    operation = operation_of(job.operation)
    merged: Merged = {}
    for start, indexes in _by_chunk(starts, owner).items():
        (chunk,) = await results.read_chunks(ctx.pool, job.account_id, job.job_id, [start])
        for index, item in prepare_some(operation, job, chunk, indexes):
            if isinstance(item, Fault):  # it was valid once: the code or the definitions have changed since
                continue
            earlier = merged.get(owner[index])
            merged[owner[index]] = item if earlier is None else operation.merge(earlier, item)
    return merged


def _by_chunk(starts: Sequence[int], indexes: Iterable[int]) -> dict[int, list[int]]:
    """The indexes in order, by the first index of the chunk that each is in."""
    chunks: dict[int, list[int]] = {}
    for index in sorted(indexes):
        chunks.setdefault(starts[bisect_right(starts, index) - 1], []).append(index)
    return chunks


async def _apply(ctx: Context, job: Finishing, batch: Sequence[Duplicate], merged: Merged) -> bool:
    """Apply merged items and correct the results in one transaction; False: the job has ended already.

    The lock on the unended job is the fence: a worker that wakes up late finds the job ended.
    """
    operation = operation_of(job.operation)
    async with transaction(ctx.pool) as conn:
        if not await finish.lock_finished(conn, job.account_id, job.job_id):
            return False
        batch = await _still_open(conn, job, batch)
        if not batch:
            return True
        items = [
            (duplicate.indexes[-1], merged[duplicate.contact_id])
            for duplicate in batch
            if duplicate.contact_id in merged
        ]
        applied = await apply_isolated(conn, operation, job, items) if items else Applied()
        await _correct(conn, job, batch, applied, merged)
    return True


async def _still_open(conn: Conn, job: Finishing, batch: Sequence[Duplicate]) -> Sequence[Duplicate]:
    """Leave out the contacts that another worker has settled after the lease passed to it."""
    last = [duplicate.indexes[-1] for duplicate in batch]
    settled = await results.changed(conn, job.account_id, job.job_id, last)
    return [duplicate for duplicate in batch if duplicate.indexes[-1] not in settled]


async def _correct(
    conn: Conn, job: Finishing, batch: Sequence[Duplicate], applied: Applied, merged: Merged
) -> None:
    changes = [change for duplicate in batch for change in _changes(duplicate, applied)]
    await results.change(conn, job.account_id, job.job_id, changes)
    contact_of = {duplicate.indexes[-1]: duplicate.contact_id for duplicate in batch}
    errors = [
        item_error(index, fault, dict(merged[contact_of[index]])) for index, fault in applied.faults.items()
    ]
    if errors:
        await results.add_errors(conn, job.account_id, job.job_id, errors)


def _changes(duplicate: Duplicate, applied: Applied) -> list[Correction]:
    """Merge the earlier items into the last one, which gets the result of the contact.

    If the merged item was rejected, though each item had passed, the last one has failed: applied one by
    one, it would have been the one that could not be added.
    """
    last = duplicate.indexes[-1]
    result = applied.results.get(last)
    # the id differs only if the contact was deleted meanwhile and created again
    contact_id = duplicate.contact_id if result is None else result.contact_id
    outcome = Outcome.FAILED if last in applied.faults else min(duplicate.outcomes)
    if result is not None:
        outcome = min(outcome, result.outcome)
    return [
        Correction(
            index=index,
            was=was,
            outcome=outcome if index == last else Outcome.MERGED,
            contact_id=contact_id,
            merged_into=None if index == last else last,
            note=result.note if result is not None and index == last else None,
        )
        for index, was in zip(duplicate.indexes, duplicate.outcomes, strict=True)
    ]
