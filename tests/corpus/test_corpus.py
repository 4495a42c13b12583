"""Every file of the corpus is read right or refused with a code, or rows fail with index, field, code.

`generate.py` has written the files, and `cases.json` says how each is sent and what comes of it.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from api.http.file_pipe import FilePipe
from schemas.errors import BulklaneError, UnsupportedFormat
from schemas.formats.content_type import Format, charset_of, format_for
from schemas.formats.csv_header import Columns
from schemas.formats.csv_rows import CsvCutter
from schemas.formats.encodings import Pipeline, decoder_for
from schemas.formats.json_array import split_array
from schemas.formats.ndjson import NdjsonBodyCutter
from schemas.formats.undeclared_charset import charset_pipes
from schemas.items.faults import Fault
from schemas.items.phone import normaliser_for
from schemas.items.phone_notation import PhoneFault
from schemas.items.reader import Run
from schemas.operations import CONTACT
from schemas.wire.bulk_query import BulkQuery
from tests.unit.formats.feeding import pump

FOLDER = Path(__file__).parent
CASES = json.loads((FOLDER / "cases.json").read_text())
NAMES = ("Priya Sharma", "Jürgen Groß", "Zoë Crème, fils", 'Rui "Ré" Açor', "Søren Ångström", "Inés Núñez")
PEOPLE = [
    {"phone": f"+91987654321{at}", "name": name, "birth_date": f"199{at}-0{at + 1}-1{at}"}
    for at, name in enumerate(NAMES)
]
STEP = 97  # bytes that arrive at once


@pytest.mark.parametrize("case", CASES, ids=[case["file"] for case in CASES])
def test_a_file_is_read_right_or_refused(case: dict[str, Any]) -> None:
    body, expect = (FOLDER / "files" / case["file"]).read_bytes(), case["expect"]
    if refused := expect.get("refused"):
        with pytest.raises(BulklaneError) as caught:
            items_of(case, body)
        assert caught.value.code == refused, caught.value.message
        return
    found, errors = items_of(case, body), expect.get("errors", [])
    faults = [(at, one.field, one.code) for at, one in enumerate(found) if isinstance(one, Fault)]
    assert faults == [tuple(error) for error in errors], found
    failed = {index for index, *_ in errors}
    assert [one for one in found if not isinstance(one, Fault)] == [
        one for index, one in enumerate(PEOPLE) if index not in failed
    ]


def test_the_corpus_is_large_and_small() -> None:
    files = {path.name: path.stat().st_size for path in (FOLDER / "files").iterdir()}
    assert files.keys() == {case["file"] for case in CASES}
    assert len(files) >= 200
    assert sum(files.values()) < 2_000_000


def items_of(case: dict[str, Any], body: bytes) -> list[Any]:
    """Return the items of a file with phones as E.164, or their faults. Raises BulklaneError."""
    renames = {name[4:]: value for name, value in case["query"].items() if name.startswith("map.")}
    query = BulkQuery.model_validate(
        {name: value for name, value in case["query"].items() if not name.startswith("map.")}
    )
    declared, format_ = _declared(case["type"])
    file = FilePipe(
        Pipeline(*charset_pipes(charset_of(case["type"]))), declared, sheet=query.sheet, most=10**6
    )
    text = b"".join(pump(Pipeline(decoder_for(case["encoding"]), file), body, STEP))
    parts, layout = _parts(text, format_, renames, query)
    normalise = normaliser_for(query.region)
    found: list[Any] = []
    for part in parts:
        run = Run(CONTACT.reader, format_, layout, part, query.date_format)
        for item in run.read(0, 1_000):
            phone = item if isinstance(item, Fault) else normalise(item["phone"])
            if isinstance(phone, PhoneFault):
                found.append(Fault("phone", phone.code, phone.message, None))
            else:
                found.append(item if isinstance(item, Fault) else {**item, "phone": phone})
    return found


def _declared(type_: str) -> tuple[Format | UnsupportedFormat, Format]:
    try:
        format_ = format_for(type_)
    except UnsupportedFormat as error:
        return error, Format.CSV
    return format_, format_


def _parts(
    text: bytes, format_: Format, renames: dict[str, str], query: BulkQuery
) -> tuple[list[bytes], dict[str, Any] | None]:
    if format_ is Format.JSON:
        return list(split_array(text, max_items=100).parts), None
    if format_ is Format.NDJSON:
        return pump(NdjsonBodyCutter(), text, STEP), None
    columns = Columns(
        known=CONTACT.known_column, names=CONTACT.columns, renames=renames, unknown=query.unknown_columns
    )
    cutter = CsvCutter(columns)
    parts = pump(cutter, text, STEP)
    assert cutter.layout is not None
    return parts, cutter.layout.to_dict()
