"""/v1/contacts: single contacts, as in the API of Oliai."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiohttp import web

from api.endpoint import Unchecked, endpoint
from api.http.contact_view import contact_view
from api.http.context import ACCOUNT, API, changer_of, scope
from api.http.responses import created, shown
from api.http.views.history_view import history_entry, show_place
from api.http.views.resource_ids import CONTACT, ContactId
from api.openapi import examples
from schemas.ids import read_channel_id, read_id
from schemas.items.properties import Definitions
from schemas.wire.base import Listing
from schemas.wire.contact_bodies import ContactChange, Facts, NewContact
from schemas.wire.contacts import Contact, ContactPage, Deleted, HistoryEntry
from schemas.wire.query_models import ContactsQuery, HistoryQuery
from storage.entities import channels, contact_search, contacts, properties, teams
from storage.entities.accounts import Account
from storage.entities.contact_columns import ContactRow
from storage.inspection import contact_history
from storage.inspection.contact_history import START, HistoryPlace
from storage.postgres.pool import Conn
from storage.postgres.transactions import transact

Body = TypeVar("Body", bound=ContactChange)
Write = Callable[[Conn, Account, Body], Awaitable[ContactRow]]


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
