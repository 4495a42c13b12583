"""Check the properties of a contact: each key must be defined, and its value of the defined type."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal, assert_never

from schemas.item_errors import ItemCode
from schemas.items.dates import AmbiguousDate, DateFormat, read_date
from schemas.items.faults import Fault

NUMBER: Final = re.compile(r"[+-]?\d{1,64}(\.\d{1,64})?([eE][+-]?\d{1,3})?", re.ASCII)
BOOLEANS: Final = {"true": True, "false": False}
MANY_OPTIONS = 10  # the most options of an enum that a message names
PropertyType = Literal["string", "number", "boolean", "date", "enum"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """The name of a property and the type of its values; only an enum has `options`."""

    name: str
    type: PropertyType
    options: tuple[str, ...] = ()

    def fits(self, value: object) -> bool:
        """Return whether a value is of the type."""
        match self.type:
            case "string":
                return isinstance(value, str)
            case "number":
                return isinstance(value, int | float) and not isinstance(value, bool)
            case "boolean":
                return isinstance(value, bool)
            case "date":
                return isinstance(value, str)  # see `day_of`
            case "enum":
                return value in self.options
            case _:
                assert_never(self.type)

    def read(self, value: object) -> object:
        """Convert text of a CSV file to the type number or boolean; return any other value as it is."""
        if isinstance(value, str) and self.type == "number":
            return _number(value.strip())
        if isinstance(value, str) and self.type == "boolean":
            return BOOLEANS.get(value.strip().casefold(), value)
        return value


class Definitions:
    """The definitions of an account, indexed by name; made once for many items.

    `date_format` is the order of day, month and year in dates of text.
    """

    def __init__(self, definitions: Iterable[Definition], date_format: DateFormat | None = None) -> None:
        self._date_format = date_format
        self._known = {definition.name: definition for definition in definitions}
        # if two names differ in case alone, a third spelling matches neither
        self._by_folded_name: dict[str, str] = {}
        for name in self._known:
            folded = name.casefold()
            self._by_folded_name[folded] = "" if folded in self._by_folded_name else name

    def check(self, properties: Mapping[str, Any], *, from_text: bool = False) -> dict[str, Any] | Fault:
        """Return the properties as they are stored, or the first fault.

        `from_text`: they come from a CSV file, so names are compared without case, and numbers and booleans
        are read from text. Dates are read from text in any case. Null removes a property, whatever its type.
        """
        checked = {}
        for given, value in properties.items():
            name = self._name_of(given) if from_text else given
            definition = self._known.get(name)
            if definition is None:
                return _unknown(given, value)
            read = definition.read(value) if from_text else value
            if definition.type == "date" and isinstance(read, str):
                try:
                    read = day_of(read, self._date_format)
                except AmbiguousDate:
                    return _ambiguous(name, value)
            if value is not None and not definition.fits(read):
                return _misfit(name, definition, value)
            checked[name] = read
        return checked

    def _name_of(self, given: str) -> str:
        return given if given in self._known else self._by_folded_name.get(given.casefold(), given)


def day_of(text: str, format_: DateFormat | None) -> str | None:
    """Return a day as it is stored, with its year; None: the text is no day. Raises AmbiguousDate."""
    found = read_date(text, format_)
    if found is None or found.year is None:
        return None
    try:
        return date(found.year, found.month, found.day).isoformat()
    except ValueError:
        return None


def _number(text: str) -> int | float | str:
    if not NUMBER.fullmatch(text):
        return text
    if text.lstrip("+-").isdigit():
        return int(text)
    number = float(text)
    if not math.isfinite(number):
        return text
    whole = text.rstrip("0").removesuffix(".") if "." in text else ""
    return int(whole) if whole.lstrip("+-").isdigit() and int(whole) != number else number


def _unknown(name: str, value: Any) -> Fault:
    message = f"properties.{name[:100]} is not defined for this account: POST /v1/properties defines it"
    return Fault("properties", ItemCode.UNKNOWN_PROPERTY, message, value)


def _ambiguous(name: str, value: Any) -> Fault:
    message = (
        f"properties.{name} can mean two days: send date_format=dmy or date_format=mdy, or write 2026-05-17"
    )
    return Fault("properties", ItemCode.PROPERTY_TYPE, message, value)


def _misfit(name: str, definition: Definition, value: Any) -> Fault:
    match definition.type:
        case "string":
            expected = "text"
        case "number":
            expected = "a number"
        case "boolean":
            expected = "true or false"
        case "date":
            expected = "a day, written like 2026-05-17"
        case "enum":
            more = ", …" if len(definition.options) > MANY_OPTIONS else ""
            expected = f"one of {', '.join(definition.options[:MANY_OPTIONS])}{more}"
        case _:
            assert_never(definition.type)
    message = f"properties.{name} is defined to be {expected}: correct the value, or the definition"
    return Fault("properties", ItemCode.PROPERTY_TYPE, message, value)
