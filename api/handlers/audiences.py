"""/v1/audiences: sets of contacts to send to."""

from functools import partial

from aiohttp import web

from api.http.paging import page_of
from api.http.resource import Noun, created, deleted, read_columns, scope, shown
from api.http.validation import read_query
from api.openapi.describe import Response, describe
from schemas.ids import read_id
from schemas.wire.base import Listing
from schemas.wire.queries import AudiencesQuery, NoQuery
from schemas.wire.resource_bodies import Named
from schemas.wire.resources import Audience
from storage.entities import audiences

AUDIENCE = Noun(name="audience", param="audience_id", read=partial(read_id, "aud"), code="unknown_audience")


@describe(body=Named, responses={201: Response(model=Audience, headers=("Location",))}, errors=(409,))
async def create_audience(request: web.Request) -> web.Response:
    """Create an audience."""
    columns = await read_columns(request, Named)
    made = Audience.of(await audiences.create(*scope(request), **columns))
    return created(request, made, made.id)


@describe(query=AudiencesQuery, responses={200: Listing[Audience]})
async def list_audiences(request: web.Request) -> web.Response:
    """The audiences in the order in which they were made."""
    query = read_query(request, AudiencesQuery)
    rows = await audiences.page(*scope(request), after=query.cursor or 0, size=query.limit + 1)
    return page_of([Audience.of(row) for row in rows], query.limit, lambda one: one.id)


@describe(query=NoQuery, responses={200: Audience})
async def get_audience(request: web.Request) -> web.Response:
    """One audience."""
    row = await audiences.get(*scope(request), AUDIENCE.id_alone(request))
    return shown(Audience.of(AUDIENCE.found(request, row)))


@describe(body=Named, responses={200: Audience}, errors=(409,))
async def rename_audience(request: web.Request) -> web.Response:
    """Give an audience another name."""
    id_ = AUDIENCE.id_in(request)
    columns = await read_columns(request, Named)
    row = await audiences.rename(*scope(request), id_, **columns)
    return shown(Audience.of(AUDIENCE.found(request, row)))


@describe(query=NoQuery, responses={204: None})
async def delete_audience(request: web.Request) -> web.Response:
    """Delete an audience; its contacts stay."""
    return deleted(request, AUDIENCE, await audiences.delete(*scope(request), AUDIENCE.id_alone(request)))
