"""Settle: give a contact that several chunks of a job name the state of applying its items one by one.

Chunks run in parallel, so the items of such a contact were applied in any order. The last item that sets a
field decides its value. So merging the items of a contact in their order and applying the result again gives
exactly the state of one-by-one application.
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

PASS_CONTACTS = 20_000  # maximum of merged items in memory
BATCH_CONTACTS = 1_000  # contacts per transaction

Merged = dict[int, Any]  # the merged item of each contact, by the contact's id


async def settle(ctx: Context, job: Finishing) -> None:
    """Settle all contacts that more than one chunk names. Continues where a dead worker stopped.

    If all items of a contact do the same, only the results are corrected: see `BaseOperation.reapplies`.
    """
    starts = await results.chunk_starts(ctx.pool, job.account_id, job.job_id)
    if len(starts) < 2:
        return
    reapplies = operation_of(job.operation).reapplies
    while duplicates := await _find(ctx, job):
        merged = await _merge(ctx, job, duplicates, starts) if reapplies else {}
        for at in range(0, len(duplicates), BATCH_CONTACTS):
            if not await _apply(ctx, job, duplicates[at : at + BATCH_CONTACTS], merged):
                return  # another worker has ended the job


async def _find(ctx: Context, job: Finishing) -> list[Duplicate]:
    """Return the contacts to settle next. The aggregate over all results takes long for millions of items."""
    async with transaction(ctx.pool, unlimited_time=True) as conn:
        return await results.duplicates(conn, job.account_id, job.job_id, PASS_CONTACTS)


async def _merge(
    ctx: Context, job: Finishing, duplicates: Sequence[Duplicate], starts: Sequence[int]
) -> Merged:
    """Merge the items of each contact. Reads each chunk once, in order."""
    owner = {index: duplicate.contact_id for duplicate in duplicates for index in duplicate.indexes}
    operation = operation_of(job.operation)
    merged: Merged = {}
    for start, indexes in _by_chunk(starts, owner).items():
        (chunk,) = await results.read_chunks(ctx.pool, job.account_id, job.job_id, [start])
        for index, item in prepare_some(operation, job, chunk, indexes):
            if isinstance(item, Fault):  # valid when applied; the code or the definitions have changed
                continue
            earlier = merged.get(owner[index])
            merged[owner[index]] = item if earlier is None else operation.merge(earlier, item)
    return merged


def _by_chunk(starts: Sequence[int], indexes: Iterable[int]) -> dict[int, list[int]]:
    """Group the indexes by the first index of their chunk, in order."""
    chunks: dict[int, list[int]] = {}
    for index in sorted(indexes):
        chunks.setdefault(starts[bisect_right(starts, index) - 1], []).append(index)
    return chunks


async def _apply(ctx: Context, job: Finishing, batch: Sequence[Duplicate], merged: Merged) -> bool:
    """Apply merged items and correct the results in one transaction. Return False if the job has ended.

    The lock on the job is the fence: a worker that lost its lease finds that the job has ended.
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
    """Return the contacts that no other worker has settled after it took over the lease."""
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
    """Return the corrections that merge the earlier items into the last one, which gets the contact's result.

    If the merged item is rejected although each single item passed, the last item fails, because in
    one-by-one application it would have been rejected.
    """
    last = duplicate.indexes[-1]
    result = applied.results.get(last)
    # the id differs only if the contact was deleted and created again in between
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
