"""The way of a bulk request of the four documents: a bounded JSON body with an array of items in it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError

from api.accept.accept import Accepted, feed_parts, receive
from api.accept.body import open_inbound
from api.accept.idempotency import find_earlier, read_key, same_request
from api.accept.plan import Plan, new_job
from api.accept.response import Result, answer_job
from api.http.body_stream import read_whole
from api.http.context import ACCOUNT, API, Api
from api.http.validation import MAX_PROBLEMS, all_of, gathering, problems_of, require_json
from api.http.waiting import wanted_wait
from schemas.errors import NotAcceptable
from schemas.formats import ndjson
from schemas.formats.content_type import Format
from schemas.formats.json_array import JsonEnvelope, open_array
from schemas.items.faults import Fault
from schemas.items.reader import Reader
from storage.entities.accounts import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that is being checked; whoever finds something wrong adds it to the problems."""

    request: web.Request
    api: Api
    account: Account
    given: Mapping[str, Any]  # what came beside the items
    body: Any  # the same as the document's model, or None where it is not one
    problems: list[NotAcceptable]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A bulk endpoint of a document: where its items are, what stands beside them, what becomes of both."""

    key: str
    most: int
    body: type[BaseModel]
    plan: Callable[[Call], Awaitable[Plan | None]]  # None: the problems say why; raises NotFound
    result: Result
    refusal: type[NotAcceptable] = NotAcceptable
    reader: Reader | None = None  # what it cannot read is no item error: the request is refused


async def submit_document(request: web.Request, document: Document) -> web.Response:
    """Accept the job of a document's request, and answer as the document does where it is waited for."""
    api, account = request.app[API], request[ACCOUNT]
    problems = list[NotAcceptable]()
    with gathering(problems):
        key = read_key(request)
    seconds = wanted_wait(request, account)
    require_json(request)
    inbound = await open_inbound(request, api.ctx.settings)
    body = await read_whole(inbound.pieces)
    if not problems and (earlier := await find_earlier(api, account.id, key)):
        again = Accepted(id=same_request(earlier, inbound.fingerprint.digest(), key))
        return await answer_job(request, again, seconds, document.result)
    envelope, plan = await _check(request, document, body, problems)
    job = new_job(request, plan, Format.NDJSON, key)
    accepted = await receive(api, job, inbound.fingerprint, feed_parts(envelope.parts))
    return await answer_job(request, accepted, seconds, document.result)


async def _check(
    request: web.Request, document: Document, body: bytes, problems: list[NotAcceptable]
) -> tuple[JsonEnvelope, Plan]:
    """The items and the plan; raises NotFound, or the document's refusal with every problem."""
    api = request.app[API]
    envelope = await asyncio.to_thread(
        open_array,
        body,
        max_items=api.ctx.settings.max_json_items,
        key=document.key,
        parameters=[field.alias or name for name, field in document.body.model_fields.items()],
    )
    problems += [*_of_query(request), *envelope.problems, *_of_length(document, envelope.total)]
    if not problems:
        problems += islice(_of_items(document, envelope.parts), MAX_PROBLEMS)
    call = Call(
        request=request,
        api=api,
        account=request[ACCOUNT],
        given=envelope.other,
        body=_parse(document.body, envelope.other, problems),
        problems=problems,
    )
    plan = await document.plan(call)
    if problems or plan is None:
        raise all_of(problems, document.refusal)
    return envelope, plan


def _parse(model: type[BaseModel], other: dict[str, Any], problems: list[NotAcceptable]) -> BaseModel | None:
    try:
        return model.model_validate(other)
    except ValidationError as error:
        problems += problems_of(error)
        return None


def _of_query(request: web.Request) -> list[NotAcceptable]:
    return [
        NotAcceptable(
            f"{name!r} is not a parameter of this request: it has none", code="unknown_parameter", param=name
        )
        for name in dict.fromkeys(request.query)
    ]


def _of_items(document: Document, parts: Iterable[bytes]) -> Iterator[NotAcceptable]:
    if document.reader is None:
        return
    for index, line in enumerate(chain.from_iterable(map(ndjson.lines, parts))):
        found = document.reader.read_line(line)
        if isinstance(found, Fault):
            yield NotAcceptable(found.message, code=found.code, param=f"{document.key}[{index}]")


def _of_length(document: Document, total: int) -> list[NotAcceptable]:
    if total <= document.most:
        return []
    message = (
        f"{document.key} has {total} entries, and at most {document.most}: send the rest in a further request"
    )
    return [NotAcceptable(message, code="too_many_items", param=document.key)]
