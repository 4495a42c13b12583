"""PUT /v1/contacts/lists/{list_id}/contacts: the bulk endpoint of Whippy."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from api.accept.accept import Plan, accept_request
from api.accept.partner import PartnerEndpoint, PartnerRequest
from api.accept.targets import NamedChannel, channels_of, list_of
from api.handlers.partners.job_results import errors_of, phone_of, succeeded
from api.http.context import Api
from api.openapi import examples
from api.openapi.describe import Items, Response, describe
from schemas.ids import show_id
from schemas.items.contacts import ContactItem
from schemas.operations import JobParams, Operation
from schemas.wire.jobs import Job
from schemas.wire.partners import ListContactsBody, ListCounts, ListItemError, ListResult, OptInTo
from storage.entities.accounts import Account
from storage.pipeline.jobs import JobRow

ITEMS = Items(key="contacts", model=ContactItem, most=4_000)
BY_ACTION = {
    "add": Operation.LISTS_ADD,
    "remove": Operation.LISTS_REMOVE,
    "overwrite": Operation.LISTS_OVERWRITE,
}


@describe(
    name="update_list_contacts",
    body=ListContactsBody,
    items=ITEMS,
    examples={"add a contact": examples.LIST_CONTACTS},
    responses={200: Response(model=ListResult, example=examples.LIST_RESULT), 202: Job, 207: ListResult},
)
async def submit(request: web.Request) -> web.Response:
    """Add up to 4,000 contacts to a list, remove them from it, or replace its contacts by them."""
    return await accept_request(PartnerRequest(request, ENDPOINT))


async def _plan(bulk: PartnerRequest[ListContactsBody]) -> Plan | None:
    list_id = await list_of(bulk, bulk.request.match_info["list_id"])
    body = bulk.body
    all_channels = body is not None and _all_channels(body)
    channels = await channels_of(bulk, _named(bulk.given), all_=all_channels)
    if body is None:
        return None
    params = JobParams(
        region=bulk.account.region,
        list_id=list_id,
        channels=() if body.action == "remove" else channels,
        override_opt_outs=body.override_opt_outs,
    )
    return Plan(operation=BY_ACTION[body.action], params=params)


def _named(given: Mapping[str, Any]) -> list[NamedChannel]:
    """Return the channels that the body names; () if they are invalid, which is already reported."""
    try:
        opt_in_to = OptInTo.model_validate(given).opt_in_to
    except ValidationError:
        return []
    return [
        NamedChannel(
            param=f"opt_in_to[{position}].{'id' if channel.id is not None else 'phone'}",
            id=channel.id,
            phone=channel.phone,
        )
        for position, channel in enumerate(opt_in_to or ())
    ]


def _all_channels(body: ListContactsBody) -> bool:
    """Return whether to opt in to all channels: by default if the body names none, as Whippy documents."""
    if body.opt_in_to_all_channels is None:
        return body.opt_in_to is None
    return body.opt_in_to_all_channels


async def _result(api: Api, account: Account, job: JobRow) -> ListResult:
    list_id = job.list_id
    assert list_id is not None
    errors = await errors_of(api.ctx.pool, account.id, job.id) if job.failed else []
    return ListResult(
        data=ListCounts(
            message="Contact list contacts are being updated",
            list_id=show_id("lst", list_id),
            added=job.added,
            removed=job.removed,
            created=job.created,
            updated=succeeded(job) - job.created,
            failed=job.failed,
        ),
        errors=[
            ListItemError(
                index=error.index,
                phone=phone_of(error.item, otherwise=None),
                field=error.field,
                code=error.code,
                message=error.message,
            )
            for error in errors
        ],
    )


ENDPOINT = PartnerEndpoint(key=ITEMS.key, most=ITEMS.most, body=ListContactsBody, plan=_plan, result=_result)
