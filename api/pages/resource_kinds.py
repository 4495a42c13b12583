"""The kinds of resources that have a page: what their tables show, and what their forms take."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import BaseModel

from api.actions import resource_actions
from api.endpoint import Resolve
from api.http.views.resource_ids import known_team, phone_of_account
from api.pages.forms import FormField
from schemas.ids import AccountId
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
from storage.postgres.pool import Pool

NAME = FormField(name="name", label="Name", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceKind:
    """What differs between the pages of the kinds of resources.

    `page` and `create` are those of `api.actions.resource_actions`. `resolve` looks up fields of the body.
    `columns` are attributes of the views with their headings.
    """

    path: str
    title: str
    noun: str
    text: str
    query: type[Any]
    body: type[BaseModel]
    columns: tuple[tuple[str, str], ...]
    page: Callable[[Pool, AccountId, Any], Awaitable[Sequence[Wire]]]
    create: Callable[[Pool, AccountId, Any], Awaitable[Wire]]
    resolve: Mapping[str, Resolve] = field(default_factory=dict)
    fields: tuple[FormField, ...] = (NAME,)
    key: str = "id"  # of a view: the cursor, and the last part of the address of its own page
    has_page: bool = True


LISTS = ResourceKind(
    path="/lists",
    title="Lists",
    noun="list",
    text="Named sets of contacts. An archived list keeps its contacts and accepts no more.",
    query=ListsQuery,
    body=NameBody,
    columns=(("name", "Name"), ("contact_count", "Contacts"), ("created_at", "Created (UTC)")),
    page=resource_actions.page_of_lists,
    create=resource_actions.create_list,
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
    page=resource_actions.page_of_labels,
    create=resource_actions.create_label,
    resolve={"team_id": known_team},
)
AUDIENCES = ResourceKind(
    path="/audiences",
    title="Audiences",
    noun="audience",
    text="Sets of contacts to send to.",
    query=AudiencesQuery,
    body=NameBody,
    columns=LISTS.columns,
    page=resource_actions.page_of_audiences,
    create=resource_actions.create_audience,
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
    page=resource_actions.page_of_channels,
    create=resource_actions.create_channel,
    resolve={"phone": phone_of_account},
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
    page=resource_actions.page_of_properties,
    create=resource_actions.create_property,
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
    page=resource_actions.page_of_teams,
    create=resource_actions.create_team,
    has_page=False,
)
KINDS = (LISTS, LABELS, AUDIENCES, CHANNELS, PROPERTIES, TEAMS)
