"""POST /v1/bulk/{operation}: the native entrance, for a body of any size."""

from aiohttp import web

from api.admit import admit
from api.context import API
from api.parameters import read_parameters
from api.receive import receive
from api.render import job_view
from api.wait import wait_for_end, wanted_wait
from schemas.errors import NotFound
from schemas.ids import JobId, show_job_id
from schemas.states import JobState, Operation
from storage import jobs
from storage.accounts import Account


async def submit(request: web.Request) -> web.Response:
    """Accept a job: 202 and its id; with `Prefer: wait=S` 200 or 207 if it ends in time."""
    api = request.app[API]
    account: Account = request["account"]
    _known_operation(request.match_info["operation"])
    headers = await admit(api.ctx, account)
    parameters = read_parameters(request.query)
    seconds = wanted_wait(request, account)
    job_id = await receive(request, api, account, parameters)
    state = await wait_for_end(api, account.id, job_id, seconds) if seconds else None
    return await _answer(request, account, job_id, state, headers, seconds)


async def _answer(
    request: web.Request,
    account: Account,
    job_id: JobId,
    state: JobState | None,
    headers: dict[str, str],
    seconds: float,
) -> web.Response:
    (row,) = await jobs.views(request.app[API].ctx.pool, account.id, [job_id])
    job = job_view(row)
    if state is not None and state.ended:
        status = 207 if job.counts.failed else 200
        headers |= {"Preference-Applied": f"wait={seconds:g}", "Bulklane-Job": job.id}
    else:
        status = 202
    headers |= {"Location": f"/v1/jobs/{show_job_id(job_id)}"}
    return web.Response(
        text=job.model_dump_json(), status=status, content_type="application/json", headers=headers
    )


def _known_operation(name: str) -> Operation:
    if name in list(Operation):
        return Operation(name)
    known = ", ".join(Operation)
    raise NotFound(f"{name!r} is not an operation; known are {known}", code="unknown_operation")
