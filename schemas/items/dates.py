"""Read dates as people and programs write them, if they can mean one day only."""

import re
from typing import Final, Literal, NamedTuple, TypeAlias

DateFormat: TypeAlias = Literal["dmy", "mdy", "ymd"]

# Midnight, as programs write a date: any other time may belong to another day, depending on its zone.
_MIDNIGHT: Final = r"(?:[ T]00:00(?::00(?:\.0{1,9})?)?(?:Z|\+00:?00)?)?"
_ISO: Final = re.compile(rf"(?:(\d{{4}})-(\d\d)-(\d\d){_MIDNIGHT}|--(\d\d)-(\d\d))", re.ASCII)
_YEAR_FIRST: Final = re.compile(rf"(\d{{4}})([./])(\d\d?)\2(\d\d?){_MIDNIGHT}", re.ASCII)
_YEAR_LAST: Final = re.compile(rf"(\d\d?)([./-])(\d\d?)\2(\d{{4}}){_MIDNIGHT}", re.ASCII)
_MONTHS: Final = 12


class DateParts(NamedTuple):
    """A date whose day may not exist."""

    year: int | None
    month: int
    day: int


class AmbiguousDate(Exception):
    """A text can mean two days."""


def read_date(text: str, format_: DateFormat | None = None) -> DateParts | None:
    """Return the date in a text such as `1990-05-17`, `--05-17`, `1990-05-17 00:00:00`, `17.05.1990`.

    `format_` is the order of day, month and year. Without it, dots mean that the day comes first; otherwise
    a number over 12 shows which one is the day. ISO 8601 is always read. None: the text is no date. Raises
    AmbiguousDate.
    """
    text = text.strip()
    if found := _ISO.fullmatch(text):
        year, month, day = found[1], found[2] or found[4], found[3] or found[5]
        return DateParts(int(year) if year else None, int(month), int(day))
    if found := _YEAR_FIRST.fullmatch(text):
        return DateParts(int(found[1]), int(found[3]), int(found[4])) if format_ in {None, "ymd"} else None
    found = _YEAR_LAST.fullmatch(text)
    if found is None or format_ == "ymd":
        return None
    first, second, year = int(found[1]), int(found[3]), int(found[4])
    order = format_ or ("dmy" if found[2] == "." else _order_of(first, second))
    return DateParts(year, second, first) if order == "dmy" else DateParts(year, first, second)


def _order_of(first: int, second: int) -> DateFormat:
    if first > _MONTHS:
        return "dmy"
    if second > _MONTHS or first == second:
        return "mdy"
    raise AmbiguousDate
