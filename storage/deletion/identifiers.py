"""By what a contact is known, and whether an item, as it was sent, has a trace of it."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from schemas.ids import read_id
from schemas.items.contacts import EXTERNAL_ID_NAMES
from schemas.items.phone import normaliser_for
from schemas.items.references import ID_NAMES

LEAST_DIGITS = 7  # of a phone number without its country code
_TOKENS = re.compile(
    r"[^,;\t|\"{}\[\]\r\n]+"
)  # between what separates values in a record that cannot be read
_NO_DIGITS = re.compile(r"\D+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifiers:
    """By what a contact is known: its phones (E.164), external ids and emails, of now and of before."""

    contact_id: int
    phones: frozenset[str] = frozenset()
    external_ids: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()  # casefolded

    @classmethod
    def of(cls, contact_id: int, fields: Iterable[tuple[str, str | None]]) -> Self:
        """Return the identifiers in pairs of the name of a field and its value."""
        found: dict[str, set[str]] = {"phone": set(), "external_id": set(), "email": set()}
        for name, value in fields:
            if value:
                found[name].add(value.casefold() if name == "email" else value)
        return cls(
            contact_id=contact_id,
            phones=frozenset(found["phone"]),
            external_ids=frozenset(found["external_id"]),
            emails=frozenset(found["email"]),
        )

    def with_pairs(self, more: Iterable[tuple[str, str | None]]) -> Self:
        """Return these identifiers and more."""
        return type(self).of(self.contact_id, [*self.pairs(), *more])

    def pairs(self) -> list[tuple[str, str]]:
        """Return what `of` takes."""
        named = {"phone": self.phones, "external_id": self.external_ids, "email": self.emails}
        return [(name, value) for name, values in named.items() for value in sorted(values)]

    def finder(self, region: str | None) -> Callable[[Any], bool]:
        """Return the function that tells whether an item of a job with this region has a trace.

        That is its id or external id in a field for it, its phone however it is written, its email anywhere,
        or its phone with the country code anywhere. A text is a record that cannot be read.
        """
        normalise = normaliser_for(region)

        def has_trace(item: Any) -> bool:
            return any(self._is_trace(name, value, normalise) for name, value in _values(item))

        return has_trace

    def may_be_in(self, body: bytes) -> bool:
        """Return whether bytes may have a trace by its phone, external id or email: a quick look."""
        if b"\\u" in body:
            return True
        folded = body.decode("utf-8", "replace").casefold()
        digits = _NO_DIGITS.sub("", folded)
        texts = (*self.emails, *(text.casefold() for text in self.external_ids))
        return any(phone[-LEAST_DIGITS:] in digits for phone in self.phones) or any(
            text in folded or json.dumps(text)[1:-1] in folded for text in texts
        )

    def _is_trace(self, name: str, value: str, normalise: Callable[[str], object]) -> bool:
        text = value.strip()
        if name in ID_NAMES and read_id("ctc", text) == self.contact_id:
            return True
        if name in ("", *EXTERNAL_ID_NAMES) and text in self.external_ids:
            return True
        folded = text.casefold()
        if any(email in folded for email in self.emails):
            return True
        digits = _NO_DIGITS.sub("", text)
        if len(digits) < LEAST_DIGITS:
            return False
        return any(
            phone[1:] in digits or (phone.endswith(digits[-LEAST_DIGITS:]) and normalise(text) == phone)
            for phone in self.phones
        )


def _values(item: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts and numbers in an item, each with the name of its field."""
    match item:
        case dict():
            for key, value in item.items():
                yield from _values(value, key)
        case list():
            for value in item:
                yield from _values(value, name)
        case str():
            yield name, item
            if not name:
                yield from (("", token) for token in _TOKENS.findall(item) if token != item)
        case int() | float():
            yield name, str(item)
