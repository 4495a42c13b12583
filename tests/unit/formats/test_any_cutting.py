"""However a network cuts the bytes of a body, its items are the same, and so is its error."""

import gzip
import sys
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import BulklaneError
from schemas.formats import csv_rows, json_text, ndjson
from schemas.formats.content_type import transcoder_for
from schemas.formats.csv_header import Columns
from schemas.formats.csv_rows import CsvCutter
from schemas.formats.encodings import Pipeline, decoder_for
from schemas.formats.json_array import split_array
from schemas.formats.multipart import FormReader
from schemas.formats.ndjson import NdjsonCutter

from .feeding import pump_cut

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

COLUMNS = Columns(known=lambda name: name if name in ("a", "b") else None, names=("a", "b"))
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}
CHARSETS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
CUTS = st.lists(st.integers(min_value=0, max_value=400), max_size=20)
CSV = st.lists(
    st.sampled_from(
        ["a,b", "a;b\r\n", "a,b\n", "a\n", "x,y", "1,2", '"', '""', '"q,\n""r"', ",", "\n", "\r", "\r\n"]
    )
    | st.sampled_from(["\0", "é", "\U0001f600", "\u2028", " ", "a" * 40, "a,b\r1,2\r"]),
    max_size=30,
).map("".join)
NDJSON = st.lists(
    st.sampled_from(["{", "}", '{"a":1}', '"x"', "\n", "\r\n", "\r", " ", "1", "[", "]", "é", "\0", "\ud800"])
    | st.sampled_from(["NaN", "1e999", '"\\ud800"', "9" * 50, '{"a":1,"a":2}']),
    max_size=30,
).map("".join)
JSON = st.recursive(
    st.sampled_from(["1", "null", '"x"', '"é"', "-1.5e3", "NaN", '"\\ud83d\\ude00"', "tru", '"', "9" * 60]),
    lambda inner: (
        st.lists(inner, max_size=5).map(lambda found: f"[{', '.join(found)}]")
        | st.lists(inner, max_size=4).map(
            lambda found: "{" + ",\n".join(f'"{place}" : {value}' for place, value in enumerate(found)) + "}"
        )
    ),
    max_leaves=15,
).flatmap(lambda text: st.sampled_from([f"[{text}]", f'{{"items": [{text}, 1]}}', text, text + " x"]))


def decoded(body: bytes, cuts: list[int], encoding: str, charset: str | None) -> bytes:
    return b"".join(pump_cut(Pipeline(decoder_for(encoding), transcoder_for(charset)), body, cuts))


def read_csv(pipe: Pipeline, cutter: CsvCutter, body: bytes, cuts: list[int]) -> list[Any]:
    parts = pump_cut(pipe, body, cuts)
    assert cutter.layout is not None
    return [cutter.layout, *(item for part in parts for item in csv_rows.decode(part, cutter.layout))]


def outcome(read: Callable[[], Any]) -> Any:
    """Return what `read` returns, or the code, the place and the message of its error."""
    try:
        return read()
    except BulklaneError as error:
        return (type(error), error.code, error.param, error.message)


@pytest.mark.parametrize("encoding", ENCODERS)
@given(text=CSV, codec=CHARSETS, cuts=CUTS, part_bytes=st.integers(8, 60))
def test_csv(encoding: str, text: str, codec: str, cuts: list[int], part_bytes: int) -> None:
    body = ENCODERS[encoding](text.encode(codec, "surrogatepass"))

    def read(cuts: list[int]) -> Any:
        cutter = CsvCutter(COLUMNS, part_bytes=part_bytes, max_items=5)
        pipe = Pipeline(decoder_for(encoding), transcoder_for(None), cutter)
        return read_csv(pipe, cutter, body, cuts)

    assert outcome(lambda: read(cuts)) == outcome(lambda: read([])) == outcome(lambda: read(each(body)))


@pytest.mark.parametrize("encoding", ENCODERS)
@given(text=NDJSON, codec=CHARSETS, cuts=CUTS, part_bytes=st.integers(8, 60))
def test_ndjson(encoding: str, text: str, codec: str, cuts: list[int], part_bytes: int) -> None:
    body = ENCODERS[encoding](text.encode(codec, "surrogatepass"))

    def read(cuts: list[int]) -> Any:
        cutter = NdjsonCutter(part_bytes=part_bytes, max_items=5)
        parts = pump_cut(Pipeline(decoder_for(encoding), transcoder_for(None), cutter), body, cuts)
        items = [item for part in parts for item in ndjson.decode(part)]
        assert len(items) == cutter.items
        return [str(item) for item in items]

    assert outcome(lambda: read(cuts)) == outcome(lambda: read([])) == outcome(lambda: read(each(body)))


@pytest.mark.parametrize("encoding", ENCODERS)
@given(text=JSON, codec=CHARSETS, cuts=CUTS)
def test_json(encoding: str, text: str, codec: str, cuts: list[int]) -> None:
    body = ENCODERS[encoding](text.encode(codec))

    def read(cuts: list[int]) -> Any:
        return split_array(decoded(body, cuts, encoding, None), max_items=3)

    assert outcome(lambda: read(cuts)) == outcome(lambda: read([])) == outcome(lambda: read(each(body)))


@given(text=JSON, window=st.integers(4, 40), mark=st.sampled_from([b"", b"\xef\xbb\xbf"]))
def test_a_json_text_is_read_alike_through_any_window(text: str, window: int, mark: bytes) -> None:
    body = mark + text.encode()
    whole = outcome(lambda: split_array(body, max_items=3))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "WINDOW_BYTES", window)
        assert outcome(lambda: split_array(body, max_items=3)) == whole


FORM = st.lists(
    st.sampled_from([b"--x", b"--x\r\n", b"\r\n--x\r\n", b"\r\n--x--", b"\r\n--x-", b"--"])
    | st.sampled_from([b"\r\n", b"\r", b"\n", b"\r\n\r\n", b"A: b", b"a,b", b'; filename="a.csv"'])
    | st.just(b'Content-Disposition: form-data; name="f"; filename="a.csv"'),
    max_size=20,
).map(b"".join)


@given(body=FORM, cuts=CUTS)
def test_a_form(body: bytes, cuts: list[int]) -> None:
    def read(cuts: list[int]) -> Any:
        form = FormReader(b"x")
        return b"".join(pump_cut(form, body, cuts)), form.filename, form.content_type

    assert outcome(lambda: read(cuts)) == outcome(lambda: read([])) == outcome(lambda: read(each(body)))


def each(body: bytes) -> list[int]:
    """Return the cuts after each byte."""
    return list(range(1, len(body)))
