"""The views of accounts, lists, labels, teams, channels, audiences, properties and opt-ins."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from schemas.items.properties import PropertyType
from schemas.wire.base import Wire
from schemas.wire.resource_bodies import Speaker


class AccountLimits(Wire):
    """The limits of an account in `window_seconds`; 0: no limit."""

    requests: int  # bulk requests
    items: int  # applied items
    window_seconds: int


class AccountView(Wire):
    """The account of a key."""

    id: str  # org_ and a number, as `organizationId` of contacts
    name: str
    region: str | None  # ISO 3166, of phone numbers without a country code
    phone_number_id: str | None
    limits: AccountLimits


class ContactList(Wire):
    """A named set of contacts. Only an active list accepts new contacts."""

    id: str  # lst_…
    name: str
    state: Literal["active", "archived"]
    contact_count: int
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


class Label(Wire):
    """A label that contacts can have."""

    id: str  # lbl_…
    name: str
    colour: str | None  # #rrggbb
    team_id: str | None  # team_…; null: the label is for every team
    contact_count: int
    created_at: datetime
    updated_at: datetime


class Team(Wire):
    """A team; labels and contacts belong to it."""

    id: str  # team_…
    name: str
    created_at: datetime
    updated_at: datetime


class Channel(Wire):
    """A channel that contacts are opted in to."""

    id: UUID
    name: str
    phone: str | None  # E.164
    created_at: datetime
    updated_at: datetime


class Audience(Wire):
    """A set of contacts to send to."""

    id: str  # aud_…
    name: str
    contact_count: int
    created_at: datetime
    updated_at: datetime


class Property(Wire):
    """A key that the `properties` of a contact may have, and the type of its values."""

    name: str
    type: PropertyType
    options: list[str] | None  # of an enum
    created_at: datetime


class OptIn(Wire):
    """The opt-in or opt-out of a contact for a channel."""

    channel_id: UUID
    channel_name: str
    opted_in: bool
    by: Speaker  # who decided; an opt-out by the contact itself is kept
    updated_at: datetime
