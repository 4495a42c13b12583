"""Write the rows of a job with `unknown_columns=keep` as they were sent, each with what became of it."""

from collections.abc import Sequence
from itertools import islice, zip_longest
from typing import Any, NamedTuple

from api.results.corrections import split_cells
from schemas.formats import csv_rows, ndjson
from schemas.formats.csv_layout import CsvLayout
from schemas.formats.records import Unreadable
from schemas.ids import AccountId, JobId
from schemas.item_errors import ROW_VERDICT, ItemError
from schemas.states import Outcome
from storage.inspection import kept_chunks
from storage.pipeline import results
from storage.pipeline.results import ResultRow
from storage.postgres.pool import Pool


class KeptRow(NamedTuple):
    """A record as it was sent, and its result."""

    record: bytes
    result: ResultRow


async def kept_page(
    pool: Pool, account_id: AccountId, job_id: JobId, after: int, layout: CsvLayout | None
) -> list[KeptRow]:
    """Return the rows after an index, of one chunk; none if there are no more that have results.

    Rows that were cancelled are among them, so that the file is the one that was sent.
    """
    chunk = await kept_chunks.chunk(pool, account_id, job_id, after + 1)
    if chunk is None:
        return []
    found: dict[int, ResultRow] = {}
    if not chunk.cancelled:
        page = await results.result_page(pool, account_id, job_id, after, chunks=1)
        found = {result.index: result for result in page}
    records = csv_rows.records(chunk.body, layout) if layout else iter(ndjson.lines(chunk.body))
    rows = []
    for index, record in enumerate(islice(records, chunk.skip, chunk.skip + chunk.items), chunk.first_index):
        result = _cancelled(index) if chunk.cancelled else found.get(index)
        if result is None:  # a dry run begins again at this moment
            break
        rows.append(KeptRow(record, result))
    return rows


def item_of(row: KeptRow, layout: CsvLayout | None) -> Any:
    """Return a row as the `item` of an item error: JSON, cells by field, or text that cannot be read."""
    item: Any = csv_rows.decode(row.record, layout)[0] if layout else ndjson.decode_line(row.record)
    return item.text if isinstance(item, Unreadable) else item


class KeptFile:
    """A CSV file with the rows of a job. Columns that an earlier such file has added are left out."""

    def __init__(self, layout: CsvLayout) -> None:
        self._layout = layout
        self._labels = layout.whole().columns
        self.delimiter = layout.delimiter

    @property
    def header(self) -> list[str]:
        """The header row: the names in the file that was sent, and those of the result."""
        return self._with_verdict(self._layout.names, ROW_VERDICT)

    def row(self, row: KeptRow) -> list[Any]:
        """Return a row as cells: its own, those of the result, and then cells that have no column."""
        result = row.result
        cells = split_cells(row.record.decode("utf-8", "backslashreplace"), self.delimiter)
        return self._with_verdict(
            cells, (result.index, result.contact_id, result.outcome.word, result.code, result.message)
        )

    def error(self, error: ItemError) -> list[Any]:
        """Return a failed row as cells, as `row`."""
        verdict = (error.index, None, Outcome.FAILED.word, error.code, error.message)
        if error.erased:
            return self._with_verdict([None] * len(self._labels), verdict)
        if isinstance(error.item, dict):
            return self._with_verdict([error.item.get(label) for label in self._labels], verdict)
        return self._with_verdict(split_cells(str(error.item), self.delimiter), verdict)

    def _with_verdict(self, cells: Sequence[Any], verdict: Sequence[Any]) -> list[Any]:
        width = len(self._labels)
        own = [cell for label, cell in zip_longest(self._labels, cells[:width]) if label]
        rest = cells[width:]
        return [*own, *verdict, *(rest if any(rest) else ())]


def _cancelled(index: int) -> ResultRow:
    return ResultRow(
        index=index, outcome=Outcome.CANCELLED, contact_id=None, merged_into=None, code=None, message=None
    )
