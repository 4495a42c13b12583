"""/v1/properties: which keys the `properties` of a contact may have, and what their values are."""

from aiohttp import web

from api.http.paging import page_of
from api.http.resource import Noun, created, deleted, read_columns, scope, shown
from api.http.validation import read_query
from api.openapi.describe import Response, describe
from schemas.errors import NotAcceptable
from schemas.wire.base import Listing
from schemas.wire.queries import NoQuery, PropertiesQuery
from schemas.wire.resource_bodies import PROPERTY_NAME, NewProperty, PropertyChange
from schemas.wire.resources import Property
from storage.entities import properties


def _read_name(text: str) -> str | None:
    return text if PROPERTY_NAME.fullmatch(text) else None


PROPERTY = Noun(name="property", param="name", read=_read_name, code="unknown_property")


@describe(body=NewProperty, responses={201: Response(model=Property, headers=("Location",))}, errors=(409,))
async def create_property(request: web.Request) -> web.Response:
    """Define a property of contacts."""
    columns = await read_columns(request, NewProperty)
    made = Property.of(await properties.create(*scope(request), **columns))
    return created(request, made, made.name)


@describe(query=PropertiesQuery, responses={200: Listing[Property]})
async def list_properties(request: web.Request) -> web.Response:
    """The properties by name."""
    query = read_query(request, PropertiesQuery)
    rows = await properties.page(*scope(request), after=query.cursor or "", size=query.limit + 1)
    return page_of([Property.of(row) for row in rows], query.limit, lambda one: one.name)


@describe(query=NoQuery, responses={200: Property})
async def get_property(request: web.Request) -> web.Response:
    """One property."""
    row = await properties.get(*scope(request), PROPERTY.id_alone(request))
    return shown(Property.of(PROPERTY.found(request, row)))


@describe(body=PropertyChange, responses={200: Property})
async def change_property(request: web.Request) -> web.Response:
    """Give an enum other options. What contacts have stays, whether it is among them or not."""
    name = PROPERTY.id_in(request)
    columns = await read_columns(request, PropertyChange)
    stored = PROPERTY.found(request, await properties.get(*scope(request), name))
    if stored["type"] != "enum":
        raise NotAcceptable(f"options are for an enum, and {name} is a {stored['type']}", param="options")
    row = await properties.set_options(*scope(request), name, **columns)
    return shown(Property.of(PROPERTY.found(request, row)))


@describe(query=NoQuery, responses={204: None})
async def delete_property(request: web.Request) -> web.Response:
    """Delete the definition of a property. What contacts have stays, and is not taken any more."""
    return deleted(request, PROPERTY, await properties.delete(*scope(request), PROPERTY.id_alone(request)))
