"""The JSON bodies of lists, labels, teams, channels, audiences and properties."""

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
VISIBLE: Final = r"^[^\x00]*[^\s\x00][^\x00]*$"  # what is true of a text before it is trimmed


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "has a NUL character: take it out")
    return text


def _property_name(text: str) -> str:
    if PROPERTY_NAME.fullmatch(text):
        return text
    raise PydanticCustomError("no_property_name", "is 1 to 64 letters, digits or _, a letter first")


def read_property_name(text: str) -> str | None:
    """The name of a property in a path; None where no property can have it."""
    return text if PROPERTY_NAME.fullmatch(text) else None


def _colour(text: str) -> str:
    if COLOUR.fullmatch(text):
        return text.lower()
    raise PydanticCustomError("no_colour", "is no colour: write one like #1f77b4")


def _team_id(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise PydanticCustomError("no_id", "is no id: write one like team_00000000000000000000000001")
    number = read_id("team", value)
    if number is None:
        raise PydanticCustomError("unknown_team", "names no team of this account: see GET /v1/teams")
    return number


def _distinct(texts: list[str]) -> list[str]:
    if len(set(texts)) < len(texts):
        raise PydanticCustomError("twice", "has a text twice: give each once")
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
    """A JSON body; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _no_defaults(schema: dict[str, Any]) -> None:
    schema["minProperties"] = 1
    for field in schema["properties"].values():
        field.pop("default", None)  # a client that sends it would take away what is stored


class Change(JsonBody):
    """The body of a PATCH: what is absent stays as it is, so the defaults of the fields mean nothing."""

    model_config = ConfigDict(json_schema_extra=_no_defaults)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.model_fields_set:
            return self
        names = ", ".join(type(self).model_fields)
        raise PydanticCustomError("nothing", "changes nothing: give one of {names}", {"names": names})

    def given(self) -> dict[str, Any]:
        """The fields that the body names, null included."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class NameBody(JsonBody):
    """The name of a contact list, a team or an audience; for POST and PATCH."""

    name: Name


class NewLabel(JsonBody):
    """A label of a team, or of every team's."""

    name: LabelName
    colour: Colour | None = None
    team_id: TeamId | None = None


class LabelChange(Change):
    """Null takes the colour, or the team, from the label."""

    name: LabelName = ""
    colour: Colour | None = None
    team_id: TeamId | None = None


class NewChannel(JsonBody):
    """A phone without a country code takes that of the account's region."""

    name: Name
    phone: str | None = None


class ChannelChange(Change):
    """Null takes the phone from the channel."""

    name: Name = ""
    phone: str | None = None


class NewProperty(JsonBody):
    """`options` are for an enum, which needs them."""

    name: PropertyName
    type: PropertyType
    options: Options | None = Field(default=None, validate_default=True)

    @field_validator("options")
    @classmethod
    def _of_an_enum(cls, options: list[str] | None, info: ValidationInfo) -> list[str] | None:
        match info.data.get("type"), options:
            case "enum", None:
                raise PydanticCustomError("missing", "an enum needs its options")
            case "string" | "number" | "boolean" | "date" as type_, list():
                raise PydanticCustomError("no_enum", "are for an enum, not for a {type}", {"type": type_})
            case _:
                return options


class PropertyChange(JsonBody):
    """The values that an enum takes from now on."""

    options: Options


class OptInBody(JsonBody):
    """What is said of a channel, and who says so."""

    model_config = ConfigDict(strict=True)

    opted_in: bool
    by: Speaker = "account"
