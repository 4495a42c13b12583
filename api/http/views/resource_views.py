"""The views of lists, labels, teams, channels, audiences, properties and opt-ins, made from rows."""

from schemas.ids import show_id
from schemas.wire.resources import Audience, Channel, ContactList, Label, OptIn, Property, Team
from storage.entities.audiences import AudienceRow
from storage.entities.channels import ChannelRow
from storage.entities.contact_lists import ContactListRow
from storage.entities.labels import LabelRow
from storage.entities.opt_ins import OptInRow
from storage.entities.properties import PropertyRow
from storage.entities.teams import TeamRow


def list_view(row: ContactListRow) -> ContactList:
    """Return a contact list as a client reads it."""
    return ContactList(
        id=show_id("lst", row.id),
        name=row.name,
        state="archived" if row.archived_at else "active",
        contact_count=row.contact_count,
        created_at=row.created_at,
        updated_at=row.updated_at,
        archived_at=row.archived_at,
    )


def label_view(row: LabelRow) -> Label:
    """Return a label as a client reads it."""
    return Label(
        id=show_id("lbl", row.id),
        name=row.name,
        colour=row.colour,
        team_id=show_id("team", row.team_id) if row.team_id else None,
        contact_count=row.contact_count,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def team_view(row: TeamRow) -> Team:
    """Return a team as a client reads it."""
    return Team(
        id=show_id("team", row.id),
        name=row.name,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def channel_view(row: ChannelRow) -> Channel:
    """Return a channel as a client reads it."""
    return Channel(
        id=row.id,
        name=row.name,
        phone=row.phone,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def audience_view(row: AudienceRow) -> Audience:
    """Return an audience as a client reads it."""
    return Audience(
        id=show_id("aud", row.id),
        name=row.name,
        contact_count=row.contact_count,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def property_view(row: PropertyRow) -> Property:
    """Return a property as a client reads it."""
    return Property(
        name=row.name,
        type=row.type,
        options=row.options,
        created_at=row.created_at,
    )


def opt_in_view(row: OptInRow) -> OptIn:
    """Return an opt-in as a client reads it."""
    return OptIn(
        channel_id=row.channel_id,
        channel_name=row.channel_name,
        opted_in=row.opted_in,
        by="contact" if row.by_contact else "account",
        updated_at=row.updated_at,
    )
