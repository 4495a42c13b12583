"""The bodies and responses of the partners' bulk endpoints, field for field as the partners document them.

A body model has the members besides the array of items. The items are checked one by one with the types in
`schemas.operations`, because a bad item fails alone.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from schemas.wire.base import CamelCase, Wire
from schemas.wire.contacts import Contact


class Body(BaseModel):
    """The members besides the items; `open_array` rejects unknown members before."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", defer_build=True)


class PreferencesBody(Body):
    """Peach: the communication preference to set for `phone_numbers`."""

    communication_preference: str = Field(examples=["mute_all"])


class ChannelName(Body):
    """A channel of the account, by its id or by its phone."""

    model_config = ConfigDict(extra="forbid")  # `open_array` checks only the outermost members

    id: str | None = None
    phone: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "ChannelName":
        if (self.id is None) == (self.phone is None):
            raise ValueError("a channel has an id or a phone: give one of the two")
        return self


class OptInTo(Body):
    """Whippy: the channels to opt contacts in to."""

    opt_in_to: list[ChannelName] | None = Field(default=None, min_length=1, max_length=1000)


class ListContactsBody(OptInTo):
    """Whippy: how to change the list with `contacts`."""

    action: Literal["add", "remove", "overwrite"]
    opt_in_to_all_channels: bool | None = Field(default=None, description="true, unless opt_in_to is given")
    override_opt_outs: bool = False


class LabelBody(Body):
    """Kirim: the label to attach to `contact_ids`, or to detach."""

    label_id: str | int
    operation: Literal["attach", "detach"]


class NoBody(Body):
    """Oliai: the items alone."""


class AudienceBody(Body):
    """Oliai: the audience to add `contactIds` to."""

    model_config = ConfigDict(alias_generator=to_camel)

    audience_id: str | int


class PreferenceContact(Wire):
    """A contact in a response of Peach's endpoint."""

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
    """A failed item in a response of Peach's endpoint."""

    index: int
    phone_number: Any
    code: str
    message: str


class PreferencesResult(Wire):
    """`total_requested` = `updated_count` + `error_count`; a repeated number is one contact."""

    updated_contacts: list[PreferenceContact]
    errors: list[PhoneError]
    total_requested: int
    updated_count: int
    error_count: int


class ListCounts(Wire):
    """The changes of the list and of the contacts."""

    message: str
    list_id: str
    added: int
    removed: int
    created: int
    updated: int
    failed: int


class ListItemError(Wire):
    """A failed item in a response of Whippy's endpoint."""

    index: int
    phone: Any
    field: str | None
    code: str
    message: str


class ListResult(Wire):
    """The response of Whippy's endpoint; Whippy documents no body."""

    data: ListCounts
    errors: list[ListItemError]


class Reason(Wire):
    """A failed item in a response of Kirim's or Oliai's endpoints."""

    index: int
    reason: str
    code: str
    field: str | None


class LabelCounts(Wire):
    """`applied`: the contacts that now have (attach) or do not have (detach) the label."""

    applied: int
    skipped_cross_org: int
    skipped_team_mismatch: int


class LabelResult(Wire):
    """The response of Kirim's endpoint; `errors` is present only if an item failed."""

    data: LabelCounts
    request_id: str
    errors: list[Reason] | None = None


class BulkContactsResult(CamelCase):
    """`created` + `updated` + `failed` is the number of items; an unchanged contact counts as updated."""

    created: int
    updated: int
    failed: int
    contacts: list[Contact]
    errors: list[Reason]


class DeletedResult(CamelCase):
    """`deleted` is the number of contacts; `errors` is present only if a contact was not found."""

    deleted: int
    errors: list[Reason] | None = None


class AudienceResult(CamelCase):
    """The audience with its new count; `errors` is present only if a contact was not found."""

    audience_id: str
    contact_count: int
    errors: list[Reason] | None = None
