"""/v1/teams: the teams that labels and contacts belong to."""

from aiohttp import web

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
    view = team_view(await teams.create(*scope(request), name=body.name))
    return created(request, view, view.id)


@endpoint(responses={200: Listing[Team]})
async def list_teams(request: web.Request, query: TeamsQuery) -> web.Response:
    """List the teams in the order of creation."""
    rows = await teams.page(*scope(request), after=query.cursor or 0, size=query.limit + 1)
    return page_of([team_view(row) for row in rows], query.limit, lambda view: view.id)


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
