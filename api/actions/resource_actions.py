"""What clients do with lists, labels, audiences, channels, properties and teams: list them, create one.

A function that lists returns one more than the limit of its query if there are more. The ids and phone
numbers of a body are those that are stored: the caller has looked them up.
"""

from api.http.views.resource_views import (
    audience_view,
    channel_view,
    label_view,
    list_view,
    property_view,
    team_view,
)
from schemas.ids import AccountId
from schemas.wire.query_models import (
    AudiencesQuery,
    ChannelsQuery,
    LabelsQuery,
    ListsQuery,
    PropertiesQuery,
    TeamsQuery,
)
from schemas.wire.resource_bodies import NameBody, NewChannel, NewLabel, NewProperty
from schemas.wire.resources import Audience, Channel, ContactList, Label, Property, Team
from storage.entities import audiences, channels, contact_lists, labels, properties, teams
from storage.postgres.pool import Pool


async def page_of_lists(pool: Pool, account_id: AccountId, query: ListsQuery) -> list[ContactList]:
    """List the active contact lists, or the archived ones."""
    rows = await contact_lists.page(
        pool, account_id, archived=query.archived, after=query.cursor or 0, size=query.limit + 1
    )
    return [list_view(row) for row in rows]


async def create_list(pool: Pool, account_id: AccountId, body: NameBody) -> ContactList:
    """Create a contact list."""
    return list_view(await contact_lists.create(pool, account_id, name=body.name))


async def page_of_labels(pool: Pool, account_id: AccountId, query: LabelsQuery) -> list[Label]:
    """List all labels, or those of one team."""
    rows = await labels.page(
        pool, account_id, team_id=query.team_id, after=query.cursor or 0, size=query.limit + 1
    )
    return [label_view(row) for row in rows]


async def create_label(pool: Pool, account_id: AccountId, body: NewLabel) -> Label:
    """Create a label."""
    return label_view(
        await labels.create(pool, account_id, name=body.name, colour=body.colour, team_id=body.team_id)
    )


async def page_of_audiences(pool: Pool, account_id: AccountId, query: AudiencesQuery) -> list[Audience]:
    """List the audiences."""
    rows = await audiences.page(pool, account_id, after=query.cursor or 0, size=query.limit + 1)
    return [audience_view(row) for row in rows]


async def create_audience(pool: Pool, account_id: AccountId, body: NameBody) -> Audience:
    """Create an audience."""
    return audience_view(await audiences.create(pool, account_id, name=body.name))


async def page_of_channels(pool: Pool, account_id: AccountId, query: ChannelsQuery) -> list[Channel]:
    """List the channels."""
    rows = await channels.page(pool, account_id, after=query.cursor, size=query.limit + 1)
    return [channel_view(row) for row in rows]


async def create_channel(pool: Pool, account_id: AccountId, body: NewChannel) -> Channel:
    """Create a channel."""
    return channel_view(await channels.create(pool, account_id, name=body.name, phone=body.phone))


async def page_of_properties(pool: Pool, account_id: AccountId, query: PropertiesQuery) -> list[Property]:
    """List the properties, sorted by name."""
    rows = await properties.page(pool, account_id, after=query.cursor or "", size=query.limit + 1)
    return [property_view(row) for row in rows]


async def create_property(pool: Pool, account_id: AccountId, body: NewProperty) -> Property:
    """Define a property of contacts."""
    row = await properties.create(pool, account_id, name=body.name, type=body.type, options=body.options)
    return property_view(row)


async def page_of_teams(pool: Pool, account_id: AccountId, query: TeamsQuery) -> list[Team]:
    """List the teams."""
    rows = await teams.page(pool, account_id, after=query.cursor or 0, size=query.limit + 1)
    return [team_view(row) for row in rows]


async def create_team(pool: Pool, account_id: AccountId, body: NameBody) -> Team:
    """Create a team."""
    return team_view(await teams.create(pool, account_id, name=body.name))
