"""/v1/contact-lists: named sets of contacts."""

from aiohttp import web

from api.actions import resource_actions
from api.endpoint import endpoint
from api.http.context import scope
from api.http.responses import created, page_of, shown
from api.http.views.resource_ids import LIST, ListId
from api.http.views.resource_views import list_view
from schemas.wire.base import Listing
from schemas.wire.query_models import ListsQuery
from schemas.wire.resource_bodies import NameBody
from schemas.wire.resources import ContactList
from storage.entities import contact_lists


@endpoint(responses={201: ContactList}, errors=(409,))
async def create_list(request: web.Request, body: NameBody) -> web.Response:
    """Create a contact list, in the state `active`."""
    view = await resource_actions.create_list(*scope(request), body)
    return created(request, view, view.id)


@endpoint(responses={200: Listing[ContactList]})
async def list_lists(request: web.Request, query: ListsQuery) -> web.Response:
    """List the active contact lists, or the archived ones, in the order of creation."""
    views = await resource_actions.page_of_lists(*scope(request), query)
    return page_of(views, query.limit, lambda view: view.id)


@endpoint(responses={200: ContactList})
async def get_list(request: web.Request, list_id: ListId) -> web.Response:
    """Get a contact list."""
    row = await contact_lists.get(*scope(request), list_id)
    return shown(list_view(LIST.found(request, row)))


@endpoint(responses={200: ContactList}, errors=(409,))
async def rename_list(request: web.Request, list_id: ListId, body: NameBody) -> web.Response:
    """Rename a contact list."""
    row = await contact_lists.rename(*scope(request), list_id, name=body.name)
    return shown(list_view(LIST.found(request, row)))


@endpoint(responses={200: ContactList})
async def archive_list(request: web.Request, list_id: ListId) -> web.Response:
    """Archive a contact list: it keeps its contacts and accepts no more. An archived list stays as it is."""
    row = await contact_lists.archive(*scope(request), list_id)
    return shown(list_view(LIST.found(request, row)))


@endpoint(responses={200: ContactList})
async def unarchive_list(request: web.Request, list_id: ListId) -> web.Response:
    """Make a contact list active again. An active list stays as it is."""
    row = await contact_lists.unarchive(*scope(request), list_id)
    return shown(list_view(LIST.found(request, row)))
