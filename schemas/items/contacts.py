"""The fields of a contact, each declared once, and how two items of one contact merge.

To add a field: add a line to `ContactItem`, a migration of the table contacts (with
storage/schema/tables.sql), and the name to docs/reference/contacts.md. The rest derives from the line. Tests
fail for what is missing.
"""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Required
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic takes typing.TypedDict from Python 3.12 on

from schemas.formats.ndjson import KeySearch
from schemas.item_errors import ADDED, ItemCode
from schemas.items.contact_field import Column, NumberKeys, spelled, stored_fields
from schemas.items.dates import AmbiguousDate, DateFormat, read_date
from schemas.items.program_texts import check_id

MAX_JSON_BYTES = 16 * 1024  # of metadata, and of properties, as UTF-8 JSON
PHONE_NAMES = ("phone", "phone_number", "phoneNumber")  # the partners' spellings
EXTERNAL_ID_NAMES = ("external_id", "externalId")
KEY = "phone"  # the field that every item has, and by which the upsert finds the contact
DATE_FORMAT = "date_format"  # the key of a DateFormat in the context of a validation
LEAP_YEAR = 2000  # for birth dates without a year, so that 29 February is valid


class _Languages(dict[str | None, str | None]):
    """The standard forms of language tags. A look-up of a known tag calls no Python code."""

    MOST = 10_000  # tags to keep: a client may send any

    def __missing__(self, given: str | None) -> str | None:
        standard = None if given is None else _standard_language(given.strip())
        if len(self) >= self.MOST:
            self.clear()
        self[given] = standard
        return standard


def _standard_language(tag: str) -> str:
    import langcodes  # it loads its registry for 30 ms, which a process that meets no language does not need

    if not langcodes.tag_is_valid(tag):  # also well-formed tags that are not registered, such as "true"
        raise PydanticCustomError(
            ItemCode.INVALID_LANGUAGE, "is not a language tag: write one like en or hi-IN (BCP 47)"
        )
    return langcodes.standardize_tag(tag)


LANGUAGES = _Languages()


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def _timezone(name: str | None) -> str | None:
    name = name.strip() if name is not None else None
    if name is not None and name not in _timezones():
        raise PydanticCustomError(
            ItemCode.INVALID_TIMEZONE, "is not a time zone: write one of the IANA names, like Asia/Kolkata"
        )
    return name


def _birth_date(value: object, info: ValidationInfo) -> str | None:
    """Convert `{day, month, year?}` or text to ISO 8601 text; without a year: `--05-17`."""
    if value is None:
        return None
    context = info.context
    format_ = context.get(DATE_FORMAT) if isinstance(context, Mapping) else None
    try:
        year, month, day = _date_parts(value, format_)
        checked = date(LEAP_YEAR if year is None else year, month, day)
    except (ValueError, OverflowError):
        raise _bad_date() from None
    except AmbiguousDate:
        raise PydanticCustomError(
            ItemCode.INVALID_BIRTH_DATE,
            "can mean two days: send date_format=dmy or date_format=mdy, or write 1990-05-17",
        ) from None
    return f"--{checked:%m-%d}" if year is None else checked.isoformat()


def _date_parts(value: object, format_: DateFormat | None) -> tuple[int | None, int, int]:
    match value:
        case str() if found := read_date(value, format_):
            return found
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
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(check_id)]
Language = Annotated[Short | None, AfterValidator(LANGUAGES.__getitem__)]
Age = Annotated[int, Field(ge=0, le=150)]
Timezone = Annotated[Short | None, AfterValidator(_timezone)]
BirthDate = Annotated[
    str | None, BeforeValidator(_birth_date, json_schema_input_type=str | dict[str, int | None] | None)
]


