"""From the query of a native bulk request to a plan: names resolved, all of them the account's own."""

from api.accept.parameters import Parameters
from api.accept.plan import Plan
from api.accept.targets import ChannelName, audience_of, channels_of, check_preference, label_of, list_of
from api.http.context import Api
from api.http.validation import all_of
from schemas.operations import OPERATIONS
from schemas.params import JobParams
from schemas.states import Operation
from schemas.wire.bulk_query import BulkQuery
from storage.entities.accounts import Account


async def plan_native(api: Api, account: Account, operation: Operation, parameters: Parameters) -> Plan:
    """The plan; raises NotFound, and NotAcceptable with every problem."""
    query, problems = parameters.query, parameters.problems
    params = JobParams(
        region=query.region or account.region,
        match_on=query.match_on,
        list_id=await list_of(api, account, query.list_id, problems) if query.list_id else None,
        label_id=await label_of(api, account, query.label_id) if query.label_id else None,
        audience_id=await audience_of(api, account, query.audience_id) if query.audience_id else None,
        preference=check_preference(api, query.preference, "preference", problems)
        if query.preference
        else None,
        default_preference=_default_preference(api, query),
        channels=await channels_of(
            api, account, _named(query), all_=_all_channels(operation, query), problems=problems
        ),
        override_opt_outs=query.override_opt_outs,
    )
    if problems:
        raise all_of(problems)
    return Plan(operation=operation, params=params, parallel=query.parallel, dry_run=query.dry_run)


def _default_preference(api: Api, query: BulkQuery) -> str | None:
    return api.ctx.settings.communication_preferences[0] if query.preference else None


def _named(query: BulkQuery) -> list[ChannelName]:
    """A channel of the query is an id or a phone."""
    return [ChannelName(param="opt_in_to", id=text) for text in query.opt_in_to or ()]


def _all_channels(operation: Operation, query: BulkQuery) -> bool:
    """Unless it is said otherwise: where there is anything to opt in to, and no choice was made."""
    if "opt_in_to_all_channels" not in OPERATIONS[operation].takes:
        return False
    if query.opt_in_to_all_channels is None:
        return query.opt_in_to is None
    return query.opt_in_to_all_channels
