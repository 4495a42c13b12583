"""The step that undoes jobs and their undos: of moved phones, members, opt-ins and deleted contacts."""

from itertools import count
from typing import Any

from schemas.ids import JobId, read_job_id, show_job_id
from schemas.operations import Operation
from tests.factories import make_job, phone
from tests.integration.plans.growing_world import Sessions
from tests.workers import claim
from worker.apply import apply_chunk

NUMBERS = count(1)


async def undone_jobs(at: Sessions) -> None:
    """Undo a job twice over: the second undo gives back what the first one took."""
    new = next(NUMBERS)
    items: list[dict[str, Any]] = [
        {"phone": phone(700_000 + new), "name": "New"},
        {"phone": phone(710_000 + new), "external_id": "undone", "name": f"Moved {new}"},
        {"phone": phone(5), "metadata": {"undone": new}},
    ]
    await _run(at, Operation.LISTS_ADD, [{"phone": phone(720_000 + new), "external_id": "undone"}])
    await at.ctx.pool.execute(
        "DELETE FROM opt_ins WHERE account_id = $1 AND contact_id = $2",
        at.world.account.id,
        at.world.known[5],
    )
    job = await _run(at, Operation.LISTS_ADD, items)
    for _ in range(3):
        job = await _undo(at, job)
    renamed = [{"phone": phone(720_000 + new), "external_id": f"renamed {new}"}]
    await _undo(at, await _run(at, Operation.CONTACTS_UPSERT, renamed, match_on="phone"))
    await _run(at, Operation.CONTACTS_DELETE, [{"external_id": "undone"}])


async def _run(
    at: Sessions, operation: Operation, items: list[dict[str, Any]], match_on: str = "auto"
) -> JobId:
    params = at.world.params.model_copy(update={"match_on": match_on})
    job = await make_job(at.ctx, at.world.account.id, items, operation=operation, params=params, parallel=1)
    await apply_chunk(at.ctx, await claim(at.ctx))
    return job


async def _undo(at: Sessions, job: JobId) -> JobId:
    response = await at.client.call("POST", f"/v1/jobs/{show_job_id(job)}/undo?force=true")
    assert response.status == 202, response.body
    await apply_chunk(at.ctx, await claim(at.ctx))
    undo = read_job_id(response.json["id"])
    assert undo is not None
    return undo
