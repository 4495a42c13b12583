"""/v1/contacts: single contacts, as in the API of Oliai."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar
from uuid import UUID

from aiohttp import web

from api.endpoint import Unchecked, endpoint
from api.http.contact_view import contact_view
from api.http.context import ACCOUNT, API, changer_of, scope
from api.http.path_id import PathId
from api.http.responses import created, queued, shown
from api.http.views.history_view import history_entry, show_place
from api.http.views.resource_ids import CONTACT, ContactId
from api.openapi import examples
from api.openapi.describe import Response
from api.results.contact_data import stream_data
from schemas.ids import read_channel_id, read_erasure_id, read_id, show_erasure_id, show_id
from schemas.items.properties import Definitions
from schemas.wire.base import Listing
from schemas.wire.contact_bodies import ContactChange, Facts, NewContact
from schemas.wire.contacts import (
    Contact,
    ContactData,
    ContactPage,
    Deleted,
    ErasureView,
    HistoryEntry,
    NotSearched,
)
from schemas.wire.query_models import ContactsQuery, HistoryQuery
from storage.deletion import contact_traces, erasures
from storage.deletion.erasures import Erasure
from storage.entities import channels, contact_search, contacts, properties, teams
from storage.entities.accounts import Account
from storage.entities.contact_columns import ContactRow
from storage.inspection import contact_history
from storage.inspection.contact_history import START, HistoryPlace
from storage.postgres.pool import Conn
from storage.postgres.transactions import transact

Body = TypeVar("Body", bound=ContactChange)
Write = Callable[[Conn, Account, Body], Awaitable[ContactRow]]

ERASURE = PathId(name="erasure", param="erasure_id", read=read_erasure_id, code="unknown_erasure")
ErasureId = Annotated[UUID, ERASURE]


@endpoint(responses={200: ContactPage})
async def list_contacts(request: web.Request, query: ContactsQuery) -> web.Response:
    """List contacts, newest first; `search` finds a text in the name or the phone number."""
    ctx = request.app[API].ctx
    rows, total = await contact_search.page(
        ctx.pool,
        request[ACCOUNT],
        search=query.search,
        size=query.limit,
        skip=(query.page - 1) * query.limit,
    )
    page = ContactPage(
        data=[contact_view(row, ctx.settings) for row in rows],
        total=total,
        page=query.page,
        limit=query.limit,
        total_pages=-(-total // query.limit),
    )
    return shown(page)


@endpoint(responses={200: Contact})
async def get_contact(request: web.Request, contact_id: ContactId) -> web.Response:
    """Get a contact."""
    row = CONTACT.found(request, await contacts.get(*scope(request), contact_id))
    return shown(contact_view(row, request.app[API].ctx.settings))


@endpoint(
    examples={"a contact": examples.CREATE_CONTACT},
    responses={201: Contact},
    errors=(409,),
)
async def create_contact(request: web.Request, body: Unchecked[NewContact]) -> web.Response:
    """Create a contact; 409 if the account already has the phone number."""

    async def insert(conn: Conn, account: Account, wanted: NewContact) -> ContactRow:
        return await contacts.insert(conn, account.id, wanted.columns(), by=changer_of(request))

    contact = await _written(request, body, insert)
    return created(request, contact, contact.id)


@endpoint(
    examples={"a change": examples.UPDATE_CONTACT},
    responses={200: Contact},
    errors=(409,),
)
async def change_contact(
    request: web.Request, contact_id: ContactId, body: Unchecked[ContactChange]
) -> web.Response:
    """Change the given fields, and single keys of the JSON fields; null clears a field or removes a key."""

    async def change(conn: Conn, account: Account, wanted: ContactChange) -> ContactRow:
        row = await contacts.change(conn, account.id, contact_id, wanted.columns(), by=changer_of(request))
        return CONTACT.found(request, row)

    return shown(await _written(request, body, change))


@endpoint(responses={200: Deleted})
async def delete_contact(request: web.Request, contact_id: ContactId) -> web.Response:
    """Delete a contact, and remove it from lists, labels and audiences; the results of jobs are kept."""
    pool, account_id = scope(request)

    async def delete(conn: Conn) -> bool:
        return await contacts.delete(conn, account_id, contact_id, by=changer_of(request))

    done = await transact(pool, delete)
    CONTACT.found(request, done or None)
    return shown(Deleted())


@endpoint(responses={200: Listing[HistoryEntry]})
async def history_of(request: web.Request, contact_id: ContactId, query: HistoryQuery) -> web.Response:
    """List the jobs and the single requests that touched a contact, newest first, with what they changed.

    It also works for a contact that was deleted. A page may be empty although there is a `next_cursor`: it
    has looked through jobs that did not touch the contact.
    """
    after = HistoryPlace(*query.cursor) if query.cursor else START
    entries, end = await contact_history.look(*scope(request), contact_id, after=after)
    if after is START and not entries and end is None:
        CONTACT.found(request, await contacts.get(*scope(request), contact_id))
    views = [history_entry(entry) for entry in entries]
    return shown(Listing[HistoryEntry](data=views, next_cursor=show_place(end) if end else None))


@endpoint(responses={200: Response(model=ContactData)})
async def get_contact_data(request: web.Request, contact_id: ContactId) -> web.StreamResponse:
    """Get all that is stored about a contact: its fields, what it belongs to, what jobs have stored of it.

    The response is streamed. To find the failed items and the kept rows that name the contact, those of all
    jobs of the account are searched, which takes a while where there are many.
    """
    return await stream_data(request, CONTACT.found(request, await contacts.get(*scope(request), contact_id)))


@endpoint(responses={202: ErasureView})
async def erase_contact(request: web.Request, contact_id: ContactId) -> web.Response:
    """Erase a contact, and all that jobs have stored about it: failed items, kept rows, recorded changes.

    It begins when the jobs and resumable uploads that are there now are over. A repetition returns the same
    erasure.
    """
    erasure = await erasures.request(*scope(request), contact_id)
    return queued(await _erasure_view(request, CONTACT.found(request, erasure)))


@endpoint(responses={200: ErasureView})
async def get_erasure(request: web.Request, erasure_id: ErasureId) -> web.Response:
    """Get an erasure: how far it is, and what it waits for."""
    erasure = await erasures.get(*scope(request), erasure_id)
    return shown(await _erasure_view(request, ERASURE.found(request, erasure)))


async def _written(request: web.Request, body: Unchecked[Body], write: "Write[Body]") -> Contact:
    """Check the body against stored data and write it, in one transaction."""
    ctx, account = request.app[API].ctx, request[ACCOUNT]

    async def check_and_write(conn: Conn) -> ContactRow:
        facts = await _facts(conn, request, body.value)
        return await write(conn, account, body.check(facts))

    return contact_view(await transact(ctx.pool, check_and_write), ctx.settings)


async def _facts(conn: Conn, request: web.Request, value: object) -> Facts:
    """Look up the facts for validation, and lock team and channel against deletion."""
    account = request[ACCOUNT]
    body: dict[str, Any] = value if isinstance(value, dict) else {}
    team_id, channel_id = read_id("team", body.get("teamId")), read_channel_id(body.get("defaultChannelId"))
    if team_id is not None and not await teams.lock_shared(conn, account.id, team_id):
        team_id = None
    if channel_id is not None and not await channels.lock_shared(conn, account.id, channel_id):
        channel_id = None
    definitions = await properties.definitions(conn, account.id) if body.get("properties") else []
    return Facts(
        region=account.region,
        preferences=request.app[API].ctx.settings.communication_preferences,
        team_id=team_id,
        channel_id=channel_id,
        definitions=Definitions(definitions),
    )


async def _erasure_view(request: web.Request, erasure: Erasure) -> ErasureView:
    waits_for = None
    if erasure.state == "waiting":
        left = await contact_traces.unended(*scope(request), erasure.created_at)
        waits_for = NotSearched(jobs=left.jobs, uploads=left.uploads) if any(left) else None
    return ErasureView(
        id=show_erasure_id(erasure.id),
        contact_id=show_id("ctc", erasure.contact_id),
        state=erasure.state,
        waits_for=waits_for,
        checked=erasure.checked,
        erased=erasure.erased,
        created_at=erasure.created_at,
        finished_at=erasure.finished_at,
    )
