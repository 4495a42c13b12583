"""By what a contact is known, and whether an item, as it was sent, has a trace of it."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from phonenumbers import NumberParseException, national_significant_number, parse
from phonenumbers.phonenumberutil import normalize_digits_only

from schemas.ids import read_id
from schemas.items.contacts import EXTERNAL_ID_NAMES, PHONE_NAMES
from schemas.items.phone import Normaliser, normaliser_for
from schemas.items.references import ID_NAMES

TAIL = 7  # the most digits at the end of a phone by which a quick look finds it
KEY = "*"  # in place of the name of a field, for a key of an object
UNNAMED = ""  # for an item that is no object, and for a text that cannot be read
GAP = r"\D{0,3}"  # between two digits of a phone
_TOKENS = re.compile(r"[^,;\t|\"{}\[\]\r\n]+")  # the values of a record that cannot be read
_NO_DIGITS = re.compile(r"\D+")
_OTHER_DIGITS = re.compile(r"(?![0-9])\d")  # of other scripts
_KEYPAD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Phone:
    """A phone, and how it is found in a text: with its country code, and without."""

    e164: str
    tail: str
    anywhere: re.Pattern[str]
    national: re.Pattern[str]

    @classmethod
    def of(cls, e164: str) -> Self:
        """Return the patterns of a phone."""
        try:
            parsed = parse(e164)
            number, code = national_significant_number(parsed), str(parsed.country_code)
        except (
            NumberParseException
        ):  # an older release of phonenumbers knew its country: the erasure must end
            number, code = e164[3:], e164[1:3]
        international = f"(?:00?|011)?{_spaced(code)}{GAP}(?:0{GAP})?{_spaced(number)}"  # +49 (0) 30 …
        return cls(
            e164=e164,
            tail=number[-TAIL:],
            anywhere=_alone(international),
            national=_alone(f"0?{_spaced(number)}"),
        )

    def is_in(self, name: str, text: str, normalise: Normaliser) -> bool:
        """Return whether a value says this phone, and no longer one. `text` has the digits 0 to 9 only."""
        digits = _NO_DIGITS.sub("", text)
        if digits == self.e164[1:]:
            return True
        if self.tail not in digits and not (
            digits and self.tail in _NO_DIGITS.sub("", text.upper().translate(_KEYPAD))
        ):
            return False
        if isinstance(read := normalise(text), str):
            return read == self.e164
        is_phone = name in (UNNAMED, *PHONE_NAMES)
        return bool(self.anywhere.search(text) or (is_phone and self.national.search(text)))


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
            if value and (name != "phone" or value.startswith("+")):  # "~17" stands for a phone that moves
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
        or its phone with the country code anywhere, in keys, too. A text is a record that cannot be read.
        """
        normalise, phones = normaliser_for(region), [_Phone.of(phone) for phone in self.phones]
        emails = [_whole_email(email) for email in self.emails]

        def is_trace(name: str, value: str) -> bool:
            text = value.strip()
            if self._is_id(name, text) or ("@" in text and any(email.search(text) for email in emails)):
                return True
            plain = text if text.isascii() else normalize_digits_only(text, keep_non_digits=True)
            return any(phone.is_in(name, plain, normalise) for phone in phones)

        def has_trace(item: Any) -> bool:
            return any(is_trace(name, value) for name, value in _values(item))

        return has_trace

    def may_be_in(self, body: bytes) -> bool:
        """Return whether bytes may have a trace by its phone, external id or email: a quick look."""
        if b"\\u" in body:
            return True
        folded = body.replace(b"\\/", b"/").decode("utf-8", "replace").casefold()
        if not body.isascii() and _OTHER_DIGITS.search(folded):
            return True
        digits = _NO_DIGITS.sub("", folded)
        if any(_Phone.of(phone).tail in digits for phone in self.phones):
            return True
        texts = (*self.emails, *(text.casefold() for text in self.external_ids))
        return any(form in folded for text in texts for form in _written(text))

    def _is_id(self, name: str, text: str) -> bool:
        if name in ID_NAMES and read_id("ctc", text) == self.contact_id:
            return True
        return name in (UNNAMED, *EXTERNAL_ID_NAMES) and text in self.external_ids


def _written(text: str) -> set[str]:
    """Return a text as it may stand in JSON and in CSV."""
    return {text, json.dumps(text)[1:-1], text.replace('"', '""')}


def _spaced(digits: str) -> str:
    return GAP + GAP.join(digits)


def _alone(digits: str) -> re.Pattern[str]:
    """Return the pattern of digits that are no part of longer ones."""
    return re.compile(rf"(?<!\d){digits}(?!\d)")


def _whole_email(email: str) -> re.Pattern[str]:
    """Return the pattern of an email that is no part of another one."""
    return re.compile(rf"(?<![\w.%+-]){re.escape(email)}(?![\w-]|\.\w)", re.IGNORECASE)


def _values(item: Any, name: str = UNNAMED) -> Iterator[tuple[str, str]]:
    """Yield the texts, numbers and keys in an item, each with the name of its field."""
    match item:
        case dict():
            for key, value in item.items():
                yield KEY, key
                yield from _values(value, key)
        case list():
            for value in item:
                yield from _values(value, name)
        case str():
            yield name, item
            if not name:
                yield from ((UNNAMED, token) for token in _TOKENS.findall(item) if token != item)
        case int() | float():
            yield name, str(item)
