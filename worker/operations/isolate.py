"""Isolate rows that the database rejects: only they fail, the other rows of the chunk are applied."""

from collections.abc import Sequence

from schemas.states import Outcome
from storage.entities import upsert
from storage.pipeline.results import ItemResult
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
            await upsert.empty_stage(conn)
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


def _folded(results: dict[int, ItemResult]) -> dict[int, ItemResult]:
    """Merge the results that several batches gave one contact into the result of its last item.

    Skipped items changed no contact, so each keeps its result.
    """
    done = {index: result for index, result in results.items() if result.outcome is not Outcome.SKIPPED}
    last: dict[int | None, int] = {}
    strongest: dict[int | None, Outcome] = {}
    for index in sorted(done):
        result = done[index]
        last[result.contact_id] = index
        strongest[result.contact_id] = min(strongest.get(result.contact_id, Outcome.MERGED), result.outcome)
    return results | {
        index: result._replace(outcome=strongest[result.contact_id])
        if last[result.contact_id] == index
        else ItemResult(Outcome.MERGED, result.contact_id, last[result.contact_id])
        for index, result in done.items()
    }
