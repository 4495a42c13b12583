"""Blank single records of stored bytes: the same length, the same number of records and of cells."""

from collections.abc import Sequence
from typing import NamedTuple

from schemas.formats import csv_rows, ndjson
from schemas.formats.csv_layout import CsvLayout

BLANK = b"*"


class RecordPlace(NamedTuple):
    """Where a record stands in the bytes: from `start` to before `end`, without its line end."""

    start: int
    end: int


def places(run: bytes, layout: CsvLayout | None) -> list[RecordPlace]:
    """Return the places of the records of a run, one per record of its span."""
    records = csv_rows.records(run, layout) if layout else ndjson.lines(run)
    found, start = [], 0
    for record in records:
        start = run.index(record, start)
        found.append(RecordPlace(start, start + len(record.rstrip(b"\r\n"))))
        start += len(record)
    return found


def read_record(record: bytes, layout: CsvLayout | None) -> object:
    """Return a record as it was sent: JSON, cells by field, or the text that cannot be read."""
    item = csv_rows.decode(record, layout.whole())[0] if layout else ndjson.decode_line(record)
    return getattr(item, "text", item)


def blanked(body: bytes, blank: Sequence[RecordPlace], layout: CsvLayout | None) -> bytes:
    """Return bytes of the same length without what these records say."""
    changed = bytearray(body)
    for place in blank:
        record = body[place.start : place.end]
        changed[place.start : place.end] = _cells(record, layout) if layout else _json(len(record))
    return bytes(changed)


def _json(length: int) -> bytes:
    return b"{}".ljust(length) if length > 1 else b"0"


def _cells(record: bytes, layout: CsvLayout) -> bytes:
    """Keep the delimiters between the cells, and nothing else."""
    delimiter, quote, kept = ord(layout.delimiter), ord('"'), bytearray()
    may_open, is_open = True, False  # quotes are quotes at the beginning of a cell, and doubled within them
    for byte in record:
        if byte == delimiter and not is_open:
            kept.append(delimiter)
            may_open = True
            continue
        kept += BLANK
        if byte == quote and (is_open or may_open):
            is_open = not is_open
        elif not is_open:
            may_open = False
    return bytes(kept)
