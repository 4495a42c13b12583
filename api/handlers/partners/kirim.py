"""POST /v1/{phone_number_id}/contacts/bulk_label: the bulk endpoint of Kirim."""

from collections import Counter

from aiohttp import web

from api.accept.accept import Plan, accept_request
from api.accept.partner import PartnerEndpoint, PartnerRequest
from api.accept.targets import label_of
from api.handlers.partners.job_results import reasons_of
from api.http.context import Api
from api.openapi import examples
from api.openapi.describe import Items, Response, describe
from schemas.errors import NotFound
from schemas.items.references import ById
from schemas.operations import BY_ID, JobParams, Operation
from schemas.states import Note
from schemas.wire.jobs import Job
from schemas.wire.partners import LabelBody, LabelCounts, LabelResult
from storage.entities.accounts import Account
from storage.pipeline import results
from storage.pipeline.jobs import JobRow

ITEMS = Items(key="contact_ids", model=ById, most=1_000)


@describe(
    name="bulk_label",
    text="A request that is not acceptable gets a 400, as Kirim documents it; elsewhere it gets a 422.",
    body=LabelBody,
    items=ITEMS,
    examples={"attach": examples.LABEL},
    responses={200: Response(model=LabelResult, example=examples.LABEL_RESULT), 202: Job, 207: LabelResult},
)
async def submit(request: web.Request) -> web.Response:
    """Attach a label to up to 1,000 contacts, or detach it from them, in one transaction."""
    return await accept_request(PartnerRequest(request, ENDPOINT))


async def _plan(bulk: PartnerRequest[LabelBody]) -> Plan | None:
    phone_number_id = bulk.request.match_info["phone_number_id"]
    if phone_number_id != bulk.account.phone_number_id:
        raise NotFound(
            f"the account has no phone_number_id {phone_number_id[:100]!r}", code="unknown_phone_number_id"
        )
    if bulk.body is None:
        return None
    label_id = await label_of(bulk, bulk.body.label_id)
    operation = Operation.LABELS_ATTACH if bulk.body.operation == "attach" else Operation.LABELS_DETACH
    return Plan(operation=operation, params=JobParams(region=bulk.account.region, label_id=label_id))


async def _result(api: Api, account: Account, job: JobRow) -> LabelResult:
    codes = Counter[str | None]()
    async for result in results.results(api.ctx.pool, account.id, job.id):
        codes[result.code] += 1
    data = LabelCounts(
        applied=job.updated + job.unchanged,  # counts contacts: a repeated contact is one
        skipped_cross_org=codes[Note.SKIPPED_CROSS_ORG.word],
        skipped_team_mismatch=codes[Note.SKIPPED_TEAM_MISMATCH.word],
    )
    if not job.failed:
        return LabelResult(data=data, request_id=job.request_id)
    errors = await reasons_of(api.ctx.pool, account.id, job.id)
    return LabelResult(data=data, request_id=job.request_id, errors=errors)


ENDPOINT = PartnerEndpoint(
    key=ITEMS.key,
    most=ITEMS.most,
    body=LabelBody,
    plan=_plan,
    result=_result,
    refusal_status=400,
    reader=BY_ID.reader,
)
