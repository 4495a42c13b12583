"""Isolate rows that the database rejects: only they fail, the other rows of the chunk are applied."""

from collections.abc import Sequence

from schemas.states import Outcome
from storage.entities import upsert
from storage.pipeline.results import ItemResults
from storage.postgres.db_errors import ROW_REJECTED, rejection_of
from storage.postgres.pool import Conn
from worker.operations.base import Applied, BaseOperation, Indexed, JobFacts


async def apply_isolated(
    conn: Conn, operation: BaseOperation, job: JobFacts, items: Sequence[Indexed]
) -> Applied:
    """Apply items with the same effect as one by one. A rejected item becomes a fault.

    If the database rejects a batch, it is applied in two halves, in order, each in its own savepoint.
    """
    try:
        async with conn.transaction():  # a savepoint
            await upsert.empty_stage(conn, job.job_id)
            return await operation.apply(conn, job, items)
    except ROW_REJECTED as error:
        if len(items) == 1:
            return Applied(faults={items[0][0]: rejection_of(error)})
    middle = len(items) // 2
    first = await apply_isolated(conn, operation, job, items[:middle])
    second = await apply_isolated(conn, operation, job, items[middle:])
    return Applied(
        results=_folded(first.results | second.results),
        faults=first.faults | second.faults,
        members=first.members + second.members,
    )


def _folded(results: ItemResults) -> ItemResults:
    """Merge the results that several batches gave one contact into the result of its last item.

    Skipped items changed no contact, so each keeps its result.
    """
    indexes_of: dict[int, list[int]] = {}
    for index, contact_id in sorted(results.contact_ids.items()):
        if results.outcomes[index] is not Outcome.SKIPPED:
            indexes_of.setdefault(contact_id, []).append(index)
    for indexes in indexes_of.values():
        *earlier, last = indexes
        results.outcomes[last] = min(results.outcomes[index] for index in indexes)
        for index in earlier:
            results.merge(index, last)
    return results
