"""A blanked row says nothing any more, and keeps its length and its number of cells."""

import csv

import pytest

from schemas.formats.csv_layout import CsvLayout
from storage.deletion.blank_records import RecordPlace, blanked

LAYOUT = CsvLayout(delimiter=",", columns=("phone", "size", "name"))


@pytest.mark.parametrize(
    "row", ['+14155550100,5" pipe,Ana', ' "1",a"b,"a ""x, y"" b"', '"a"b,c",d', ",,", 'é,"é\n,",x']
)
def test_a_blanked_row_has_as_many_cells(row: str) -> None:
    body = row.encode()
    blank = blanked(body, [RecordPlace(0, len(body))], LAYOUT)
    assert len(blank) == len(body)
    assert set(blank) <= set(b"*,")
    (before,), (after,) = (list(csv.reader([text])) for text in (row.replace("\n", " "), blank.decode()))
    assert len(after) == len(before)
