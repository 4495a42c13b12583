"""The JSON bodies of requests for lists, labels, teams, channels, audiences, properties and opt-ins."""

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.ids import read_id
from schemas.items.properties import PropertyType

PROPERTY_NAME: Final = re.compile("[A-Za-z][A-Za-z0-9_]{0,63}")
COLOUR: Final = re.compile("#[0-9a-fA-F]{6}")
VISIBLE: Final = r"^[^\x00]*[^\s\x00][^\x00]*$"  # matches a text before it is trimmed


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "has a NUL character: remove it")
    return text


def _property_name(text: str) -> str:
    if PROPERTY_NAME.fullmatch(text):
        return text
    raise PydanticCustomError(
        "no_property_name", "is not a name: use 1 to 64 letters, digits or _, and begin with a letter"
    )


def read_property_name(text: str) -> str | None:
    """Return the name of a property in a path; None if no property can have this name."""
    return text if PROPERTY_NAME.fullmatch(text) else None


def _colour(text: str) -> str:
    if COLOUR.fullmatch(text):
        return text.lower()
    raise PydanticCustomError("no_colour", "is not a colour: write one like #1f77b4")


def _team_id(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise PydanticCustomError("no_id", "is not an id: write one like team_00000000000000000000000001")
    number = read_id("team", value)
    if number is None:
        raise PydanticCustomError("unknown_team", "names no team of this account: see GET /v1/teams")
    return number


def _distinct(texts: list[str]) -> list[str]:
    if len(set(texts)) < len(texts):
        raise PydanticCustomError("twice", "has a value twice: give each value once")
    return texts


def _trimmed(most: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=most)


def _matching(pattern: re.Pattern[str]) -> Any:
    return Field(json_schema_extra={"pattern": f"^{pattern.pattern}$"})


Visible = Field(json_schema_extra={"pattern": VISIBLE})
Name = Annotated[str, _trimmed(255), AfterValidator(_without_nul), Visible]
LabelName = Annotated[str, _trimmed(50), AfterValidator(_without_nul), Visible]
PropertyName = Annotated[
    str, StringConstraints(strip_whitespace=True), AfterValidator(_property_name), _matching(PROPERTY_NAME)
]
Colour = Annotated[str, AfterValidator(_colour), _matching(COLOUR)]
TeamId = Annotated[
    int, PlainValidator(_team_id), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]})
]
Speaker = Literal["contact", "account"]
Options = Annotated[
    list[Name],
    Field(min_length=1, max_length=100, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_distinct),
]


class JsonBody(BaseModel):
    """A JSON body; unknown fields are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def _no_defaults(schema: dict[str, Any]) -> None:
    schema["minProperties"] = 1
    for field in schema["properties"].values():
        field.pop("default", None)  # a client that sends the default would clear the stored value


class Change(JsonBody):
    """The body of a PATCH. An absent field is kept, so the defaults of the fields are not used."""

    model_config = ConfigDict(json_schema_extra=_no_defaults)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.model_fields_set:
            return self
        names = ", ".join(type(self).model_fields)
        raise PydanticCustomError("nothing", "changes nothing: give one of {names}", {"names": names})

    def given(self) -> dict[str, Any]:
        """Return the fields that the body has, null included."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class NameBody(JsonBody):
    """The name of a contact list, a team or an audience; for POST and PATCH."""

    name: Name


class NewLabel(JsonBody):
    """A label of one team, or without `team_id` of every team."""

    name: LabelName
    colour: Colour | None = None
    team_id: TeamId | None = None


class LabelChange(Change):
    """Null removes the colour or the team of the label."""

    name: LabelName = ""
    colour: Colour | None = None
    team_id: TeamId | None = None


class NewChannel(JsonBody):
    """A phone without a country code gets that of the account's region."""

    name: Name
    phone: str | None = None


class ChannelChange(Change):
    """Null removes the phone of the channel."""

    name: Name = ""
    phone: str | None = None


class NewProperty(JsonBody):
    """`options` are required for an enum, and allowed only for an enum."""

    name: PropertyName
    type: PropertyType
    options: Options | None = Field(default=None, validate_default=True)

    @field_validator("options")
    @classmethod
    def _of_an_enum(cls, options: list[str] | None, info: ValidationInfo) -> list[str] | None:
        match info.data.get("type"), options:
            case "enum", None:
                raise PydanticCustomError("missing", "are required for an enum")
            case "string" | "number" | "boolean" | "date" as type_, list():
                raise PydanticCustomError("no_enum", "are for an enum, not for a {type}", {"type": type_})
            case _:
                return options


class PropertyChange(JsonBody):
    """The new options of an enum."""

    options: Options


class OptInBody(JsonBody):
    """An opt-in or an opt-out, and who decided it."""

    model_config = ConfigDict(strict=True)

    opted_in: bool
    by: Speaker = "account"
