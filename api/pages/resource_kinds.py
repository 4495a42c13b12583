"""The kinds of resources that have a page: what their tables show, and what their forms take."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from aiohttp import web
from pydantic import BaseModel

from api.http.context import scope
from api.http.views.resource_ids import known_team, phone_of_account
from api.http.views.resource_views import (
    audience_view,
    channel_view,
    label_view,
    list_view,
    property_view,
    team_view,
)
from api.pages.forms import FormField
from schemas.items.properties import PropertyType
from schemas.wire.base import Wire
from schemas.wire.query_models import (
    AudiencesQuery,
    ChannelsQuery,
    LabelsQuery,
    ListsQuery,
    PropertiesQuery,
    TeamsQuery,
)
from schemas.wire.resource_bodies import NameBody, NewChannel, NewLabel, NewProperty
from storage.entities import audiences, channels, contact_lists, labels, properties, teams

NAME = FormField(name="name", label="Name", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceKind:
    """What differs between the pages of the kinds of resources.

    `page` returns the rows of a page, one more than its limit if there are more. `create` stores a checked
    body. `columns` are attributes of the views with their headings.
    """

    path: str
    title: str
    noun: str
    text: str
    query: type[Any]
    body: type[BaseModel]
    columns: tuple[tuple[str, str], ...]
    page: Callable[[web.Request, Any], Awaitable[Sequence[Wire]]]
    create: Callable[[web.Request, Any], Awaitable[Wire]]
    fields: tuple[FormField, ...] = (NAME,)
    key: str = "id"  # of a view: the cursor, and the last part of the address of its own page
    has_page: bool = True


async def _lists(request: web.Request, query: ListsQuery) -> Sequence[Wire]:
    rows = await contact_lists.page(
        *scope(request), archived=query.archived, after=query.cursor or 0, size=query.limit + 1
    )
    return [list_view(row) for row in rows]


async def _create_list(request: web.Request, body: NameBody) -> Wire:
    return list_view(await contact_lists.create(*scope(request), name=body.name))


async def _labels(request: web.Request, query: LabelsQuery) -> Sequence[Wire]:
    rows = await labels.page(
        *scope(request), team_id=query.team_id, after=query.cursor or 0, size=query.limit + 1
    )
    return [label_view(row) for row in rows]


async def _create_label(request: web.Request, body: NewLabel) -> Wire:
    team_id = await known_team(request, body.team_id) if body.team_id else None
    row = await labels.create(*scope(request), name=body.name, colour=body.colour, team_id=team_id)
    return label_view(row)


async def _audiences(request: web.Request, query: AudiencesQuery) -> Sequence[Wire]:
    rows = await audiences.page(*scope(request), after=query.cursor or 0, size=query.limit + 1)
    return [audience_view(row) for row in rows]


async def _create_audience(request: web.Request, body: NameBody) -> Wire:
    return audience_view(await audiences.create(*scope(request), name=body.name))


async def _channels(request: web.Request, query: ChannelsQuery) -> Sequence[Wire]:
    rows = await channels.page(*scope(request), after=query.cursor, size=query.limit + 1)
    return [channel_view(row) for row in rows]


async def _create_channel(request: web.Request, body: NewChannel) -> Wire:
    phone = await phone_of_account(request, body.phone) if body.phone else None
    return channel_view(await channels.create(*scope(request), name=body.name, phone=phone))


async def _properties(request: web.Request, query: PropertiesQuery) -> Sequence[Wire]:
    rows = await properties.page(*scope(request), after=query.cursor or "", size=query.limit + 1)
    return [property_view(row) for row in rows]


async def _create_property(request: web.Request, body: NewProperty) -> Wire:
    row = await properties.create(*scope(request), name=body.name, type=body.type, options=body.options)
    return property_view(row)


async def _teams(request: web.Request, query: TeamsQuery) -> Sequence[Wire]:
    rows = await teams.page(*scope(request), after=query.cursor or 0, size=query.limit + 1)
    return [team_view(row) for row in rows]


async def _create_team(request: web.Request, body: NameBody) -> Wire:
    return team_view(await teams.create(*scope(request), name=body.name))


LISTS = ResourceKind(
    path="/lists",
    title="Lists",
    noun="list",
    text="Named sets of contacts. An archived list keeps its contacts and accepts no more.",
    query=ListsQuery,
    body=NameBody,
    columns=(("name", "Name"), ("contact_count", "Contacts"), ("created_at", "Created (UTC)")),
    page=_lists,
    create=_create_list,
)
LABELS = ResourceKind(
    path="/labels",
    title="Labels",
    noun="label",
    text="What contacts can be marked with. A label belongs to one team or to every team.",
    query=LabelsQuery,
    body=NewLabel,
    columns=(
        ("name", "Name"),
        ("colour", "Colour"),
        ("team_id", "Team"),
        ("contact_count", "Contacts"),
        ("created_at", "Created (UTC)"),
    ),
    fields=(
        NAME,
        FormField(name="colour", label="Colour", hint="Like #1f77b4, or empty"),
        FormField(name="team_id", label="Team", choices=(("", "Every team"),)),
    ),
    page=_labels,
    create=_create_label,
)
AUDIENCES = ResourceKind(
    path="/audiences",
    title="Audiences",
    noun="audience",
    text="Sets of contacts to send to.",
    query=AudiencesQuery,
    body=NameBody,
    columns=LISTS.columns,
    page=_audiences,
    create=_create_audience,
)
CHANNELS = ResourceKind(
    path="/channels",
    title="Channels",
    noun="channel",
    text="What contacts opt in to, and out of.",
    query=ChannelsQuery,
    body=NewChannel,
    columns=(("name", "Name"), ("phone", "Phone"), ("created_at", "Created (UTC)")),
    fields=(
        NAME,
        FormField(name="phone", label="Phone", hint="Or empty. Without a country code, that of the account"),
    ),
    page=_channels,
    create=_create_channel,
    has_page=False,
)
PROPERTIES = ResourceKind(
    path="/properties",
    title="Properties",
    noun="property",
    text="The keys that the properties of a contact may have, and the types of their values.",
    query=PropertiesQuery,
    body=NewProperty,
    columns=(("name", "Name"), ("type", "Type"), ("options", "Options"), ("created_at", "Created (UTC)")),
    fields=(
        FormField(name="name", label="Name", required=True, hint="Letters, digits and _; first a letter"),
        FormField(name="type", label="Type", choices=tuple((name, name) for name in get_args(PropertyType))),
        FormField(name="options", label="Options", hint="Only of an enum: one in each line", lines=3),
    ),
    page=_properties,
    create=_create_property,
    key="name",
    has_page=False,
)
TEAMS = ResourceKind(
    path="/teams",
    title="Teams",
    noun="team",
    text="Labels and contacts can belong to a team.",
    query=TeamsQuery,
    body=NameBody,
    columns=(("name", "Name"), ("created_at", "Created (UTC)")),
    page=_teams,
    create=_create_team,
    has_page=False,
)
KINDS = (LISTS, LABELS, AUDIENCES, CHANNELS, PROPERTIES, TEAMS)
