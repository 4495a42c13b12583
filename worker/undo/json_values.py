"""JSON objects as PostgreSQL prints them: read and written without the loss of a digit. Pure."""

import json
from decimal import Decimal
from typing import Any


def read_object(text: str | None) -> dict[str, Any]:
    """Return the object in a text; {} if there is none. Numbers with a fraction are exact decimals."""
    return json.loads(text, parse_float=Decimal) if text else {}


def write_value(value: Any) -> str:
    """Return a value of `read_object` as JSON."""
    match value:
        case dict():
            members = [f"{json.dumps(key)}: {write_value(inner)}" for key, inner in value.items()]
            return "{" + ", ".join(members) + "}"
        case list():
            return "[" + ", ".join(map(write_value, value)) + "]"
        case Decimal():
            return str(value)
        case _:
            return json.dumps(value)
