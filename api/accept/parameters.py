"""A native bulk request: check all parameters of its query at once, and plan its job."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from aiohttp import web
from multidict import MultiMapping

from api.accept.accept import BulkRequest, Plan
from api.accept.body import JobPart, RequestBody, cut_parts, open_body
from api.accept.targets import NamedChannel, audience_of, channels_of, check_preference, label_of, list_of
from api.http.validation import parse_query
from schemas.errors import NotAcceptable, NotFound
from schemas.formats.content_type import Format
from schemas.formats.csv_header import UnknownColumns
from schemas.operations import BULK_OPERATIONS, OPERATIONS, JobParams, Operation
from schemas.wire.bulk_query import BulkQuery

RENAME = "map."


class NativeRequest(BulkRequest):
    """A request with the parameters in the query; `operation` is the name of its operation.

    `stored` has the bytes of a body that arrived before; None: it arrives with this request.
    """

    _operation: Operation
    _parameters: "Parameters"
    _body: RequestBody

    def __init__(
        self, request: web.Request, operation: str, stored: AsyncIterator[bytes] | None = None
    ) -> None:
        super().__init__(request)
        self._name = operation
        self._stored = stored

    async def open(self) -> RequestBody:
        """Read the query and open the body."""
        self._operation = _operation(self._name)
        self._parameters = read_parameters(self._operation, self.request.query)
        sheet = self._parameters.query.sheet
        self._body = await open_body(self.request, self.api.ctx.settings, sheet, self._stored)
        return self._body

    async def plan(self) -> Plan:
        """Check the query and plan the job."""
        parameters, format_ = self._parameters, self._body.format
        self.problems += parameters.problems
        self.problems += check_columns(parameters, format_)
        return await plan_native(self, self._operation, parameters.query, format_)

    def parts(self) -> AsyncIterator[JobPart]:
        """Cut the body into parts."""
        assert self._body.pieces is not None
        return cut_parts(
            self._body.pieces,
            self._body.format,
            self._operation,
            settings=self.api.ctx.settings,
            renames=self._parameters.renames,
            unknown_columns=self._parameters.query.unknown_columns,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The parameters of a query as far as they can be read, and the problems of the others."""

    query: BulkQuery
    renames: Mapping[str, str]
    problems: list[NotAcceptable]


def read_parameters(operation: Operation, given: MultiMapping[str]) -> Parameters:
    """Read the parameters, and collect every problem."""
    traits = OPERATIONS[operation]
    query, problems = parse_query(given, BulkQuery, known=traits.parameters, free=f"{RENAME}<column>")
    assert query is not None  # every parameter has a default
    renames = {name.removeprefix(RENAME): value for name, value in given.items() if name.startswith(RENAME)}
    needs = traits.needs
    if needs is not None and not given.get(needs):
        message = f"{operation} needs the parameter {needs}, as in ?{needs}=…"
        problems.append(NotAcceptable(message, code="missing_parameter", param=needs))
    return Parameters(query=query, renames=renames, problems=problems)


def check_columns(parameters: Parameters, format_: Format) -> list[NotAcceptable]:
    """Return the problems of parameters for the columns of a CSV file, if the body is none."""
    if format_ is Format.CSV:
        return []
    if not parameters.renames:
        return []
    # a field would be lost silently
    message = "only a CSV file has columns to rename: use the names of the fields in JSON items"
    return [NotAcceptable(message, param=f"{RENAME}{next(iter(parameters.renames))}")]


async def plan_native(bulk: BulkRequest, operation: Operation, query: BulkQuery, format_: Format) -> Plan:
    """Plan the job of a query. Raises NotFound, and NotAcceptable with every problem of the request."""
    params = JobParams(
        region=query.region or bulk.account.region,
        match_on=query.match_on,
        date_format=query.date_format,
        list_id=await list_of(bulk, query.list_id) if query.list_id else None,
        label_id=await label_of(bulk, query.label_id) if query.label_id else None,
        audience_id=await audience_of(bulk, query.audience_id) if query.audience_id else None,
        preference=check_preference(bulk, query.preference, "preference") if query.preference else None,
        default_preference=bulk.api.ctx.settings.default_preference if query.preference else None,
        channels=await channels_of(bulk, _named(query), all_=_all_channels(operation, query)),
        override_opt_outs=query.override_opt_outs,
        max_errors=query.max_errors,
        unknown_columns=_unknown_columns(query, format_),
    )
    bulk.refuse_problems()
    return Plan(
        operation=operation,
        params=params,
        name=query.name,
        tags=query.tags,
        format=format_,
        parallel=query.parallel,
        dry_run=query.dry_run,
    )


def _unknown_columns(query: BulkQuery, format_: Format) -> UnknownColumns:
    """Return what the job must know: the columns of a CSV file that are left out are in its layout."""
    is_in_layout = format_ is Format.CSV and query.unknown_columns == "ignore"
    return "refuse" if is_in_layout else query.unknown_columns


def _named(query: BulkQuery) -> list[NamedChannel]:
    """Return the channels that the query names, each by its id or its phone."""
    return [NamedChannel(param="opt_in_to", id=text) for text in query.opt_in_to or ()]


def _all_channels(operation: Operation, query: BulkQuery) -> bool:
    """Return whether to opt in to all channels: by default, if the operation opts in and none is named."""
    if "opt_in_to_all_channels" not in OPERATIONS[operation].takes:
        return False
    if query.opt_in_to_all_channels is None:
        return query.opt_in_to is None
    return query.opt_in_to_all_channels


def _operation(name: str) -> Operation:
    if name in BULK_OPERATIONS:
        return Operation(name)
    known = ", ".join(BULK_OPERATIONS)
    raise NotFound(f"{name!r} is not an operation: use one of {known}", code="unknown_operation")
