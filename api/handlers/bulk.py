"""POST /v1/bulk/{operation}: the native entrance, for a body of any size."""

from aiohttp import web

from api.accept.accept import Accepted, feed_pieces, receive
from api.accept.body import open_inbound
from api.accept.idempotency import find_earlier, read_key, same_request
from api.accept.native import plan_native
from api.accept.parameters import check_renames, read_parameters
from api.accept.plan import new_job
from api.accept.response import answer_job
from api.http.context import ACCOUNT, API
from api.http.waiting import wanted_wait
from api.openapi.describe import describe
from api.openapi.native import described
from schemas.errors import NotFound
from schemas.states import Operation


@describe(name="bulk", **described())
async def submit(request: web.Request) -> web.Response:
    """Accept a job: 202 and its id; with `Prefer: wait=S` 200 or 207 if it ends in time."""
    api, account, key = request.app[API], request[ACCOUNT], read_key(request)
    operation = _operation(request.match_info["operation"])
    parameters = read_parameters(operation, request.query)
    seconds = wanted_wait(request, account)
    inbound = await open_inbound(request, api.ctx.settings)
    check_renames(parameters, inbound.format)
    if earlier := await find_earlier(api, account.id, key):
        async for _ in inbound.pieces:  # its hash is all that matters
            pass
        again = Accepted(id=same_request(earlier, inbound.fingerprint.digest(), key))
        return await answer_job(request, again, seconds)
    plan = await plan_native(api, account, operation, parameters)
    job = new_job(request, plan, inbound.format, key)
    feed = feed_pieces(
        inbound.pieces, max_json_items=api.ctx.settings.max_json_items, renames=parameters.renames
    )
    accepted = await receive(api, job, inbound.fingerprint, feed)
    return await answer_job(request, accepted, seconds)


def _operation(name: str) -> Operation:
    if name in list(Operation):
        return Operation(name)
    known = ", ".join(Operation)
    raise NotFound(f"{name!r} is not an operation; known are {known}", code="unknown_operation")