class Address(TypedDict, total=False):
    """A postal address, replaced as a whole."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    address_line_one: Text | None
    address_line_two: Text | None
    city: Text | None
    state: Text | None
    post_code: Text | None
    country: Text | None


class ContactItem(TypedDict, total=False):
    """One item of `contacts.upsert`: a field that is absent is kept, a field that is null is cleared.

    In `metadata` and `properties`, a key that is null is removed; null in place of the object keeps it.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    phone: Required[Annotated[str, spelled(*PHONE_NAMES), Column("text", collation="C")]]
    ref: Text | None  # the client's own reference, repeated in an item error
    error_code: Any  # these two are ignored: a corrected file of item errors can be sent back
    error_message: Any
    name: Annotated[Text | None, Column("text")]
    email: Annotated[Email | None, Column("text")]
    external_id: Annotated[ExternalId | None, spelled(*EXTERNAL_ID_NAMES), Column("text", collation="C")]
    language: Annotated[Language, Column("text")]
    nickname: Annotated[Text | None, Column("text")]
    age: Annotated[Age | None, Column("smallint")]
    gender: Annotated[Short | None, Column("text")]
    timezone: Annotated[Timezone, Column("text")]
    birth_date: Annotated[
        BirthDate,
        spelled("birth_date", "birthDate"),
        Column("text"),
        NumberKeys(("day", "month", "year")),
    ]
    address: Annotated[Address | None, Column("jsonb")]
    default_channel_id: Annotated[
        UUID | None, spelled("default_channel_id", "defaultChannelId"), Column("uuid")
    ]
    metadata: Annotated[dict[str, Any] | None, Column("jsonb", default="'{}'", merge="by_key")]
    properties: Annotated[
        dict[str, str | int | float | bool | None] | None, Column("jsonb", default="'{}'", merge="by_key")
    ]


class SingleFields(TypedDict, total=False):
    """The fields of a contact that a contact item cannot set."""

    opted_out: Annotated[bool, Column("boolean", default="false")]
    communication_preference: Annotated[str | None, Column("text")]  # null: the default of the settings
    team_id: Annotated[int | None, Column("bigint")]


class StoredFields(ContactItem, SingleFields, total=False):
    """The values of a stored contact."""


ITEM_FIELDS = tuple(stored_fields(ContactItem, in_items=True))
CONTACT_FIELDS = (*ITEM_FIELDS, *stored_fields(SingleFields, in_items=False))

FIELDS = tuple(ContactItem.__annotations__)
COLUMNS = tuple(field.name for field in ITEM_FIELDS)
ECHOES = tuple(name for name in FIELDS if name not in COLUMNS)  # accepted, not stored
JSON_FIELDS = tuple(field.name for field in ITEM_FIELDS if field.by_key)
WHOLE_JSON_FIELDS = tuple(field.name for field in ITEM_FIELDS if field.is_json and not field.by_key)
SPELLINGS = {field.name: field.spellings for field in ITEM_FIELDS}

# For the columns of a CSV file; their names are compared without case.
NESTED = {field.name: field for field in ITEM_FIELDS if field.nested}
JSON_COLUMNS = {field.name for field in ITEM_FIELDS if field.is_json}  # a cell of these is a JSON object
NUMBER_COLUMNS = {field.name for field in ITEM_FIELDS if field.plain_type == int | None} | {
    f"{field.name}.{key}" for field in ITEM_FIELDS for key in field.number_keys
}
CSV_NAMES = {spelling.casefold(): field.name for field in ITEM_FIELDS for spelling in field.spellings}


def known_column(name: str) -> str | None:
    """Return the canonical name of a CSV column, "" for one that is ignored, None for an unknown one."""
    head, dot, key = name.partition(".")
    if dot:
        field = NESTED.get(head)
        known = field is not None and key != "" and "\0" not in key and field.has_key(key)  # jsonb: no NUL
        return name if known else None
    if name in ADDED:
        return ""
    return CSV_NAMES.get(name, name if name in ECHOES else None)


EXTERNAL_ID = KeySearch(SPELLINGS["external_id"])


def may_move_phones(text: bytes) -> bool:
    """Return whether raw JSON may have an external id, with which an item can move a phone."""
    return EXTERNAL_ID.may_be_in(text)


def merge(earlier: ContactItem, later: ContactItem) -> ContactItem:
    """Return one item with the effect of both in this order: the last value of a field wins."""
    merged = {**earlier, **later}
    for name in JSON_FIELDS:
        if earlier.get(name) and later.get(name):
            merged[name] = {**earlier[name], **later[name]}  # type: ignore[literal-required]
        elif earlier.get(name):  # the later value is absent, null or {}, which all keep the earlier one
            merged[name] = earlier[name]  # type: ignore[literal-required]
    return merged  # type: ignore[return-value]
