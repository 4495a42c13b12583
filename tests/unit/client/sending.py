"""Send a source without a connection, and find its rows again."""

import json
from typing import Any

from bulklane._sync.body import Body
from bulklane.compression import Compression
from bulklane.rows import Format, RowFinder
from bulklane.sources import open_source

ROWS = [{"phone": "+14155552671", "name": "Ana"}, {"phone": "12", "metadata": {"city": "Köln"}}]
LINES = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in ROWS)


def sent(source: Any, format_: Format | None = None, compression: Compression = "none") -> tuple[Body, bytes]:
    body = Body(open_source(source, format_, None), compression)
    return body, b"".join(body.pieces())


def found(body: Body, count: int) -> list[Any]:
    finder = RowFinder(body.rows)
    return [finder.find(index) for index in range(count)]
