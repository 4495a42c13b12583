"""How templates show numbers, times and durations."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

NOTHING = "\N{EN DASH}"
_SUBJECT = re.compile(r"^(\w+): (is|has|must) ")
FIRST_ROWS = {"csv": ("row", 2), "ndjson": ("line", 1)}
SIZES = ("bytes", "kB", "MB", "GB", "TB")


def number(value: float | None) -> str:
    """Return a number with a comma between thousands."""
    return NOTHING if value is None else f"{value:,.0f}"


def counted(value: int, one: str, many: str = "") -> str:
    """Return a number with its noun. The plural has an s, unless `many` is another one."""
    return f"{number(value)} {one if value == 1 else many or f'{one}s'}"


def percent(value: float | None) -> str:
    """Return a share from 0 to 1 as per cent. Only the whole is 100 %, and only nothing is 0 %."""
    if value is None:
        return NOTHING
    shown = value * 100
    return f"{min(shown, 99.9):.1f} %" if 0 < shown < 100 else f"{shown:.0f} %"


def moment(value: datetime | None) -> str:
    """Return a time in UTC to the second."""
    return NOTHING if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def input_time(value: datetime | None) -> str:
    """Return a time in UTC as the value of an input."""
    return "" if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def duration(value: timedelta | float | None) -> str:
    """Return a duration as its two largest units, a short one in milliseconds. A number is in seconds."""
    if value is None:
        return NOTHING
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms" if seconds > 0 else "0 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if not minutes:
        return f"{whole} s"
    if not hours:
        return f"{minutes} min {whole % 60} s"
    return f"{hours} h {minutes % 60} min" if not days else f"{days} d {hours % 24} h"


def ago(value: datetime | None) -> str:
    """Return how long ago a time was, or in how long it will be."""
    if value is None:
        return NOTHING
    seconds = round((datetime.now(UTC) - value).total_seconds())
    return f"{duration(float(seconds))} ago" if seconds >= 0 else f"in {duration(float(-seconds))}"


def size(value: float | None) -> str:
    """Return a number of bytes in the largest unit that is not below one."""
    if value is None:
        return NOTHING
    unit = 0
    while value >= 1000 and unit < len(SIZES) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {SIZES[unit]}" if unit == 0 else f"{value:.1f} {SIZES[unit]}"


def words(value: str) -> str:
    """Return a name of the API in plain words: `completed_with_errors`, `lists.add`."""
    return value.replace("_", " ")


def sentence(value: str) -> str:
    """Return a message with a capital letter and a full stop: `since: is not a time` has no colon then."""
    value = _SUBJECT.sub(r"\1 \2 ", value)
    return value[:1].upper() + value[1:] + ("" if value.endswith((".", "!", "?")) else ".")


def first_row(form: str) -> int:
    """Return the number of the first item in a file of this format, as a person counts.

    It is 2 in CSV, after the header. The items of JSON have no rows: there it is 0, the index.
    """
    return FIRST_ROWS.get(form, ("item", 0))[1]


def row_word(form: str) -> str:
    """Return what an item is in a file of this format: a row, a line, an item."""
    return FIRST_ROWS.get(form, ("item", 0))[0]


def row(index: int, form: str) -> str:
    """Return the number of an item in a file of this format, as a person counts. Empty lines do not count."""
    return number(index + first_row(form))


def rate(value: float | None) -> str:
    """Return a number of items a second."""
    return NOTHING if value is None else f"{value:,.1f}/s" if value < 10 else f"{value:,.0f}/s"


def as_json(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON that people read: other scripts are not escaped."""
    return json.dumps(value, ensure_ascii=False, indent=indent).encode(errors="backslashreplace").decode()


def address(path: str, fragment: str = "", **query: Any) -> str:
    """Return the address of a page with the parts of a query that have a value."""
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return path + (f"?{urlencode(given)}" if given else "") + (f"#{fragment}" if fragment else "")


FILTERS: Mapping[str, Callable[..., Any]] = {
    "number": number,
    "counted": counted,
    "percent": percent,
    "moment": moment,
    "input_time": input_time,
    "duration": duration,
    "ago": ago,
    "size": size,
    "words": words,
    "sentence": sentence,
    "rate": rate,
    "row": row,
    "row_word": row_word,
    "first_row": first_row,
    "json": as_json,
}
