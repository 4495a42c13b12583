"""Cancel or retry all jobs that match the filters of the list, after a look at their number."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from api.actions.cancel_jobs import cancel_all
from api.actions.retry_jobs import retry_all
from api.html.render import page
from api.http.validation import check
from api.openapi.describe import describe
from api.pages.forms import read_form
from schemas.errors import Conflict
from schemas.wire.job_actions import ActedJobs, JobsAction
from schemas.wire.page_queries import in_utc

FIELDS = ("state", "operation", "name", "tag", "since", "until")


@describe(hidden=True)
async def ask_to_cancel(request: web.Request) -> web.Response:
    """Show how many jobs match and can be cancelled."""
    return await _ask(request, "cancel", request.query)


@describe(hidden=True)
async def ask_to_retry(request: web.Request) -> web.Response:
    """Show how many jobs match and have failed items to retry."""
    return await _ask(request, "retry", request.query)


@describe(hidden=True)
async def cancel_matching(request: web.Request) -> web.Response:
    """Cancel them, if they are still as many."""
    return await _act(request, "cancel")


@describe(hidden=True)
async def retry_matching(request: web.Request) -> web.Response:
    """Retry them, if they are still as many."""
    return await _act(request, "retry")


async def _ask(request: web.Request, verb: str, given: Mapping[str, str], notice: str = "") -> web.Response:
    filters = _filters(given)
    found = await _run(request, verb, {"filter": filters, "preview": True})
    return page(request, "matching_jobs.html", verb=verb, filters=filters, found=found, notice=notice)


async def _act(request: web.Request, verb: str) -> web.Response:
    form = await read_form(request)
    expected = form.get("expected", "")
    body: dict[str, Any] = {"filter": _filters(form), "preview": False}
    body["expected"] = int(expected) if expected.isdecimal() and len(expected) < 10 else expected
    try:
        found = await _run(request, verb, body)
    except Conflict as error:
        return await _ask(request, verb, form, error.message)
    filters = body["filter"]
    return page(request, "matching_jobs.html", verb=verb, filters=filters, found=found, notice="")


async def _run(request: web.Request, verb: str, body: dict[str, Any]) -> ActedJobs:
    """Act, or count for a preview. Raises NotAcceptable, and Conflict if the number has changed."""
    action = check(body, JobsAction)
    if verb == "retry":
        return await retry_all(request, action)
    return await cancel_all(request, action)


def _filters(given: Mapping[str, str]) -> dict[str, str]:
    """Return the filters that are given, as the body of the API has them."""
    found = {name: given[name] for name in FIELDS if given.get(name, "").strip()}
    return found | {name: str(in_utc(found[name])) for name in ("since", "until") if name in found}
