"""/v1/labels: what contacts are marked with."""

from functools import partial

from aiohttp import web

from api.http.paging import page_of
from api.http.resource import Noun, created, deleted, read_columns, scope, shown
from api.http.validation import all_of, gathering, read_query
from api.openapi.describe import Response, describe
from schemas.errors import NotAcceptable
from schemas.ids import read_id
from schemas.wire.base import Listing
from schemas.wire.queries import LabelsQuery, NoQuery
from schemas.wire.resource_bodies import LabelChange, NewLabel
from schemas.wire.resources import Label
from storage.entities import labels, teams

LABEL = Noun(name="label", param="label_id", read=partial(read_id, "lbl"), code="unknown_label")


@describe(body=NewLabel, responses={201: Response(model=Label, headers=("Location",))}, errors=(409,))
async def create_label(request: web.Request) -> web.Response:
    """Create a label, of a team or of every team's."""
    columns = await read_columns(request, NewLabel, {"team_id": _team})
    made = Label.of(await labels.create(*scope(request), **columns))
    return created(request, made, made.id)


@describe(query=LabelsQuery, responses={200: Listing[Label]})
async def list_labels(request: web.Request) -> web.Response:
    """The labels in the order in which they were made; or those of one team."""
    query, team_id = await _filters(request)
    rows = await labels.page(*scope(request), team_id=team_id, after=query.cursor or 0, size=query.limit + 1)
    return page_of([Label.of(row) for row in rows], query.limit, lambda one: one.id)


@describe(query=NoQuery, responses={200: Label})
async def get_label(request: web.Request) -> web.Response:
    """One label."""
    row = await labels.get(*scope(request), LABEL.id_alone(request))
    return shown(Label.of(LABEL.found(request, row)))


@describe(body=LabelChange, responses={200: Label}, errors=(409,))
async def change_label(request: web.Request) -> web.Response:
    """Give a label another name, colour or team. Contacts that carry it go on to carry it."""
    id_ = LABEL.id_in(request)
    columns = await read_columns(request, LabelChange, {"team_id": _team})
    row = await labels.change(*scope(request), id_, columns)
    return shown(Label.of(LABEL.found(request, row)))


@describe(query=NoQuery, responses={204: None})
async def delete_label(request: web.Request) -> web.Response:
    """Take a label off all contacts, and away."""
    return deleted(request, LABEL, await labels.delete(*scope(request), LABEL.id_alone(request)))


async def _filters(request: web.Request) -> tuple[LabelsQuery, int | None]:
    """The query with its team looked up; raises NotAcceptable with every problem."""
    problems: list[NotAcceptable] = []
    query, team_id = LabelsQuery(), None
    with gathering(problems):
        query = read_query(request, LabelsQuery)
    with gathering(problems):
        if "team_id" in request.query:
            team_id = await _team(request, request.query["team_id"])
    if problems:
        raise all_of(problems)
    return query, team_id


async def _team(request: web.Request, value: object) -> int:
    number = read_id("team", value)
    if number is None or await teams.get(*scope(request), number) is None:
        raise labels.unknown_team()
    return number
