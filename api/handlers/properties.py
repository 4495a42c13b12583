"""/v1/properties: the keys that the `properties` of a contact may have, and the types of their values."""

from aiohttp import web

from api.actions import resource_actions
from api.endpoint import endpoint
from api.http.context import scope
from api.http.responses import created, deleted, page_of, shown
from api.http.views.resource_ids import PROPERTY, PropertyName
from api.http.views.resource_views import property_view
from schemas.errors import NotAcceptable
from schemas.wire.base import Listing
from schemas.wire.query_models import PropertiesQuery
from schemas.wire.resource_bodies import NewProperty, PropertyChange
from schemas.wire.resources import Property
from storage.entities import properties


@endpoint(responses={201: Property}, errors=(409,))
async def create_property(request: web.Request, body: NewProperty) -> web.Response:
    """Define a property of contacts."""
    view = await resource_actions.create_property(*scope(request), body)
    return created(request, view, view.name)


@endpoint(responses={200: Listing[Property]})
async def list_properties(request: web.Request, query: PropertiesQuery) -> web.Response:
    """List the properties, sorted by name."""
    views = await resource_actions.page_of_properties(*scope(request), query)
    return page_of(views, query.limit, lambda view: view.name)


@endpoint(responses={200: Property})
async def get_property(request: web.Request, name: PropertyName) -> web.Response:
    """Get a property."""
    row = await properties.get(*scope(request), name)
    return shown(property_view(PROPERTY.found(request, row)))


@endpoint(responses={200: Property})
async def change_property(request: web.Request, name: PropertyName, body: PropertyChange) -> web.Response:
    """Replace the options of an enum. Stored values are kept, even if they are no longer options."""
    stored = PROPERTY.found(request, await properties.get(*scope(request), name))
    if stored.type != "enum":
        raise NotAcceptable(f"options are only for an enum, and {name} is a {stored.type}", param="options")
    row = await properties.change(*scope(request), name, options=body.options)
    return shown(property_view(PROPERTY.found(request, row)))


@endpoint(responses={204: None})
async def delete_property(request: web.Request, name: PropertyName) -> web.Response:
    """Delete the definition of a property. Stored values are kept; new ones are rejected."""
    return deleted(request, PROPERTY, await properties.delete(*scope(request), name))
