"""/v1/teams: whom labels and contacts belong to."""

from functools import partial

from aiohttp import web

from api.http.paging import page_of
from api.http.resource import Noun, created, deleted, read_columns, scope, shown
from api.http.validation import read_query
from api.openapi.describe import Response, describe
from schemas.ids import read_id
from schemas.wire.base import Listing
from schemas.wire.queries import NoQuery, TeamsQuery
from schemas.wire.resource_bodies import Named
from schemas.wire.resources import Team
from storage.entities import teams

TEAM = Noun(name="team", param="team_id", read=partial(read_id, "team"), code="unknown_team")


@describe(body=Named, responses={201: Response(model=Team, headers=("Location",))}, errors=(409,))
async def create_team(request: web.Request) -> web.Response:
    """Create a team."""
    columns = await read_columns(request, Named)
    made = Team.of(await teams.create(*scope(request), **columns))
    return created(request, made, made.id)


@describe(query=TeamsQuery, responses={200: Listing[Team]})
async def list_teams(request: web.Request) -> web.Response:
    """The teams in the order in which they were made."""
    query = read_query(request, TeamsQuery)
    rows = await teams.page(*scope(request), after=query.cursor or 0, size=query.limit + 1)
    return page_of([Team.of(row) for row in rows], query.limit, lambda one: one.id)


@describe(query=NoQuery, responses={200: Team})
async def get_team(request: web.Request) -> web.Response:
    """One team."""
    row = await teams.get(*scope(request), TEAM.id_alone(request))
    return shown(Team.of(TEAM.found(request, row)))


@describe(body=Named, responses={200: Team}, errors=(409,))
async def rename_team(request: web.Request) -> web.Response:
    """Give a team another name."""
    id_ = TEAM.id_in(request)
    columns = await read_columns(request, Named)
    row = await teams.rename(*scope(request), id_, **columns)
    return shown(Team.of(TEAM.found(request, row)))


@describe(query=NoQuery, responses={204: None}, errors=(409,))
async def delete_team(request: web.Request) -> web.Response:
    """Delete a team that no label and no contact belongs to."""
    return deleted(request, TEAM, await teams.delete(*scope(request), TEAM.id_alone(request)))
