"""The base classes of the models of the HTTP API."""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel


class Wire(BaseModel):
    """A model that only ever goes out."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _milliseconds(moment: datetime) -> str:
    """`2026-03-01T10:00:00.000Z`, as in the document."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    PlainSerializer(_milliseconds, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class CamelCase(Wire):
    """A model that goes out, its fields in camelCase."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        serialize_by_alias=True,
        validate_by_name=True,
        validate_by_alias=True,
    )


View = TypeVar("View", bound=Wire)


class Listing(Wire, Generic[View]):
    """One page; `next_cursor` asks for the next one, null: this is the last."""

    data: list[View]
    next_cursor: str | None

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """`LabelListing` in the OpenAPI document."""
        return f"{params[0].__name__}Listing"
