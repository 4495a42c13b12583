"""Which contacts a list shows: its query, and what a search text looks for."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from schemas.queries import Query

MAX_PAGE = 10**9  # with the largest limit, what is skipped is still a number for PostgreSQL
PUNCTUATION = frozenset("+-().,/·")  # in phone numbers as people write them, besides spaces and dashes


def _searchable(text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise PydanticCustomError("not_text", "holds a NUL character, or is not UTF-8: search for text")
    return text.strip()


class ContactsQuery(Query):
    """Which page of which contacts."""

    page: int = Field(1, ge=1, le=MAX_PAGE, description="Which page, from 1.")
    limit: int = Field(20, ge=1, le=100)
    search: Annotated[str, Field(max_length=255), AfterValidator(_searchable)] = Field(
        "", description="A part of the name, or of the phone number."
    )


def name_pattern(text: str) -> str:
    """A LIKE pattern of the names that contain the text, whatever characters it has."""
    for character in ("\\", "%", "_"):
        text = text.replace(character, "\\" + character)
    return f"%{text}%"


def phone_pattern(text: str) -> str | None:
    """A LIKE pattern of the phones that contain the digits, or begin with them; None: it is no such text."""
    digits = ""
    for character in text:
        if (digit := unicodedata.decimal(character, None)) is not None:
            digits += str(digit)
        elif character not in PUNCTUATION and unicodedata.category(character) not in ("Zs", "Pd"):
            return None
    if not digits:
        return None
    return f"+{digits}%" if text.startswith("+") else f"%{digits}%"
