"""What a contact is tied to: what is shown and said of its opt-ins, and which page of its ties is asked."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from schemas.wire.base import Wire

Speaker = Literal["contact", "account"]


class OptIn(Wire):
    """What is known of a contact and a channel."""

    channel_id: UUID
    channel_name: str
    opted_in: bool
    by: Speaker  # who has said so; the contact's own opt-out is kept
    updated_at: datetime


class OptInBody(BaseModel):
    """What is said of a channel, and who says so."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    opted_in: bool
    by: Speaker = "account"
