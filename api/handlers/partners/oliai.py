"""POST /v1/contacts/bulk, bulk-delete and add-to-audience: the bulk endpoints of Oliai."""

from aiohttp import web

from api.accept.accept import Plan, accept_request
from api.accept.partner import PartnerEndpoint, PartnerRequest
from api.accept.targets import audience_of
from api.handlers.partners.job_results import contacts_of, reasons_of, succeeded
from api.http.contact_view import contact_view
from api.http.context import Api
from api.openapi import examples
from api.openapi.describe import Items, Response, describe
from schemas.errors import NotFound
from schemas.ids import show_id
from schemas.items.contacts import ContactItem
from schemas.items.references import ById
from schemas.operations import JobParams, Operation
from schemas.wire.jobs import Job
from schemas.wire.partners import AudienceBody, AudienceResult, BulkContactsResult, DeletedResult, NoBody
from storage.entities import audiences
from storage.entities.accounts import Account
from storage.pipeline.jobs import JobRow

CONTACTS = Items(key="contacts", model=ContactItem, most=1_000, needs=("name",))
CONTACT_IDS = Items(key="contactIds", model=ById, most=1_000)


@describe(
    name="bulk_create_contacts",
    items=CONTACTS,
    examples={"as Oliai documents it": examples.BULK_CREATE},
    responses={200: BulkContactsResult, 202: Job, 207: BulkContactsResult},
)
async def create(request: web.Request) -> web.Response:
    """Create or update up to 1,000 contacts."""
    return await accept_request(PartnerRequest(request, CREATE))


@describe(
    name="bulk_delete_contacts",
    items=CONTACT_IDS,
    examples={"as Oliai documents it": examples.BULK_DELETE},
    responses={
        200: Response(model=DeletedResult, example=examples.BULK_DELETE_RESULT),
        202: Job,
        207: DeletedResult,
    },
)
async def delete(request: web.Request) -> web.Response:
    """Delete up to 1,000 contacts, and remove them from lists, labels and audiences."""
    return await accept_request(PartnerRequest(request, DELETE))


@describe(
    name="add_contacts_to_audience",
    body=AudienceBody,
    items=CONTACT_IDS,
    examples={"as Oliai documents it": examples.ADD_TO_AUDIENCE},
    responses={200: AudienceResult, 202: Job, 207: AudienceResult},
    errors=(404,),
)
async def add_to_audience(request: web.Request) -> web.Response:
    """Add up to 1,000 contacts to an audience."""
    return await accept_request(PartnerRequest(request, ADD_TO_AUDIENCE))


async def _plan_create(bulk: PartnerRequest[NoBody]) -> Plan | None:
    params = JobParams(region=bulk.account.region, required=CONTACTS.needs)
    return Plan(operation=Operation.CONTACTS_UPSERT, params=params)


async def _plan_delete(bulk: PartnerRequest[NoBody]) -> Plan | None:
    return Plan(operation=Operation.CONTACTS_DELETE, params=JobParams(region=bulk.account.region))


async def _plan_add(bulk: PartnerRequest[AudienceBody]) -> Plan | None:
    if bulk.body is None:
        return None
    audience_id = await audience_of(bulk, bulk.body.audience_id)
    params = JobParams(region=bulk.account.region, audience_id=audience_id)
    return Plan(operation=Operation.AUDIENCES_ADD, params=params)


async def _created(api: Api, account: Account, job: JobRow) -> BulkContactsResult:
    rows = await contacts_of(api.ctx.pool, account.id, job.id)
    return BulkContactsResult(
        created=job.created,
        updated=succeeded(job) - job.created,
        failed=job.failed,
        contacts=[contact_view(row, api.ctx.settings) for row in rows],
        errors=await reasons_of(api.ctx.pool, account.id, job.id),
    )


async def _deleted(api: Api, account: Account, job: JobRow) -> DeletedResult:
    if not job.failed:
        return DeletedResult(deleted=job.updated)
    return DeletedResult(deleted=job.updated, errors=await reasons_of(api.ctx.pool, account.id, job.id))


async def _added(api: Api, account: Account, job: JobRow) -> AudienceResult:
    audience_id = job.audience_id
    assert audience_id is not None
    audience = await audiences.get(api.ctx.pool, account.id, audience_id)
    if audience is None:
        raise NotFound(
            "the audience was deleted after the job: there is no count to return", code="unknown_audience"
        )
    name, count = show_id("aud", audience_id), audience.contact_count
    if not job.failed:
        return AudienceResult(audience_id=name, contact_count=count)
    errors = await reasons_of(api.ctx.pool, account.id, job.id)
    return AudienceResult(audience_id=name, contact_count=count, errors=errors)


CREATE = PartnerEndpoint(
    key=CONTACTS.key, most=CONTACTS.most, body=NoBody, plan=_plan_create, result=_created
)
DELETE = PartnerEndpoint(
    key=CONTACT_IDS.key, most=CONTACT_IDS.most, body=NoBody, plan=_plan_delete, result=_deleted
)
ADD_TO_AUDIENCE = PartnerEndpoint(
    key=CONTACT_IDS.key, most=CONTACT_IDS.most, body=AudienceBody, plan=_plan_add, result=_added
)
