"""Write the items of a retry: the failed items of a job as they were sent.

A record that could not be read is written as it was sent, and fails again for the same reason.
"""

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from schemas.errors import Conflict
from schemas.formats.content_type import Format
from schemas.formats.csv_layout import CsvLayout
from schemas.item_errors import UNREAD, VERDICT, ItemCode, ItemError
from storage.pipeline import results
from storage.pipeline.jobs import Parent
from storage.postgres.pool import Pool

LEFT_OUT = VERDICT[0]  # a column that every operation accepts and ignores
ESCAPED_BYTE = re.compile(rb"\\x([89a-f][0-9a-f])")


def check_retry(parent: Parent) -> None:
    """Raise Conflict if the job has not ended, or has no failed item."""
    if not parent.state.ended:
        message = f"the job is {parent.state}: retry its failed items when it has ended"
        raise Conflict(message, code="job_not_ended")
    if not parent.failed:
        raise Conflict("no item of the job has failed: there is nothing to retry", code="nothing_to_retry")


def format_of_failed(parent: Parent) -> Format:
    """Return the format in which `failed_items` writes."""
    return Format.CSV if parent.layout else Format.NDJSON


def renames_of_failed(parent: Parent) -> dict[str, str]:
    """Return the renames for what `failed_items` writes: columns that were left out are left out again."""
    return {name: "" for name in parent.layout.left_out if name} if parent.layout else {}


async def failed_items(pool: Pool, parent: Parent) -> AsyncIterator[bytes]:
    """Yield the failed items in the order of their index, one page at a time.

    Those that were erased are left out. Raises Conflict if that leaves none.
    """
    found = False
    if parent.layout:
        yield _header(parent.layout)
    async for page in results.error_pages(pool, parent.account_id, parent.job_id):
        left = [error for error in page if not error.erased]
        found = found or bool(left)
        yield b"".join(_record(error, parent.layout) for error in left)
    if not found:
        message = "all failed items of the job were erased with their contacts: there is nothing to retry"
        raise Conflict(message, code="nothing_to_retry")


def _header(layout: CsvLayout) -> bytes:
    """Return the header row, each name quoted so that a delimiter in a name does not count."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=layout.delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(column or LEFT_OUT for column in layout.whole().columns)
    return buffer.getvalue().encode()


def _record(error: ItemError, layout: CsvLayout | None) -> bytes:
    item = error.item
    if layout is None:
        unread = isinstance(item, str) and error.code in UNREAD
        return (_original_bytes(item, error.code) if unread else _line(item)) + b"\n"
    if isinstance(item, dict):
        return _row(item, layout)
    return _original_bytes(str(item), error.code) + b"\r\n"


def _line(item: Any) -> bytes:
    """Return an item as the shortest JSON, so that an item near the size limit does not exceed it."""
    return json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def _row(item: dict[str, Any], layout: CsvLayout) -> bytes:
    buffer = io.StringIO()
    cells = map(item.get, layout.whole().columns)
    csv.writer(buffer, delimiter=layout.delimiter).writerow(map(_cell, cells))
    return buffer.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _original_bytes(text: str, code: str) -> bytes:
    """Return the bytes of a record that could not be read; it is stored with invalid bytes as \\xNN."""
    record = text.encode("utf-8", "backslashreplace")
    if code != ItemCode.INVALID_ENCODING:
        return record
    return ESCAPED_BYTE.sub(lambda found: bytes.fromhex(found[1].decode()), record)
