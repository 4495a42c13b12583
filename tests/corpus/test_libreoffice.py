"""A file of results with kept columns, opened and saved by LibreOffice, can be sent back."""

import csv
import io
from typing import Any

import pytest

from schemas.item_errors import ROW_VERDICT
from tests.corpus import libreoffice
from tests.corpus.test_corpus import PEOPLE, items_of


@pytest.mark.skipif(libreoffice.SOFFICE is None, reason="LibreOffice is not installed")
@pytest.mark.parametrize(
    ("suffix", "options"), [("xlsx", {}), ("csv", {"mark": ";", "charset": "utf-16"})], ids=["xlsx", "csv"]
)
def test_a_file_of_results_is_read_again(suffix: str, options: dict[str, Any]) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["phone", "name", "birth_date", "Bemerkung", *ROW_VERDICT])
    for index, one in enumerate(PEOPLE):
        writer.writerow(
            [*one.values(), "=1+1; \u2603", index, "", "failed", "conflict", "A message, with more."]
        )
    body = libreoffice.write(out.getvalue().encode(), suffix, as_text=True, **options)
    case = {"type": "text/csv", "encoding": "", "query": {"unknown_columns": "keep"}}
    assert items_of(case, body) == PEOPLE
