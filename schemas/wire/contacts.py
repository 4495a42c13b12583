"""A contact as a client reads it: one object, in camelCase, wherever contacts are shown."""

from typing import Any, Literal, Protocol
from uuid import UUID

from pydantic_core import from_json

from schemas.ids import show_id
from schemas.items.contacts import Address
from schemas.wire.base import CamelCase, Moment, Wire


class Contact(CamelCase):
    """A contact; the first fields are those of the document, in its order."""

    id: str  # ctc_…
    name: str | None
    phone_number: str  # E.164
    language: str | None
    metadata: dict[str, Any]
    organization_id: str  # org_ and the number of the account
    created_at: Moment
    updated_at: Moment
    email: str | None
    external_id: str | None
    nickname: str | None
    age: int | None
    gender: str | None
    timezone: str | None
    birth_date: str | None  # 1990-05-17, or --05-17
    address: Address | None
    default_channel_id: UUID | None
    properties: dict[str, Any]
    opted_out: bool
    communication_preference: str
    team_id: str | None  # team_…


class ContactPage(CamelCase):
    """One page of contacts, by its number."""

    data: list[Contact]
    total: int
    page: int
    limit: int
    total_pages: int


AS_THEY_ARE = (
    "name", "language", "created_at", "updated_at", "email", "external_id", "nickname", "age", "gender",
    "timezone", "birth_date", "default_channel_id", "opted_out",
)  # fmt: skip


class Row(Protocol):
    """A row of a table."""

    def __getitem__(self, name: str, /) -> Any: ...


def contact_object(row: Row, default_preference: str) -> Contact:
    """The contact of a whole row of `contacts`.

    `default_preference`: the first of `settings.communication_preferences`, which null stands for.
    """
    fields: dict[str, Any] = {name: row[name] for name in AS_THEY_ARE}
    return Contact.model_construct(
        **fields,
        id=show_id("ctc", row["id"]),
        phone_number=row["phone"],
        organization_id=f"org_{row['account_id']}",
        metadata=from_json(row["metadata"]),
        properties=from_json(row["properties"]),
        address=from_json(row["address"]) if row["address"] else None,
        communication_preference=row["communication_preference"] or default_preference,
        team_id=show_id("team", row["team_id"]) if row["team_id"] else None,
    )


class Deleted(Wire):
    """The contact is gone."""

    success: Literal[True] = True
