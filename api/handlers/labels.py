"""/v1/labels: the labels of contacts."""

from aiohttp import web

from api.actions import resource_actions
from api.endpoint import endpoint
from api.http.context import scope
from api.http.responses import created, deleted, page_of, shown
from api.http.views.resource_ids import LABEL, LabelId, known_team
from api.http.views.resource_views import label_view
from schemas.wire.base import Listing
from schemas.wire.query_models import LabelsQuery
from schemas.wire.resource_bodies import LabelChange, NewLabel
from schemas.wire.resources import Label
from storage.entities import labels


@endpoint(responses={201: Label}, errors=(409,), resolve={"team_id": known_team})
async def create_label(request: web.Request, body: NewLabel) -> web.Response:
    """Create a label, of one team or of every team."""
    view = await resource_actions.create_label(*scope(request), body)
    return created(request, view, view.id)


@endpoint(responses={200: Listing[Label]}, resolve={"team_id": known_team})
async def list_labels(request: web.Request, query: LabelsQuery) -> web.Response:
    """List all labels, or those of one team, in the order of creation."""
    views = await resource_actions.page_of_labels(*scope(request), query)
    return page_of(views, query.limit, lambda view: view.id)


@endpoint(responses={200: Label})
async def get_label(request: web.Request, label_id: LabelId) -> web.Response:
    """Get a label."""
    row = await labels.get(*scope(request), label_id)
    return shown(label_view(LABEL.found(request, row)))


@endpoint(responses={200: Label}, errors=(409,), resolve={"team_id": known_team})
async def change_label(request: web.Request, label_id: LabelId, body: LabelChange) -> web.Response:
    """Change the name, the colour or the team of a label. Contacts keep the label."""
    row = await labels.change(*scope(request), label_id, body.given())
    return shown(label_view(LABEL.found(request, row)))


@endpoint(responses={204: None})
async def delete_label(request: web.Request, label_id: LabelId) -> web.Response:
    """Delete a label, and remove it from all contacts."""
    return deleted(request, LABEL, await labels.delete(*scope(request), label_id))
