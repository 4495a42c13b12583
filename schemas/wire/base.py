"""The base classes of the models of the HTTP API."""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel


class Wire(BaseModel):
    """A model of a response; it is never read from a request.

    All models are built when they are first used (`defer_build`): together they take a sixth of a start.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def _milliseconds(moment: datetime) -> str:
    """Return the time as Oliai documents it: `2026-03-01T10:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    PlainSerializer(_milliseconds, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class CamelCase(Wire):
    """A model of a response with fields in camelCase."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        serialize_by_alias=True,
        validate_by_name=True,
        validate_by_alias=True,
    )


View = TypeVar("View", bound=Wire)


class Listing(Wire, Generic[View]):
    """One page. `next_cursor` is the cursor of the next page; null: this is the last page."""

    data: list[View]
    next_cursor: str | None

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Return the name of the component in the OpenAPI document, like `LabelListing`."""
        return f"{params[0].__name__}Listing"
