"""POST /v1/bulk/{operation}: the native endpoint, for a body of any size."""

from collections.abc import AsyncIterator

from aiohttp import web

from api.accept.accept import BulkRequest, Plan, accept_request
from api.accept.body import JobPart, RequestBody, cut_parts, open_body
from api.accept.parameters import Parameters, check_columns, plan_native, read_parameters
from api.openapi.describe import describe
from api.openapi.native import described
from schemas.errors import NotFound
from schemas.operations import Operation


@describe(name="bulk", **described())
async def submit(request: web.Request) -> web.Response:
    """Accept a job: 202 with the job; with `Prefer: wait=S` 200 or 207 if it ends in time."""
    return await accept_request(NativeRequest(request))


class NativeRequest(BulkRequest):
    """A request with the operation in the path and the parameters in the query."""

    _operation: Operation
    _parameters: Parameters
    _body: RequestBody

    async def open(self) -> RequestBody:
        """Read the query and open the body."""
        self._operation = _operation(self.request.match_info["operation"])
        self._parameters = read_parameters(self._operation, self.request.query)
        self._body = await open_body(self.request, self.api.ctx.settings, self._parameters.query.sheet)
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


def _operation(name: str) -> Operation:
    if name in list(Operation):
        return Operation(name)
    known = ", ".join(Operation)
    raise NotFound(f"{name!r} is not an operation: use one of {known}", code="unknown_operation")
