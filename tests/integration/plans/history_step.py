"""The step that looks at the history of a contact which a job changed without naming it."""

from itertools import count

from api.http.views.history_view import show_place
from schemas.ids import show_id
from schemas.operations import Operation
from storage.entities.contact_jobs import NO_INDEX
from storage.inspection.contact_history import NO_NUMBER, HistoryPlace
from tests.factories import make_job, phone
from tests.integration.plans.growing_world import Sessions
from tests.workers import claim
from worker.apply import apply_chunk
from worker.finish import finish_if_last

NUMBERS = count(600_000)


async def history_of_a_removed_member(at: Sessions) -> None:
    """Add a contact to the list, overwrite the list without it, and read its history."""
    account_id, number = at.world.account.id, next(NUMBERS)
    for operation in (Operation.LISTS_ADD, Operation.LISTS_OVERWRITE):
        item = {"phone": phone(number if operation is Operation.LISTS_ADD else 0)}
        job_id = await make_job(at.ctx, account_id, [item], operation=operation, params=at.world.params)
        await apply_chunk(at.ctx, await claim(at.ctx))
        await finish_if_last(at.ctx, account_id, job_id)
    contact_id = await at.ctx.pool.fetchval(
        "SELECT id FROM contacts WHERE account_id = $1 AND phone = $2", account_id, phone(number)
    )
    place = HistoryPlace(job_id, NO_INDEX, NO_NUMBER, NO_NUMBER)  # the other jobs have random ids
    query = f"?cursor={show_place(place)}"
    history = await at.client.get(f"/v1/contacts/{show_id('ctc', contact_id)}/history{query}")
    operations = [entry["job"]["operation"] for entry in history.json["data"]]
    assert operations[:2] == ["lists.overwrite", "lists.add"], history.body
