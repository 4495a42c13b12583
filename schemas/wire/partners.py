"""Bodies and results of the bulk endpoints of the four documents, as they stand there.

What stands beside the array of items is a model here. The items themselves are of `schemas.operations`, for a
bad one costs its own place only.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from schemas.wire.base import CamelCase, Wire
from schemas.wire.contacts import Contact


class Body(BaseModel):
    """What stands beside the items; whatever is unknown there has been refused before."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class PreferencesBody(Body):
    """1: `phone_numbers` and the preference that they get."""

    communication_preference: str = Field(examples=["mute_all"])


class ChannelName(Body):
    """A channel of the account, by its id or by its phone."""

    model_config = ConfigDict(extra="forbid")  # nobody has looked inside before

    id: str | None = None
    phone: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "ChannelName":
        if (self.id is None) == (self.phone is None):
            raise ValueError("a channel is named by its id or by its phone: give one of the two")
        return self


class OptInTo(Body):
    """2: the channels to opt contacts in to."""

    opt_in_to: list[ChannelName] | None = Field(default=None, min_length=1, max_length=1000)


class ListContactsBody(OptInTo):
    """2: `contacts`, and what is to be done with them."""

    action: Literal["add", "remove", "overwrite"]
    opt_in_to_all_channels: bool | None = Field(default=None, description="true, unless opt_in_to is given")
    override_opt_outs: bool = False


class LabelBody(Body):
    """3: `contact_ids`, and the label to attach or detach."""

    label_id: str | int
    operation: Literal["attach", "detach"]


class NoBody(Body):
    """4: the items alone."""


class AudienceBody(Body):
    """4: `contactIds`, and the audience to add them to."""

    model_config = ConfigDict(alias_generator=to_camel)

    audience_id: str | int


class PreferenceContact(Wire):
    """A contact as the first document shows it."""

    id: int
    name: str | None
    phone_number: str
    email: str | None
    age: int | None
    gender: str | None
    language: str | None
    nickname: str | None
    opted_out: bool
    communication_preference: str
    timezone: str | None
    metadata: dict[str, Any]


class PhoneError(Wire):
    """An item of the first document that failed."""

    index: int
    phone_number: Any
    code: str
    message: str


class PreferencesResult(Wire):
    """`total_requested` = `updated_count` + `error_count`; a number that came twice is one contact."""

    updated_contacts: list[PreferenceContact]
    errors: list[PhoneError]
    total_requested: int
    updated_count: int
    error_count: int


class ListCounts(Wire):
    """What became of the list and of the contacts."""

    message: str
    list_id: str
    added: int
    removed: int
    created: int
    updated: int
    failed: int


class ItemProblem(Wire):
    """An item of the second document that failed."""

    index: int
    phone: Any
    field: str | None
    code: str
    message: str


class ListResult(Wire):
    """The second document's answer; its own shows no body."""

    data: ListCounts
    errors: list[ItemProblem]


class Reason(Wire):
    """An item of the third or the fourth document that failed."""

    index: int
    reason: str
    code: str
    field: str | None


class LabelCounts(Wire):
    """`applied`: contacts that carry (or no longer carry) the label now."""

    applied: int
    skipped_cross_org: int
    skipped_team_mismatch: int


class LabelResult(Wire):
    """The third document's answer; `errors` is there only where an item failed."""

    data: LabelCounts
    request_id: str
    errors: list[Reason] | None = None


class BulkContactsResult(CamelCase):
    """`created` + `updated` + `failed` is the number of items; what was as it should be counts as updated."""

    created: int
    updated: int
    failed: int
    contacts: list[Contact]
    errors: list[Reason]


class DeletedResult(CamelCase):
    """`errors` is there only where a contact was not found."""

    deleted: int
    errors: list[Reason] | None = None


class AudienceResult(CamelCase):
    """The audience with its new count; `errors` is there only where a contact was not found."""

    audience_id: str
    contact_count: int
    errors: list[Reason] | None = None
