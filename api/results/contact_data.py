"""Stream all that is stored about one contact as a JSON object, in constant memory."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from aiohttp import web
from pydantic_core import to_json

from api.http.contact_view import contact_view
from api.http.context import API, STREAMING, scope, stream_headers
from api.http.job_view import error_view
from api.http.memory import SHARE
from api.http.views.resource_views import audience_view, label_view, list_view, opt_in_view
from schemas.ids import show_id, show_job_id
from schemas.wire.contacts import (
    NotSearched,
    TracedChangeView,
    TracedErrorView,
    TracedResultView,
    TracedRowView,
)
from storage.deletion import contact_traces, image_traces
from storage.deletion.contact_traces import START, After
from storage.deletion.identifiers import Identifiers
from storage.deletion.image_traces import TracedChange
from storage.entities import audiences, contact_lists, labels, opt_ins
from storage.entities.contact_columns import ContactRow

Row = TypeVar("Row")
Views = AsyncIterator[Sequence[Any]]  # pages of them
PAGE = 100  # resources that are read at once
DATA_BYTES = 4 * 1024**2  # in memory, at most: a kept part, with its records


async def stream_data(request: web.Request, contact: ContactRow) -> web.StreamResponse:
    """Stream what is stored about a contact."""
    request[SHARE].reach(DATA_BYTES)
    name = f"{show_id('ctc', contact.id)}-data.json"
    response = web.StreamResponse(
        headers={
            "Content-Type": "application/json; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
            **stream_headers(request),
        }
    )
    request[STREAMING] = True
    await response.prepare(request)
    if request.method == "HEAD":
        return response  # aiohttp would send what is written
    begun = datetime.now(UTC)
    await response.write(b'{"contact":' + _json(contact_view(contact, request.app[API].ctx.settings)))
    for field, pages in _lists(request, contact):
        await _write_list(response, field, pages)
    left = await contact_traces.unended(*scope(request), begun)
    await response.write(b',"not_searched":' + _json(NotSearched(jobs=left.jobs, uploads=left.uploads)))
    await response.write(b"}")
    await response.write_eof()
    return response


async def _write_list(response: web.StreamResponse, field: str, pages: Views) -> None:
    first = True
    await response.write(f',"{field}":['.encode())
    async for page in pages:
        if page:
            text = b",".join(map(_json, page))
            await response.write(text if first else b"," + text)
            first = False
    await response.write(b"]")


def _lists(request: web.Request, contact: ContactRow) -> list[tuple[str, Views]]:
    """Return the lists of the response, each with its pages."""
    known = Identifiers.of(
        contact.id, [(name, contact.fields[name]) for name in ("phone", "external_id", "email")]
    )
    return [
        ("lists", _owners(request, contact, contact_lists.of_contact, list_view)),
        ("labels", _owners(request, contact, labels.of_contact, label_view)),
        ("audiences", _owners(request, contact, audiences.of_contact, audience_view)),
        ("opt_ins", _opt_ins(request, contact)),
        ("recorded_changes", _recorded_changes(request, contact)),
        ("changes", _changes(request, contact)),
        ("results", _results(request, contact)),
        ("errors", _errors(request, known)),
        ("rows", _rows(request, known)),
    ]


async def _owners(
    request: web.Request,
    contact: ContactRow,
    of_contact: Callable[..., Awaitable[list[Any]]],
    view: Callable[[Any], Any],
) -> Views:
    after, more = 0, True
    while more:
        rows = await of_contact(*scope(request), contact.id, after=after, size=PAGE)
        yield list(map(view, rows))
        more = len(rows) == PAGE
        after = rows[-1].id if rows else after


async def _opt_ins(request: web.Request, contact: ContactRow) -> Views:
    after, more = None, True
    while more:
        rows = await opt_ins.page(*scope(request), contact.id, after=after, size=PAGE)
        yield list(map(opt_in_view, rows))
        more = len(rows) == PAGE
        after = rows[-1].channel_id if rows else after


async def _recorded_changes(request: web.Request, contact: ContactRow) -> Views:
    yield await contact_traces.changes(*scope(request), contact.id)


async def _changes(request: web.Request, contact: ContactRow) -> Views:
    number: int | None = -1
    while number is not None:
        async with request.app[API].pages:
            some = await image_traces.single_changes(*scope(request), contact.id, number)
        changes, number = some or ([], None)
        yield list(map(_change_view, changes))
    after: After | None = START
    while after is not None:
        async with request.app[API].pages:
            page = await image_traces.images(*scope(request), after, contact.id)
        changes, after = page or ([], None)
        yield list(map(_change_view, changes))


def _change_view(change: TracedChange) -> TracedChangeView:
    return TracedChangeView(
        job_id=show_job_id(change.job_id) if change.job_id else None,
        field=change.field,
        at=change.at,
        old=change.old,
        new=change.new,
    )


async def _results(request: web.Request, contact: ContactRow) -> Views:
    after: After | None = START
    while after is not None:
        async with request.app[API].pages:
            page = await contact_traces.results(*scope(request), after, contact.id)
        found, after = page or ([], None)
        yield [
            TracedResultView(job_id=show_job_id(one.job_id), index=one.index, outcome=one.outcome.word)
            for one in found
        ]


async def _errors(request: web.Request, known: Identifiers) -> Views:
    after: After | None = START
    while after is not None:
        async with request.app[API].pages:
            items = await contact_traces.failed_items(*scope(request), after)
        after = After(items[-1].job_id, items[-1].error.index) if items else None
        yield [
            TracedErrorView(job_id=show_job_id(item.job_id), **error_view(item.error).model_dump())
            for item in contact_traces.with_traces(items, known)
        ]


async def _rows(request: web.Request, known: Identifiers) -> Views:
    after: After | None = START
    while after is not None:
        async with request.app[API].pages:
            kept = await contact_traces.next_kept_part(*scope(request), after, known)
        after = After(kept.job_id, kept.part) if kept else None
        yield (
            [
                TracedRowView(job_id=show_job_id(kept.job_id), index=record.index, item=record.item)
                for record in (kept.traces if kept else ())
            ]
            if kept
            else []
        )


def _json(value: Any) -> bytes:
    return to_json(value, by_alias=True)
