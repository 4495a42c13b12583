"""Rows that are kept come back with the texts of all their cells, whatever the file is."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from api.results.kept_rows import KeptFile, KeptRow
from schemas.formats import csv_rows
from schemas.formats.csv_grammar import DELIMITERS
from schemas.formats.csv_header import Columns
from schemas.formats.csv_rows import CsvCutter
from schemas.item_errors import ROW_VERDICT
from schemas.operations import CONTACT
from schemas.states import Outcome
from storage.pipeline.results import ResultRow
from tests.unit.formats.feeding import pump

CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["", " ", "007", '"', "a\r\nb", "\r", "=1", ";", ",", "\t"]
)
NAMES = st.sampled_from(["", "x", "X", "Notes", "name", "e-mail", "error_code", *ROW_VERDICT])


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """Return a header row and some rows; the first column is the phone, the last one has a name."""
    names = draw(st.lists(NAMES, max_size=5))
    fields = [name for name in names if CONTACT.known_column(name.casefold().replace("-", "_"))]
    names = [f"{name} {at}" if name in fields else name for at, name in enumerate(names)]
    header = ["phone", *names, "last"]
    row = st.lists(CELLS, min_size=len(header) - 1, max_size=len(header) - 1).map(lambda row: ["1", *row])
    return [header, *draw(st.lists(row, min_size=1, max_size=6))]


@given(tables(), st.sampled_from(DELIMITERS), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_every_cell_comes_back_as_it_was_sent(table: list[list[str]], delimiter: str, quoting: int) -> None:
    sent = written(table, delimiter, quoting)
    again = written(results_of(sent), delimiter, csv.QUOTE_MINIMAL)  # which is read as the same file
    for body in (sent, again):
        header, *rows = results_of(body)
        own = [at for at, name in enumerate(table[0]) if name not in {"error_code", *ROW_VERDICT}]
        assert header == [*(table[0][at] for at in own), *ROW_VERDICT]
        assert [row[: len(own)] for row in rows] == [[row[at] for at in own] for row in table[1:]]
        assert [row[len(own) :] for row in rows] == [
            [index, 7, "created", None, None] for index in range(len(rows))
        ]


def written(rows: list[list[object]] | list[list[str]], delimiter: str, quoting: int) -> bytes:
    """Return rows as CSV; the names of the columns are quoted, so that the delimiter is found."""
    out = io.StringIO(newline="")
    header, *others = rows
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerow(header)
    csv.writer(out, delimiter=delimiter, quoting=quoting).writerows(others)  # type: ignore[arg-type]
    return out.getvalue().encode()


def results_of(body: bytes) -> list[list[object]]:
    """Return the file of results of a job from these bytes, as cells."""
    columns = Columns(known=CONTACT.known_column, names=CONTACT.columns, unknown="keep")
    cutter = CsvCutter(columns)
    parts = pump(cutter, body)
    assert cutter.layout is not None
    file = KeptFile(cutter.layout)
    records = [record for part in parts for record in csv_rows.records(part, cutter.layout)]
    return [file.header, *(file.row(KeptRow(record, created(at))) for at, record in enumerate(records))]


def created(index: int) -> ResultRow:
    return ResultRow(
        index=index, outcome=Outcome.CREATED, contact_id=7, merged_into=None, code=None, message=None
    )
