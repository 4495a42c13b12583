"""Check a bulk request of a partner's API: a bounded JSON body with an array of items."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from api.accept.accept import BulkRequest, Plan, ResultBody
from api.accept.body import JobPart, RequestBody, open_body
from api.http.body_stream import read_whole
from api.http.context import REFUSAL_STATUS
from api.http.validation import MAX_PROBLEMS, MAX_VALUES, all_of, parse_query, problems_of, require_json
from schemas.errors import NotAcceptable
from schemas.formats import ndjson
from schemas.formats.json_array import JsonEnvelope, open_array
from schemas.formats.json_text import has_more_values
from schemas.items.faults import Fault
from schemas.items.reader import Reader
from schemas.wire.query_models import NoQuery

Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerEndpoint(Generic[Body]):
    """A bulk endpoint of a partner's API.

    `key` names the array of items, `most` is the largest number of items, `body` is the model of the other
    members. `plan` returns None if the problems of the request prevent a plan; it raises NotFound. `reader`:
    if it cannot read an item, the whole request is rejected instead of the item.
    """

    key: str
    most: int
    body: type[Body]
    plan: "Callable[[PartnerRequest[Body]], Awaitable[Plan | None]]"
    result: ResultBody
    refusal_status: int | None = None  # of a request that is not acceptable; None: 422
    reader: Reader | None = None


class PartnerRequest(BulkRequest, Generic[Body]):
    """A request to a partner's endpoint.

    `given` has the members besides the items, `body` has them as the endpoint's model; None: they are wrong.
    """

    def __init__(self, request: web.Request, endpoint: PartnerEndpoint[Body]) -> None:
        super().__init__(request)
        self.result = endpoint.result
        self.given: Mapping[str, Any] = {}
        self.body: Body | None = None
        self._endpoint = endpoint
        self._text = b""
        self._parts: tuple[bytes, ...] = ()

    async def open(self) -> RequestBody:
        """Read the whole body. Raises UnsupportedFormat and what its pieces raise."""
        require_json(self.request)
        body = await open_body(self.request, self.api.ctx.settings)
        assert body.pieces is not None
        self._text = await read_whole(body.pieces)
        return body

    async def plan(self) -> Plan:
        """Check the request. Raises MalformedBody, BodyTooLarge, NotFound, NotAcceptable (every problem)."""
        endpoint = self._endpoint
        envelope = await self._open_envelope()
        _, problems = parse_query(self.request.query, NoQuery)
        self.problems += [*problems, *envelope.problems, *self._of_length(envelope.total)]
        if not self.problems:
            self.problems += await asyncio.to_thread(self._of_items, envelope.parts)
        self._parts = envelope.parts
        self.given = envelope.other
        self.body = self._parse()
        plan = await endpoint.plan(self)
        if self.problems or plan is None:
            if endpoint.refusal_status is not None:
                self.request[REFUSAL_STATUS] = endpoint.refusal_status
            raise all_of(self.problems)
        return plan

    async def parts(self) -> AsyncIterator[JobPart]:
        """Yield the items as NDJSON."""
        for data in self._parts:
            yield JobPart(data=data)

    async def _open_envelope(self) -> JsonEnvelope:
        fields = self._endpoint.body.model_fields
        return await asyncio.to_thread(
            open_array,
            self._text,
            max_items=self.api.ctx.settings.max_json_items,
            key=self._endpoint.key,
            parameters=[field.alias or name for name, field in fields.items()],
        )

    def _parse(self) -> Body | None:
        try:
            return self._endpoint.body.model_validate(self.given)
        except ValidationError as error:
            self.problems += problems_of(error)
            return None

    def _of_length(self, total: int) -> list[NotAcceptable]:
        key, most = self._endpoint.key, self._endpoint.most
        if total <= most:
            return []
        message = f"{key} has {total} entries and may have {most}: send the rest in a further request"
        return [NotAcceptable(message, code="too_many_items", param=key)]

    def _of_items(self, parts: Iterable[bytes]) -> list[NotAcceptable]:
        return list(islice(self._unreadable(parts), MAX_PROBLEMS))

    def _unreadable(self, parts: Iterable[bytes]) -> Iterator[NotAcceptable]:
        key, reader = self._endpoint.key, self._endpoint.reader
        if reader is None:
            return
        for index, line in enumerate(chain.from_iterable(map(ndjson.lines, parts))):
            place = f"{key}[{index}]"
            # reading a line is one step, and no other request is served meanwhile
            if len(line) > MAX_VALUES and has_more_values(line, MAX_VALUES):
                message = f"{place} has more than {MAX_VALUES} values: send the id of a contact"
                yield NotAcceptable(message, code="record_too_large", param=place)
            elif isinstance(item := reader.read_line(line), Fault):
                yield NotAcceptable(item.message, code=item.code, param=place)
