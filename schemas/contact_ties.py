"""What a contact is tied to: what is shown and said of its opt-ins, and which page of its ties is asked."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from schemas.contact_views import Row
from schemas.cursors import TEXT, cursor_of
from schemas.jobs import Wire
from schemas.queries import Query

Speaker = Literal["contact", "account"]


class OptIn(Wire):
    """What is known of a contact and a channel."""

    channel_id: UUID
    channel_name: str
    opted_in: bool
    by: Speaker  # who has said so; the contact's own opt-out is kept
    updated_at: datetime

    @classmethod
    def of(cls, row: Row, channel_name: str) -> "OptIn":
        """Of a row of opt_ins."""
        return cls(
            channel_id=row["channel_id"],
            channel_name=channel_name,
            opted_in=row["opted_in"],
            by="contact" if row["by_contact"] else "account",
            updated_at=row["updated_at"],
        )


class OptInBody(BaseModel):
    """What is said of a channel, and who says so."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    opted_in: bool
    by: Speaker = "account"


class TiesQuery(Query):
    """Which page."""

    limit: int = Field(100, ge=1, le=1000)


class MembersQuery(TiesQuery):
    """Of contacts."""

    cursor: Annotated[int, BeforeValidator(cursor_of("ctc")), TEXT] = 0


class LabelsOfQuery(TiesQuery):
    """Of a contact's labels."""

    cursor: Annotated[int, BeforeValidator(cursor_of("lbl")), TEXT] = 0


class ListsOfQuery(TiesQuery):
    """Of a contact's lists."""

    cursor: Annotated[int, BeforeValidator(cursor_of("lst")), TEXT] = 0


class AudiencesOfQuery(TiesQuery):
    """Of a contact's audiences."""

    cursor: Annotated[int, BeforeValidator(cursor_of("aud")), TEXT] = 0


class OptInsQuery(TiesQuery):
    """Of a contact's opt-ins."""

    cursor: UUID | None = None
