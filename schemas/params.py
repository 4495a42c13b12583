"""The parameters of a job: what its operation needs besides the items."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

MatchOn = Literal["auto", "phone", "external_id"]


class JobParams(BaseModel):
    """As stored with the job: ids are resolved, and known to be the account's own, before it is accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str | None = None  # ISO 3166 region of bare phone numbers
    match_on: MatchOn = "auto"  # which contact an upsert means: see worker.operations.resolve
    required: tuple[str, ...] = ()  # fields that every item must have, over what its type asks for
    preference: str | None = None
    default_preference: str | None = None  # which a contact has that was never told one
    label_id: int | None = None
    list_id: int | None = None
    audience_id: int | None = None
    channels: tuple[UUID, ...] = ()  # to opt the contacts in to
    override_opt_outs: bool = False

    def to_json(self) -> str:
        """What is stored: defaults are left out."""
        return self.model_dump_json(exclude_defaults=True)
