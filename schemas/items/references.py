"""Items that only name a contact: by its id, its phone or its external id."""

from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field
from typing_extensions import TypedDict  # pydantic takes typing.TypedDict from Python 3.12 on

from schemas.items.contacts import EXTERNAL_ID_NAMES, PHONE_NAMES, Text

NAMES = ("id", "phone", "external_id")  # exactly one of them
ECHOES = ("ref", "error_code", "error_message")  # taken, not looked at


class Reference(TypedDict, total=False):
    """A contact of the account, named in one of three ways; in CSV a column each."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    id: Annotated[int | str | None, Field(validation_alias=AliasChoices("id", "contact_id", "contactId"))]
    phone: Annotated[str | None, Field(validation_alias=AliasChoices(*PHONE_NAMES))]
    external_id: Annotated[str | None, Field(validation_alias=AliasChoices(*EXTERNAL_ID_NAMES))]
    ref: Text | None
    error_code: Any
    error_message: Any


def _id(value: object) -> object:
    """A bare value is an id."""
    return {"id": value} if isinstance(value, str | int) and not isinstance(value, bool) else value


def _phone(value: object) -> object:
    """A bare text is a phone number."""
    return {"phone": value} if isinstance(value, str) else value


ById = Annotated[Reference, BeforeValidator(_id, json_schema_input_type=int | str | Reference)]
ByPhone = Annotated[Reference, BeforeValidator(_phone, json_schema_input_type=str | Reference)]


def known_column(name: str) -> str | None:
    """The canonical name of a CSV column, or None where a reference has no such field."""
    match name:
        case "id" | "contact_id" | "contactid":
            return "id"
        case "phone" | "phone_number" | "phonenumber":
            return "phone"
        case "external_id" | "externalid":
            return "external_id"
        case "ref":
            return "ref"
        case "error_code" | "error_message":
            return ""  # known, and left out
        case _:
            return None
