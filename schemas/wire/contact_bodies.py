"""The bodies of POST and PATCH of single contacts: the fields of a contact item, with the same rules."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError, to_json

from schemas.ids import read_channel_id, read_id
from schemas.item_errors import ItemCode
from schemas.items import contacts
from schemas.items.contact_field import ContactField
from schemas.items.contacts import JSON_FIELDS, MAX_JSON_BYTES, Text
from schemas.items.faults import Fault
from schemas.items.phone import normaliser_for
from schemas.items.phone_notation import PhoneFault
from schemas.items.properties import Definitions
from schemas.wire.contacts import with_contact_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts about the account that validation needs.

    `team_id` and `channel_id` are those of the body, or None if the account has no such team or channel.
    """

    region: str | None
    preferences: tuple[str, ...]
    team_id: int | None = None
    channel_id: UUID | None = None
    definitions: Definitions


def _phone(text: str, info: ValidationInfo) -> str:
    phone = normaliser_for(_facts(info).region)(text)
    if isinstance(phone, PhoneFault):
        raise PydanticCustomError(phone.code.value, "{message}", {"message": phone.message})
    return phone


def _email(value: object, handler: ValidatorFunctionWrapHandler) -> Any:
    """Replace pydantic's message about the pattern by one that shows an address."""
    try:
        return handler(value)
    except ValidationError as error:
        if any(detail["type"] == "string_pattern_mismatch" for detail in error.errors()):
            raise PydanticCustomError(
                ItemCode.INVALID_EMAIL.value, "is not an e-mail address: write one like ana@example.com"
            ) from None
        raise


def _team(value: object, info: ValidationInfo) -> int | None:
    if value is None:
        return None
    number = read_id("team", value)
    if number is None or number != _facts(info).team_id:
        raise PydanticCustomError("unknown_team", "names no team of this account: see GET /v1/teams")
    return number


def _channel(value: object, info: ValidationInfo) -> UUID | None:
    if value is None:
        return None
    channel_id = read_channel_id(value)
    if channel_id is None or channel_id != _facts(info).channel_id:
        raise PydanticCustomError(
            ItemCode.UNKNOWN_CHANNEL.value, "names no channel of this account: see GET /v1/channels"
        )
    return channel_id


def _preference(value: str | None, info: ValidationInfo) -> str | None:
    known = _facts(info).preferences
    if value is not None and value not in known:
        raise PydanticCustomError(
            "unknown_preference",
            "is not a communication preference; known are {known}",
            {"known": ", ".join(known)},
        )
    return value


def _properties(value: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any] | None:
    """Check each property by itself, so that all problems are reported; return them as they are stored."""
    problems = []
    stored: dict[str, Any] = {}
    for key, inner in (value or {}).items():
        checked = _facts(info).definitions.check({key: inner})
        if isinstance(checked, Fault):
            message = checked.message.removeprefix(f"properties.{key[:100]} ")
            kind = PydanticCustomError(checked.code.value, "{message}", {"message": message})
            problems.append(InitErrorDetails(type=kind, loc=(key,), input=inner))
        else:
            stored |= checked
    if problems:
        raise ValidationError.from_exception_data("properties", problems)
    return None if value is None else stored


def _facts(info: ValidationInfo) -> Facts:
    assert isinstance(info.context, Facts)
    return info.context


def _defined(field: ContactField) -> tuple[Any, Any]:
    """Return a declared field as a field of a body: optional, and nullable if its column is nullable."""
    if field.not_null and not field.by_key:
        return field.type, Field(default_factory=field.plain_type)
    return field.type, None


VALUES = {"type": ["string", "number", "boolean", "null"]}
PROPERTIES = WithJsonSchema({"type": ["object", "null"], "additionalProperties": VALUES})
Name = Annotated[Text, StringConstraints(min_length=1)]
Phone = Annotated[str, AfterValidator(_phone)]
# Fields whose rules need the account, or differ from those of a bulk item.
TAKEN_AS: dict[str, tuple[Any, Any]] = {
    "email": (Annotated[contacts.Email | None, WrapValidator(_email)], None),
    "default_channel_id": (
        Annotated[UUID | None, BeforeValidator(_channel, json_schema_input_type=str | None)],
        None,
    ),
    "properties": (Annotated[dict[str, Any] | None, AfterValidator(_properties), PROPERTIES], None),
    "communication_preference": (Annotated[str | None, AfterValidator(_preference)], None),
    "team_id": (Annotated[int | None, BeforeValidator(_team, json_schema_input_type=str | int | None)], None),
}


@with_contact_fields(_defined, TAKEN_AS)
class ContactChange(BaseModel):
    """The body of `PATCH /v1/contacts/{id}`.

    An absent field is kept, null clears a field. In `metadata` and `properties`, single keys are set, or
    removed by null.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, strict=True, defer_build=True
    )

    name: Name = Field(default_factory=str)
    phone: Phone = Field(default_factory=str, alias="phoneNumber", description="in any notation")
    language: contacts.Language = None
    metadata: dict[str, Any] | None = None
    # with_contact_fields adds the other declared fields

    @field_validator("*")
    @classmethod
    def _storable(cls, value: object) -> object:
        if _has_nul(value):
            raise PydanticCustomError(
                ItemCode.INVALID_CHARACTER.value, "has a NUL character, which cannot be stored: remove it"
            )
        return value

    @field_validator(*JSON_FIELDS, check_fields=False)
    @classmethod
    def _small(cls, value: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any] | None:
        if value and len(to_json(value)) > MAX_JSON_BYTES:
            raise PydanticCustomError(
                f"{info.field_name}_too_large", "is larger than 16 KiB as JSON: store less"
            )
        return value

    def columns(self) -> dict[str, Any]:
        """Return the given fields by the names of their columns."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class NewContact(ContactChange):
    """The body of `POST /v1/contacts`."""

    name: Name
    phone: Phone = Field(alias="phoneNumber", description="in any notation; E.164 is stored")


def _has_nul(value: object) -> bool:
    match value:
        case str():
            return "\0" in value
        case dict():
            return any("\0" in key or _has_nul(inner) for key, inner in value.items())
        case list():
            return any(map(_has_nul, value))
        case _:
            return False
