"""Phones that are numbers in a JSON item, as programs write a column of digits: `{"phone": 919876543210}`."""

import json

from pydantic_core import to_json

from schemas.formats.records import RawItem
from schemas.items.contacts import PHONE_NAMES


def with_text_phone(line: bytes, item: RawItem) -> bytes | None:
    """Return the line of an item with its phone as a text; None: the phone is no number.

    The text has the characters of the number, since `9.2E+11` as a value does not show that digits were lost.
    """
    if not isinstance(item, dict):
        return None
    names = [name for name in PHONE_NAMES if type(item.get(name)) in {int, float}]
    if not names:
        return None
    written = json.loads(line, parse_int=str, parse_float=str)
    return to_json({**item, **{name: written[name] for name in names}})
