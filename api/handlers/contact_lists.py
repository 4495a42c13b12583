"""/v1/contact-lists: named sets of contacts."""

from functools import partial

from aiohttp import web

from api.http.paging import page_of
from api.http.resource import Noun, created, read_columns, scope, shown
from api.http.validation import read_query
from api.openapi.describe import Response, describe
from schemas.ids import read_id
from schemas.wire.base import Listing
from schemas.wire.queries import ListsQuery, NoQuery
from schemas.wire.resource_bodies import Named
from schemas.wire.resources import ContactList
from storage.entities import contact_lists

LIST = Noun(name="contact list", param="list_id", read=partial(read_id, "lst"), code="unknown_list")


@describe(body=Named, responses={201: Response(model=ContactList, headers=("Location",))}, errors=(409,))
async def create_list(request: web.Request) -> web.Response:
    """Create a contact list; it is active."""
    columns = await read_columns(request, Named)
    made = ContactList.of(await contact_lists.create(*scope(request), **columns))
    return created(request, made, made.id)


@describe(query=ListsQuery, responses={200: Listing[ContactList]})
async def list_lists(request: web.Request) -> web.Response:
    """The active contact lists in the order in which they were made; or the archived ones."""
    query = read_query(request, ListsQuery)
    rows = await contact_lists.page(
        *scope(request), archived=query.archived, after=query.cursor or 0, size=query.limit + 1
    )
    return page_of([ContactList.of(row) for row in rows], query.limit, lambda one: one.id)


@describe(query=NoQuery, responses={200: ContactList})
async def get_list(request: web.Request) -> web.Response:
    """One contact list."""
    row = await contact_lists.get(*scope(request), LIST.id_alone(request))
    return shown(ContactList.of(LIST.found(request, row)))


@describe(body=Named, responses={200: ContactList}, errors=(409,))
async def rename_list(request: web.Request) -> web.Response:
    """Give a contact list another name."""
    id_ = LIST.id_in(request)
    columns = await read_columns(request, Named)
    row = await contact_lists.rename(*scope(request), id_, **columns)
    return shown(ContactList.of(LIST.found(request, row)))


@describe(query=NoQuery, responses={200: ContactList})
async def archive_list(request: web.Request) -> web.Response:
    """Archive a contact list: it keeps its contacts, and takes no more. Twice is as good as once."""
    row = await contact_lists.archive(*scope(request), LIST.id_alone(request))
    return shown(ContactList.of(LIST.found(request, row)))


@describe(query=NoQuery, responses={200: ContactList})
async def unarchive_list(request: web.Request) -> web.Response:
    """Make a contact list active again. Twice is as good as once."""
    row = await contact_lists.unarchive(*scope(request), LIST.id_alone(request))
    return shown(ContactList.of(LIST.found(request, row)))
