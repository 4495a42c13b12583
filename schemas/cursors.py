"""The cursor of a page: the id of the last thing on the page before."""

from collections.abc import Callable

from pydantic import WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.ids import Prefix, read_id

TEXT = WithJsonSchema({"type": "string"})  # as it stands in a query


def cursor_of(prefix: Prefix) -> Callable[[object], int]:
    """What reads the number behind a cursor, as a BeforeValidator."""

    def read(cursor: object) -> int:
        number = read_id(prefix, cursor)
        if number is None:
            raise PydanticCustomError("no_cursor", "write the next_cursor of another page")
        return number

    return read
