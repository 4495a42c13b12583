"""Members of lists, labels and audiences; labels, lists, audiences and opt-ins of a contact."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from api.endpoint import endpoint
from api.http.contact_view import contact_view
from api.http.context import API, changer_of, scope
from api.http.path_id import PathId
from api.http.responses import page_of, shown
from api.http.views.resource_ids import (
    AUDIENCE,
    CHANNEL,
    CONTACT,
    LABEL,
    LIST,
    AudienceId,
    ChannelId,
    ContactId,
    KnownContactId,
    LabelId,
    ListId,
)
from api.http.views.resource_views import audience_view, label_view, list_view, opt_in_view
from schemas.errors import Conflict
from schemas.ids import AccountId
from schemas.wire.base import Listing
from schemas.wire.contacts import Contact
from schemas.wire.query_models import (
    AudiencesOfQuery,
    LabelsOfQuery,
    ListsOfQuery,
    MembersQuery,
    OptInsQuery,
)
from schemas.wire.resource_bodies import OptInBody
from schemas.wire.resources import Audience, ContactList, Label, OptIn
from storage.entities import (
    audiences,
    channels,
    contact_lists,
    contacts,
    labels,
    memberships,
    opt_ins,
)
from storage.entities.contact_columns import ContactRow
from storage.entities.memberships import Kind
from storage.entities.opt_ins import OptInRow
from storage.postgres.pool import Conn, Pool
from storage.postgres.transactions import transact

Get = Callable[[Pool, AccountId, int], Awaitable[object]]

SLICE = 100  # contacts per statement, so that large contacts do not fill the memory
ENOUGH = 4 * 1024**2  # characters of JSON fields after which a page ends early


@endpoint(responses={200: Listing[Contact]})
async def list_members(request: web.Request, list_id: ListId, query: MembersQuery) -> web.Response:
    """List the contacts of a list, active or archived, in the order of their ids."""
    return await _members(request, query, "list", LIST, list_id, contact_lists.get)


@endpoint(responses={200: Listing[Contact]})
async def label_members(request: web.Request, label_id: LabelId, query: MembersQuery) -> web.Response:
    """List the contacts that have a label, in the order of their ids."""
    return await _members(request, query, "label", LABEL, label_id, labels.get)


@endpoint(responses={200: Listing[Contact]})
async def audience_members(
    request: web.Request, audience_id: AudienceId, query: MembersQuery
) -> web.Response:
    """List the contacts of an audience, in the order of their ids."""
    return await _members(request, query, "audience", AUDIENCE, audience_id, audiences.get)


@endpoint(responses={200: Listing[Label]})
async def labels_of(request: web.Request, contact_id: KnownContactId, query: LabelsOfQuery) -> web.Response:
    """List the labels of a contact, in the order of their ids."""
    rows = await labels.of_contact(*scope(request), contact_id, after=query.cursor, size=query.limit + 1)
    return page_of([label_view(row) for row in rows], query.limit, lambda view: view.id)


@endpoint(responses={200: Listing[ContactList]})
async def lists_of(request: web.Request, contact_id: KnownContactId, query: ListsOfQuery) -> web.Response:
    """List the lists of a contact, active or archived, in the order of their ids."""
    rows = await contact_lists.of_contact(
        *scope(request), contact_id, after=query.cursor, size=query.limit + 1
    )
    return page_of([list_view(row) for row in rows], query.limit, lambda view: view.id)


@endpoint(responses={200: Listing[Audience]})
async def audiences_of(
    request: web.Request, contact_id: KnownContactId, query: AudiencesOfQuery
) -> web.Response:
    """List the audiences of a contact, in the order of their ids."""
    rows = await audiences.of_contact(*scope(request), contact_id, after=query.cursor, size=query.limit + 1)
    return page_of([audience_view(row) for row in rows], query.limit, lambda view: view.id)


@endpoint(responses={200: Listing[OptIn]})
async def opt_ins_of(request: web.Request, contact_id: KnownContactId, query: OptInsQuery) -> web.Response:
    """List the opt-ins and opt-outs of a contact, in the order of the channels' ids."""
    rows = await opt_ins.page(*scope(request), contact_id, after=query.cursor, size=query.limit + 1)
    return page_of([opt_in_view(row) for row in rows], query.limit, lambda view: view.channel_id)


@endpoint(
    examples={"an opt-out of the contact's own": {"opted_in": False, "by": "contact"}},
    responses={200: OptIn},
    errors=(409,),
)
async def put_opt_in(
    request: web.Request, contact_id: ContactId, channel_id: ChannelId, body: OptInBody
) -> web.Response:
    """Record an opt-in or an opt-out; only the contact itself can revoke an opt-out by the contact."""
    pool, account_id = scope(request)
    by = changer_of(request)

    async def put(conn: Conn) -> OptInRow:
        has_channel = await channels.lock_shared(
            conn, account_id, channel_id
        )  # lock channels before contacts
        CONTACT.found(request, await contacts.lock_shared(conn, account_id, contact_id, by=by) or None)
        CHANNEL.found(request, has_channel or None)
        values = {"opted_in": body.opted_in, "by_contact": body.by == "contact"}
        return await opt_ins.put(conn, account_id, contact_id, channel_id, **values)

    row = await transact(pool, put)
    if body.opted_in and not row.opted_in:
        raise Conflict(
            'the contact itself has opted out: only the contact can opt in again, with "by": "contact"',
            code="contact_opted_out",
            param="opted_in",
        )
    return shown(opt_in_view(row))


async def _members(
    request: web.Request, query: MembersQuery, kind: Kind, owner: PathId[int], owner_id: int, get: Get
) -> web.Response:
    """Return a page of members; it ends early if the contacts are large."""
    owner.found(request, await get(*scope(request), owner_id))
    rows, more = await _slices(*scope(request), kind, owner_id, after=query.cursor, limit=query.limit)
    settings = request.app[API].ctx.settings
    views = [contact_view(row, settings) for row in rows]
    return shown(Listing[Contact](data=views, next_cursor=views[-1].id if more else None))


async def _slices(
    pool: Pool, account_id: AccountId, kind: Kind, owner_id: int, *, after: int, limit: int
) -> tuple[list[ContactRow], bool]:
    """Return up to `limit` members, and whether there are more."""
    rows: list[ContactRow] = []
    characters, more = 0, True
    while more and len(rows) < limit and characters < ENOUGH:
        size = min(SLICE, limit - len(rows))
        found = await memberships.page(pool, account_id, kind, owner_id, after=after, size=size + 1)
        more = len(found) > size
        rows += found[:size]
        characters += sum(row.json_characters for row in found[:size])
        after = rows[-1].id if rows else after
    return rows, more
