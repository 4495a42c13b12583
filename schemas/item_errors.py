"""The permanent codes of item errors, and the item error itself."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ItemCode(StrEnum):
    """Permanent codes of item errors; docs/reference/item-errors.md explains each."""

    # the record itself
    INVALID_JSON = "invalid_json"
    INVALID_ENCODING = "invalid_encoding"
    INVALID_CHARACTER = "invalid_character"
    NOT_AN_OBJECT = "not_an_object"
    ROW_LENGTH = "row_length"
    # fields
    UNKNOWN_FIELD = "unknown_field"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    OUT_OF_RANGE = "out_of_range"
    INVALID_VALUE = "invalid_value"
    NOT_A_VALUE = "not_a_value"
    ALTERED_NUMBER = "altered_number"
    INVALID_EMAIL = "invalid_email"
    INVALID_LANGUAGE = "invalid_language"
    INVALID_TIMEZONE = "invalid_timezone"
    INVALID_BIRTH_DATE = "invalid_birth_date"
    METADATA_TOO_LARGE = "metadata_too_large"
    PROPERTIES_TOO_LARGE = "properties_too_large"
    # phone numbers
    PHONE_TOO_SHORT = "phone_too_short"
    PHONE_TOO_LONG = "phone_too_long"
    PHONE_NOT_A_NUMBER = "phone_not_a_number"
    PHONE_UNKNOWN_COUNTRY_CODE = "phone_unknown_country_code"
    PHONE_INVALID_FOR_REGION = "phone_invalid_for_region"
    PHONE_DIGITS_LOST = "phone_digits_lost"
    PHONE_EXTENSION = "phone_extension"
    PHONE_AMBIGUOUS = "phone_ambiguous"
    # stored data
    PHONE_TAKEN = "phone_taken"
    EXTERNAL_ID_MISMATCH = "external_id_mismatch"
    CONFLICT = "conflict"
    CONTACT_NOT_FOUND = "contact_not_found"
    AMBIGUOUS_REFERENCE = "ambiguous_reference"
    UNKNOWN_PROPERTY = "unknown_property"
    PROPERTY_TYPE = "property_type"
    UNKNOWN_CHANNEL = "unknown_channel"
    TARGET_GONE = "target_gone"
    UNDO_UNAVAILABLE = "undo_unavailable"
    REJECTED_BY_DATABASE = "rejected_by_database"
    PROCESSING_FAILED = "processing_failed"


VERDICT = ("error_code", "error_message")  # added to an exported item; ignored when the item is sent back
# Added to the rows of a file whose columns are kept. No file has these names by itself, so none is lost.
ROW_VERDICT = (
    "bulklane_index",
    "bulklane_contact_id",
    "bulklane_outcome",
    "bulklane_code",
    "bulklane_message",
)
ADDED = frozenset((*VERDICT, *ROW_VERDICT))  # columns that are ignored when such a file is sent back
ERASED = "The item was erased on request."  # the message in place of what the item said
UNREAD = (ItemCode.INVALID_JSON, ItemCode.INVALID_ENCODING)  # `item` is the text of the record


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemError:
    """One failed item: its index, the field, the code and the message, and the item as it was sent.

    `item` is an object, or the text of a record that could not be read as one, or None if it was erased.
    """

    index: int
    field: str | None
    code: str  # an ItemCode; a stored one may be of a newer release, which was rolled back
    message: str
    value: Any
    item: Any
    ref: str | None = None

    @property
    def erased(self) -> bool:
        """Whether the item was erased with its contact, so that nobody can correct it or send it again."""
        return self.item is None and self.message == ERASED


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorExample:
    """One item error of a group."""

    index: int
    value: Any
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """The item errors of a job with one code and one field. `code` None: those of all smaller groups.

    `examples` are the errors of the first items.
    """

    code: str | None
    field: str | None
    count: int
    examples: tuple[ErrorExample, ...]
