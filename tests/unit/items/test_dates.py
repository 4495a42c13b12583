"""Birth dates as text: read if they can mean one day only."""

import json

import pytest

from schemas.formats.csv_layout import CsvLayout
from schemas.items.contacts import ContactItem, known_column
from schemas.items.dates import DateFormat
from schemas.items.faults import Fault
from schemas.items.reader import Reader, Run

READER = Reader(ContactItem, known_column)


@pytest.mark.parametrize(
    ("text", "format_", "stored"),
    [
        ("1990-05-17 00:00:00", None, "1990-05-17"),
        ("1990-05-17T00:00:00.000Z", "mdy", "1990-05-17"),
        ("--05-17", "dmy", "--05-17"),
        ("17.05.1990", None, "1990-05-17"),
        ("7.5.1990 00:00", None, "1990-05-07"),
        ("1990/05/17", None, "1990-05-17"),
        ("17/05/1990", None, "1990-05-17"),
        ("05/17/1990", None, "1990-05-17"),
        ("05-05-1990", None, "1990-05-05"),
        ("05/06/1990", "dmy", "1990-06-05"),
        ("05/06/1990", "mdy", "1990-05-06"),
        ("05.06.1990", "mdy", "1990-05-06"),
        ("1990.5.6", "ymd", "1990-05-06"),
        ("05/06/1990", None, "can mean two days"),
        ("05/06/1990", "ymd", "is not a date"),
        ("1990/05/06", "dmy", "is not a date"),
        ("17/05/1990", "mdy", "is not a date"),
        ("1990-05-17 12:30:00", None, "is not a date"),
        ("17.05.90", None, "is not a date"),
        ("17.05/1990", None, "is not a date"),
        ("\u0661990-05-17", None, "is not a date"),
        ("31.02.1990", None, "is not a date"),
    ],
)
def test_a_date_is_read_if_it_means_one_day_only(text: str, format_: DateFormat | None, stored: str) -> None:
    csv = CsvLayout(delimiter=",", columns=("phone", "birth_date")).to_dict()
    line = json.dumps({"phone": "+1", "birth_date": text}).encode()
    row = Run(READER, "csv", csv, f"+1,{text}".encode(), format_)
    for run in (row, Run(READER, "ndjson", None, line, format_)):
        (found,) = run.read(0, 1)
        if isinstance(found, Fault):
            assert found.code == "invalid_birth_date"
            assert stored in found.message
        else:
            assert found["birth_date"] == stored
