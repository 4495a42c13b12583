"""/v1/teams: the teams that labels and contacts belong to."""

from aiohttp import web

from api.actions import resource_actions
from api.endpoint import endpoint
from api.http.context import scope
from api.http.responses import created, deleted, page_of, shown
from api.http.views.resource_ids import TEAM, TeamId
from api.http.views.resource_views import team_view
from schemas.wire.base import Listing
from schemas.wire.query_models import TeamsQuery
from schemas.wire.resource_bodies import NameBody
from schemas.wire.resources import Team
from storage.entities import teams


@endpoint(responses={201: Team}, errors=(409,))
async def create_team(request: web.Request, body: NameBody) -> web.Response:
    """Create a team."""
    view = await resource_actions.create_team(*scope(request), body)
    return created(request, view, view.id)


@endpoint(responses={200: Listing[Team]})
async def list_teams(request: web.Request, query: TeamsQuery) -> web.Response:
    """List the teams in the order of creation."""
    views = await resource_actions.page_of_teams(*scope(request), query)
    return page_of(views, query.limit, lambda view: view.id)


@endpoint(responses={200: Team})
async def get_team(request: web.Request, team_id: TeamId) -> web.Response:
    """Get a team."""
    row = await teams.get(*scope(request), team_id)
    return shown(team_view(TEAM.found(request, row)))


@endpoint(responses={200: Team}, errors=(409,))
async def rename_team(request: web.Request, team_id: TeamId, body: NameBody) -> web.Response:
    """Rename a team."""
    row = await teams.rename(*scope(request), team_id, name=body.name)
    return shown(team_view(TEAM.found(request, row)))


@endpoint(responses={204: None}, errors=(409,))
async def delete_team(request: web.Request, team_id: TeamId) -> web.Response:
    """Delete a team; 409 if a label or a contact belongs to it."""
    return deleted(request, TEAM, await teams.delete(*scope(request), team_id))
