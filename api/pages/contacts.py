"""The contacts: a search, and one contact with what it belongs to and the jobs that name it."""

from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from pydantic_core import to_json

from api.html.render import page
from api.http.contact_view import contact_view
from api.http.context import ACCOUNT, API, scope
from api.http.validation import read_query
from api.http.views.history_view import history_entry
from api.http.views.resource_ids import CONTACT
from api.http.views.resource_views import audience_view, label_view, list_view, opt_in_view
from api.openapi.describe import describe
from schemas.ids import show_id, show_job_id
from schemas.wire.contacts import Contact, HistoryEntry
from schemas.wire.page_queries import ContactPageQuery, ContactsPageQuery
from storage.entities import (
    audiences,
    contact_jobs,
    contact_lists,
    contact_search,
    contacts,
    labels,
    opt_ins,
)
from storage.entities.contact_jobs import LookedAt
from storage.inspection import contact_history

PAGE_SIZE = 20
MOST_CHANGES = 20
SHORT = 80  # characters of a value of a change
MOST_MEMBERSHIPS = 100  # of each kind, on the page of a contact
MEMBERSHIPS: tuple[tuple[str, str, Any, Any], ...] = (
    ("Lists", "/lists", contact_lists.of_contact, list_view),
    ("Labels", "/labels", labels.of_contact, label_view),
    ("Audiences", "/audiences", audiences.of_contact, audience_view),
)
APART = ("properties", "address", "metadata")  # JSON objects, which the page shows key by key


@describe(hidden=True, query=ContactsPageQuery)
async def list_contacts(request: web.Request) -> web.Response:
    """Show the newest contacts, or those that a text finds."""
    query, ctx = read_query(request, ContactsPageQuery), request.app[API].ctx
    rows, total = await contact_search.page(
        ctx.pool, request[ACCOUNT], search=query.search, size=PAGE_SIZE + 1, before=query.cursor
    )
    shown = rows[:PAGE_SIZE]
    search = {"search": query.search} if query.search else {}
    older = {**search, "cursor": show_id("ctc", shown[-1].id)} if len(rows) > PAGE_SIZE else None
    return page(
        request,
        "contacts.html",
        contacts=[contact_view(row, ctx.settings) for row in shown],
        search=query.search,
        total=total,
        total_is_exact=not query.search or total < contact_search.COUNTED,
        first=f"/contacts?{urlencode(search)}" if query.cursor else None,
        older=older and f"/contacts?{urlencode(older)}",
    )


@describe(hidden=True, query=ContactPageQuery)
async def show_contact(request: web.Request) -> web.Response:
    """Show a contact: its fields, memberships and opt-ins, last changes, and the last jobs that name it."""
    query, settings = read_query(request, ContactPageQuery), request.app[API].ctx.settings
    contact_id = await CONTACT.in_path(request)
    contact = contact_view(CONTACT.found(request, await contacts.get(*scope(request), contact_id)), settings)
    after = LookedAt(*query.jobs) if query.jobs else None
    looked = await contact_jobs.look(*scope(request), contact_id, after=after)
    entries, _ = await contact_history.look(*scope(request), contact_id)
    opted = await opt_ins.page(*scope(request), contact_id, after=None, size=MOST_MEMBERSHIPS)
    return page(
        request,
        "contact.html",
        live="/v1/events",
        contact=contact,
        fields=_fields(contact),
        apart=[(name, getattr(contact, name)) for name in APART if getattr(contact, name)],
        memberships=await _memberships(request, contact_id),
        most=MOST_MEMBERSHIPS,
        opt_ins=[opt_in_view(row) for row in opted],
        changes=_changes([history_entry(entry) for entry in entries]),
        jobs=[(show_job_id(job.id), job) for job in looked.found],
        looked=looked.jobs,
        is_newest=after is None,
        partly=looked.end.first_index if looked.end else 0,
        further=looked.end and f"/contacts/{contact.id}?jobs={_place(looked.end)}#jobs",
    )


async def _memberships(request: web.Request, contact_id: int) -> list[tuple[str, str, list[Any]]]:
    """Return the title, the path and the views of each kind of membership."""
    found = []
    for title, path, of_contact, view in MEMBERSHIPS:
        rows = await of_contact(*scope(request), contact_id, after=0, size=MOST_MEMBERSHIPS)
        found.append((title, path, [view(row) for row in rows]))
    return found


def _changes(entries: list[HistoryEntry]) -> list[tuple[HistoryEntry, str, str, str]]:
    """Return the last changes with their entries: a field, and its values as short texts."""
    changes = [
        (entry, change.field, _short(change.old), _short(change.new))
        for entry in entries
        for change in entry.changes
    ]
    return changes[:MOST_CHANGES]


def _short(value: object) -> str:
    """Return a value of a field as text of at most SHORT characters."""
    if value is None:
        return "\N{EM DASH}"
    text = value if isinstance(value, str) else to_json(value).decode()
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}\N{HORIZONTAL ELLIPSIS}"


def _place(end: LookedAt) -> str:
    return f"{show_job_id(end.job_id)}.{end.first_index}"


def _fields(contact: Contact) -> list[tuple[str, object]]:
    """Return the plain fields that have a value; the name and the times are elsewhere on the page."""
    without = {*APART, "name", "id", "organization_id", "created_at", "updated_at"}
    values = [(name, getattr(contact, name)) for name in Contact.model_fields if name not in without]
    return [(name, value) for name, value in values if value is not None]
