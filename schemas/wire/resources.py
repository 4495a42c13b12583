"""Lists, labels, teams, channels, audiences and properties, as a client reads them."""

from datetime import datetime
from typing import Any, Literal, Protocol, Self
from uuid import UUID

from schemas.ids import show_id
from schemas.items.properties import PropertyType
from schemas.wire.base import Wire


class Row(Protocol):
    """What the database answers: columns by their names."""

    def __getitem__(self, name: str, /) -> Any: ...


class Shown(Wire):
    """A row of a table; the columns that a client does not see as they are stored come in `shown`."""

    @classmethod
    def _filled(cls, row: Row, **shown: Any) -> Self:
        return cls(**{name: row[name] for name in cls.model_fields if name not in shown}, **shown)


class ContactList(Shown):
    """A named set of contacts; only an active one takes contacts."""

    id: str  # lst_…
    name: str
    state: Literal["active", "archived"]
    contact_count: int
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Of a row of contact_lists."""
        state = "archived" if row["archived_at"] else "active"
        return cls._filled(row, id=show_id("lst", row["id"]), state=state)


class Label(Shown):
    """What contacts are marked with."""

    id: str  # lbl_…
    name: str
    colour: str | None  # #rrggbb
    team_id: str | None  # team_…; null: it is every team's
    contact_count: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Row) -> Self:
        """Of a row of labels."""
        team_id = show_id("team", row["team_id"]) if row["team_id"] else None
        return cls._filled(row, id=show_id("lbl", row["id"]), team_id=team_id)


class Team(Shown):
    """Whom labels and contacts belong to."""

    id: str  # team_…
    name: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Row) -> Self:
        """Of a row of teams."""
        return cls._filled(row, id=show_id("team", row["id"]))


class Channel(Shown):
    """What contacts are opted in to."""

    id: UUID
    name: str
    phone: str | None  # E.164
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Row) -> Self:
        """Of a row of channels."""
        return cls._filled(row)


class Audience(Shown):
    """A set of contacts to send to."""

    id: str  # aud_…
    name: str
    contact_count: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Row) -> Self:
        """Of a row of audiences."""
        return cls._filled(row, id=show_id("aud", row["id"]))


class Property(Shown):
    """A key that the `properties` of a contact may have, and what its values are."""

    name: str
    type: PropertyType
    options: list[str] | None  # of an enum
    created_at: datetime

    @classmethod
    def of(cls, row: Row) -> Self:
        """Of a row of property_definitions."""
        return cls._filled(row)
