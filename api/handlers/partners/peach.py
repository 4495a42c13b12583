"""POST /api/v1/contacts/bulk_update_communication_preferences: the bulk endpoint of Peach."""

from aiohttp import web

from api.accept.accept import Plan, accept_request
from api.accept.partner import PartnerEndpoint, PartnerRequest
from api.accept.targets import check_preference
from api.handlers.partners.job_results import contacts_of, errors_of, phone_of, succeeded
from api.http.context import Api
from api.openapi import examples
from api.openapi.describe import Items, Response, describe
from schemas.items.references import ByPhone
from schemas.operations import JobParams, Operation
from schemas.wire.jobs import Job
from schemas.wire.partners import PhoneError, PreferenceContact, PreferencesBody, PreferencesResult
from storage.entities.accounts import Account
from storage.entities.contact_columns import ContactRow
from storage.pipeline.jobs import JobRow

ITEMS = Items(key="phone_numbers", model=ByPhone, most=1_000)


@describe(
    name="update_communication_preferences",
    body=PreferencesBody,
    items=ITEMS,
    examples={"as Peach documents it": examples.PREFERENCES},
    responses={
        200: Response(model=PreferencesResult, example=examples.PREFERENCES_RESULT),
        202: Job,
        207: PreferencesResult,
    },
)
async def submit(request: web.Request) -> web.Response:
    """Set the communication preference of up to 1,000 phone numbers."""
    return await accept_request(PartnerRequest(request, ENDPOINT))


async def _plan(bulk: PartnerRequest[PreferencesBody]) -> Plan | None:
    if bulk.body is None:
        return None
    preference = check_preference(bulk, bulk.body.communication_preference, "communication_preference")
    params = JobParams(
        region=bulk.account.region,
        preference=preference,
        default_preference=bulk.api.ctx.settings.default_preference,
    )
    return Plan(operation=Operation.PREFERENCES_SET, params=params)


async def _result(api: Api, account: Account, job: JobRow) -> PreferencesResult:
    default = api.ctx.settings.default_preference
    contacts = await contacts_of(api.ctx.pool, account.id, job.id)
    errors = await errors_of(api.ctx.pool, account.id, job.id)
    return PreferencesResult(
        updated_contacts=[_contact(row, default) for row in contacts],
        errors=[
            PhoneError(
                index=error.index,
                phone_number=phone_of(error.item, otherwise=error.item),
                code=error.code,
                message=error.message,
            )
            for error in errors
        ],
        total_requested=job.total or 0,
        updated_count=succeeded(job),
        error_count=job.failed,
    )


def _contact(row: ContactRow, default: str) -> PreferenceContact:
    fields = row.fields
    return PreferenceContact(
        id=row.id,
        name=fields["name"],
        phone_number=fields["phone"],
        email=fields["email"],
        age=fields["age"],
        gender=fields["gender"],
        language=fields["language"],
        nickname=fields["nickname"],
        opted_out=fields["opted_out"],
        communication_preference=fields["communication_preference"] or default,
        timezone=fields["timezone"],
        metadata=fields["metadata"] or {},
    )


ENDPOINT = PartnerEndpoint(key=ITEMS.key, most=ITEMS.most, body=PreferencesBody, plan=_plan, result=_result)
