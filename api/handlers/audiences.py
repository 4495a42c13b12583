"""/v1/audiences: sets of contacts to send to."""

from aiohttp import web

from api.actions import resource_actions
from api.endpoint import endpoint
from api.http.context import scope
from api.http.responses import created, deleted, page_of, shown
from api.http.views.resource_ids import AUDIENCE, AudienceId
from api.http.views.resource_views import audience_view
from schemas.wire.base import Listing
from schemas.wire.query_models import AudiencesQuery
from schemas.wire.resource_bodies import NameBody
from schemas.wire.resources import Audience
from storage.entities import audiences


@endpoint(responses={201: Audience}, errors=(409,))
async def create_audience(request: web.Request, body: NameBody) -> web.Response:
    """Create an audience."""
    view = await resource_actions.create_audience(*scope(request), body)
    return created(request, view, view.id)


@endpoint(responses={200: Listing[Audience]})
async def list_audiences(request: web.Request, query: AudiencesQuery) -> web.Response:
    """List the audiences in the order of creation."""
    views = await resource_actions.page_of_audiences(*scope(request), query)
    return page_of(views, query.limit, lambda view: view.id)


@endpoint(responses={200: Audience})
async def get_audience(request: web.Request, audience_id: AudienceId) -> web.Response:
    """Get an audience."""
    row = await audiences.get(*scope(request), audience_id)
    return shown(audience_view(AUDIENCE.found(request, row)))


@endpoint(responses={200: Audience}, errors=(409,))
async def rename_audience(request: web.Request, audience_id: AudienceId, body: NameBody) -> web.Response:
    """Rename an audience."""
    row = await audiences.rename(*scope(request), audience_id, name=body.name)
    return shown(audience_view(AUDIENCE.found(request, row)))


@endpoint(responses={204: None})
async def delete_audience(request: web.Request, audience_id: AudienceId) -> web.Response:
    """Delete an audience; its contacts stay."""
    return deleted(request, AUDIENCE, await audiences.delete(*scope(request), audience_id))
