"""References: items that only name a contact, by its id, its phone or its external id."""

from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BeforeValidator, ConfigDict, Field
from typing_extensions import TypedDict  # pydantic takes typing.TypedDict from Python 3.12 on

from schemas.item_errors import ADDED
from schemas.items.contacts import EXTERNAL_ID_NAMES, PHONE_NAMES, Text
from schemas.items.program_texts import check_id

ID_NAMES = ("id", "contact_id", "contactId")
SPELLINGS = {names[0]: names for names in (ID_NAMES, PHONE_NAMES, EXTERNAL_ID_NAMES)}
NAMES = tuple(SPELLINGS)  # an item has exactly one of them
CSV_NAMES = {spelling.casefold(): name for name, names in SPELLINGS.items() for spelling in names}


class Reference(TypedDict, total=False):
    """A contact of the account, named in one of three ways; in CSV, one column each."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    id: Annotated[int | str | None, AfterValidator(check_id), Field(validation_alias=AliasChoices(*ID_NAMES))]
    phone: Annotated[str | None, Field(validation_alias=AliasChoices(*PHONE_NAMES))]
    external_id: Annotated[
        str | None, AfterValidator(check_id), Field(validation_alias=AliasChoices(*EXTERNAL_ID_NAMES))
    ]
    ref: Text | None
    error_code: Any
    error_message: Any


def _id(value: object) -> object:
    """Read a bare value as an id."""
    return {"id": value} if isinstance(value, str | int) and not isinstance(value, bool) else value


def _phone(value: object) -> object:
    """Read a bare text as a phone number."""
    return {"phone": value} if isinstance(value, str) else value


ById = Annotated[Reference, BeforeValidator(_id, json_schema_input_type=int | str | Reference)]
ByPhone = Annotated[Reference, BeforeValidator(_phone, json_schema_input_type=str | Reference)]


def known_column(name: str) -> str | None:
    """Return the canonical name of a CSV column, "" for one that is ignored, None for an unknown one."""
    if name in ADDED:
        return ""
    return CSV_NAMES.get(name, name if name == "ref" else None)
