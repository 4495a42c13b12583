"""Fields of a JSON item that no item has, where a job leaves them out: `unknown_columns=ignore` or `keep`."""

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from schemas.formats.csv_header import clean_name
from schemas.formats.records import RawItem


def without_unknown(
    item: RawItem, error: ValidationError, known_column: Callable[[str], str | None]
) -> bytes | None:
    """Return the JSON of an item without the unknown fields of its error; None: it has none.

    A name that would be known as that of a column stays, and so its item fails: `Phone`, or a second
    spelling. Changes the item.
    """
    paths = [
        first["loc"]
        for first in error.errors(include_url=False, include_context=False, include_input=False)
        if first["type"] == "extra_forbidden"
    ]
    unknown = [path for path in paths if known_column(clean_name(".".join(map(str, path)))) is None]
    if not unknown or not isinstance(item, dict):
        return None
    for *outer, name in unknown:
        inner: Any = item
        for key in outer:
            inner = inner[key]
        inner.pop(name, None)  # JSON may repeat a name, which has an error each time
    return to_json(item)
