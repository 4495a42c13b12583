"""The fields of a contact, their rules, and how two items of one contact merge."""

import re
from functools import lru_cache
from typing import Annotated, Any, Required
from uuid import UUID
from zoneinfo import available_timezones

import langcodes
from pydantic import AfterValidator, AliasChoices, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic takes typing.TypedDict from Python 3.12 on

from schemas.item_errors import ItemCode

MAX_DOCUMENT_BYTES = 16 * 1024  # of metadata, and of properties, as UTF-8 JSON
DOCUMENTS = ("metadata", "properties")  # merged key by key; a key that is null is removed
PHONE_NAMES = ("phone", "phone_number", "phoneNumber")  # the four documents spell it so
EXTERNAL_ID_NAMES = ("external_id", "externalId")
BIRTH_DATE_NAMES = ("birth_date", "birthDate")
DEFAULT_CHANNEL_NAMES = ("default_channel_id", "defaultChannelId")
ALIASES = {
    names[0]: names for names in (PHONE_NAMES, EXTERNAL_ID_NAMES, BIRTH_DATE_NAMES, DEFAULT_CHANNEL_NAMES)
}


def _language(tag: str | None) -> str | None:
    return _standard_language(tag) if tag is not None else None


@lru_cache(maxsize=10_000)
def _standard_language(tag: str) -> str:
    try:
        return langcodes.standardize_tag(tag)
    except ValueError:
        raise PydanticCustomError(
            ItemCode.INVALID_LANGUAGE, "is not a language tag: write one like en or hi-IN (BCP 47)"
        ) from None


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def _timezone(name: str | None) -> str | None:
    if name is not None and name not in _timezones():
        raise PydanticCustomError(
            ItemCode.INVALID_TIMEZONE, "is not a time zone: write one of the IANA names, like Asia/Kolkata"
        )
    return name


DATE = re.compile(r"(?:(\d{4})|-)-(\d{2})-(\d{2})", re.ASCII)
DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _birth_date(value: object) -> str | None:
    """`{day, month, year?}` or ISO 8601 text, as ISO 8601 text; without a year: `--05-17`."""
    if value is None:
        return None
    year, month, day = _date_parts(value)
    leap = year is None or (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
    if (
        not 1 <= month <= 12
        or not 1 <= day <= DAYS[month - 1]
        or (month == 2 and day == 29 and not leap)
        or (year is not None and not 1 <= year <= 9999)
    ):
        raise _bad_date()
    return f"{'-' if year is None else f'{year:04}'}-{month:02}-{day:02}"


def _date_parts(value: object) -> tuple[int | None, int, int]:
    match value:
        case str() if found := DATE.fullmatch(value):
            return (int(found[1]) if found[1] else None), int(found[2]), int(found[3])
        case {"day": int(day), "month": int(month), **rest} if set(rest) <= {"year"}:
            year = rest.get("year")
            if isinstance(year, int | None) and not any(
                isinstance(part, bool) for part in (day, month, year)
            ):
                return year, month, day
    raise _bad_date()


def _bad_date() -> PydanticCustomError:
    return PydanticCustomError(
        ItemCode.INVALID_BIRTH_DATE, "is not a date: write 1990-05-17, --05-17 or {day, month, year}"
    )


Text = Annotated[str, StringConstraints(max_length=255)]
Short = Annotated[str, StringConstraints(max_length=64)]
Email = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s.]+$")]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Language = Annotated[Short | None, AfterValidator(_language)]
Age = Annotated[int, Field(ge=0, le=150)]
Timezone = Annotated[Short | None, AfterValidator(_timezone)]
BirthDate = Annotated[
    str | None, BeforeValidator(_birth_date, json_schema_input_type=str | dict[str, int | None] | None)
]


class Address(TypedDict, total=False):
    """A postal address, stored as one."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    address_line_one: Text | None
    address_line_two: Text | None
    city: Text | None
    state: Text | None
    post_code: Text | None
    country: Text | None


class ContactItem(TypedDict, total=False):
    """One item of `contacts.upsert`: a field that is absent is kept, a field that is null is cleared.

    Of `metadata` and `properties` single keys that are null are removed; null in their place keeps them.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    phone: Required[Annotated[str, Field(validation_alias=AliasChoices(*PHONE_NAMES))]]
    ref: Text | None  # the client's own mark, echoed in an item error
    error_code: Any  # these two: so that a corrected file of errors can be sent back as it is
    error_message: Any
    name: Text | None
    email: Email | None
    external_id: Annotated[ExternalId | None, Field(validation_alias=AliasChoices(*EXTERNAL_ID_NAMES))]
    language: Language
    nickname: Text | None
    age: Age | None
    gender: Short | None
    timezone: Timezone
    birth_date: Annotated[BirthDate, Field(validation_alias=AliasChoices(*BIRTH_DATE_NAMES))]
    address: Address | None
    default_channel_id: Annotated[UUID | None, Field(validation_alias=AliasChoices(*DEFAULT_CHANNEL_NAMES))]
    metadata: dict[str, Any] | None
    properties: dict[str, str | int | float | bool | None] | None


CSV_NAMES = {
    "phone_number": "phone",
    "phonenumber": "phone",
    "externalid": "external_id",
    "birthdate": "birth_date",
    "defaultchannelid": "default_channel_id",
}
FIELDS = tuple(ContactItem.__annotations__)
ECHOES = ("ref", "error_code", "error_message")  # taken, not stored
COLUMNS = tuple(name for name in FIELDS if name not in ECHOES)  # what is stored
NESTED = ("metadata", "properties", "address", "birth_date")  # in CSV: a column a key, as in metadata.city
KEYS = {"address": frozenset(Address.__annotations__), "birth_date": frozenset({"day", "month", "year"})}


def known_column(name: str) -> str | None:
    """The canonical name of a CSV column, or None where a contact has no such field."""
    name = CSV_NAMES.get(name, name)
    head, dot, key = name.partition(".")
    if dot:
        if head not in NESTED or not key or "\0" in key:  # jsonb takes no NUL
            return None
        return name if key in KEYS.get(head, {key}) else None
    if name in ("error_code", "error_message"):
        return ""  # known, and left out
    return name if name in FIELDS else None


def merge(earlier: ContactItem, later: ContactItem) -> ContactItem:
    """The item that does what both do, one after the other: each field is the last one that was given."""
    merged = {**earlier, **later}
    for name in DOCUMENTS:
        if earlier.get(name) and later.get(name):
            merged[name] = {**earlier[name], **later[name]}  # type: ignore[literal-required]
        elif earlier.get(name):  # the later one says nothing: absent, null or {}
            merged[name] = earlier[name]  # type: ignore[literal-required]
    return merged  # type: ignore[return-value]
