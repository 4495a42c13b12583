"""Long records and values are read in short steps, with the same ends as in one step."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import NotAcceptable
from schemas.formats import csv_grammar, json_text
from schemas.formats.csv_rows import _RowCutter
from schemas.formats.json_array import split_array
from schemas.formats.json_end import MAX_DEPTH, end_of_value
from schemas.formats.records import MAX_RECORD_BYTES

DELIMITER = st.sampled_from(csv_grammar.DELIMITERS)
CSV = st.lists(st.sampled_from([b'"', b'""', b",", b";", b"\n", b"\r", b"\r\n", b"a", b"bcd"])).map(b"".join)
DECODER = json.JSONDecoder()
JSON = st.text('[]{},:"1e.-\\ \nabnultrfse', max_size=40) | st.recursive(
    st.sampled_from(["1", "null", '"x"', "-1.5e3", "tru", '"', "[]", "{}", " "]),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda found: f"[{' , '.join(found)}]")
        | st.lists(inner, max_size=3).map(
            lambda found: "{" + ",".join(f' "{place}" :{value}' for place, value in enumerate(found)) + " }"
        )
    ),
    max_leaves=12,
)


@given(text=CSV, delimiter=DELIMITER, step=st.integers(2, 9))
def test_a_long_csv_record_ends_where_it_ends_in_one_step(text: bytes, delimiter: str, step: int) -> None:
    whole = csv_grammar.whole_record(delimiter).match(text)
    ends = [0]
    while found := csv_grammar.whole_record(delimiter).match(text, ends[-1]):
        ends.append(found.end())
    records = [found[0] for found in csv_grammar.record(delimiter).finditer(text) if found[0]]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_grammar, "STEP_BYTES", step)
        assert csv_grammar.end_of_record(text, 0, delimiter) == (whole.end() if whole else None)
        assert list(csv_grammar.whole_records(text, delimiter)) == [text[a:b] for a, b in pairwise(ends)]
        assert list(csv_grammar.raw_records(text, delimiter)) == records


@pytest.mark.parametrize(("start", "unit"), [(b"", b'"'), (b"", b'"",'), (b"", b'a"'), (b'"', b"x,\n")])
def test_no_step_of_a_csv_record_is_long(start: bytes, unit: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    class Recorder:
        def __init__(self, pattern: Any) -> None:
            self._pattern = pattern

        def match(self, text: bytes, start: int, end: int) -> Any:
            steps.append(min(end, len(text)) - start)
            return self._pattern.match(text, start, end)

        def finditer(self, text: bytes, start: int, end: int) -> Any:
            steps.append(min(end, len(text)) - start)
            return self._pattern.finditer(text, start, end)

    patterns = csv_grammar._long(",")
    monkeypatch.setattr(csv_grammar, "_long", lambda _: tuple(map(Recorder, patterns)))
    monkeypatch.setattr(csv_grammar, "_QUOTED", Recorder(csv_grammar._QUOTED))
    record, whole = Recorder(csv_grammar.record(",")), Recorder(csv_grammar.whole_record(","))
    monkeypatch.setattr(csv_grammar, "record", lambda _: record)
    monkeypatch.setattr(csv_grammar, "whole_record", lambda _: whole)
    cutter = _RowCutter(",", part_bytes=MAX_RECORD_BYTES, max_items=10, first_line=1)

    with pytest.raises(NotAcceptable, match="more than"):
        list(cutter.feed(start + unit * (MAX_RECORD_BYTES // len(unit) + 2)))

    assert max(steps) <= csv_grammar.STEP_BYTES


@given(text=JSON)
def test_a_json_value_ends_where_python_finds_its_end(text: str) -> None:
    try:
        expected = DECODER.raw_decode(text)[1]
    except json.JSONDecodeError:
        with pytest.raises(json.JSONDecodeError):
            end_of_value(text, 0, DECODER)
    else:
        assert end_of_value(text, 0, DECODER) == expected


@pytest.mark.parametrize("text", ["[" * (MAX_DEPTH + 1), '{"a":' * (MAX_DEPTH + 1)])
def test_a_json_value_has_a_largest_depth(text: str) -> None:
    with pytest.raises(RecursionError):
        end_of_value(text, 0, DECODER)


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["[],", '{"a":1},', "1,", '"",', '{"a":[1,"x"]},'])
def test_no_step_of_a_json_body_is_long(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    class Recorder(json.JSONDecoder):
        def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
            try:
                value, end = super().raw_decode(s, idx)
            except ValueError:
                steps.append(len(s) - idx)
                raise
            steps.append(end - idx)
            return value, end

    monkeypatch.setattr(json_text, "SKIPPING", Recorder())
    long = f"[{unit * (MAX_RECORD_BYTES // len(unit) - 2)}0]"
    envelope = split_array(f"[1, {long}, 2, {long}, {long}, 3]".encode(), max_items=10)

    assert envelope.total == 6
    assert max(steps) <= json_text.WINDOW_BYTES


def test_values_beside_the_items_have_a_limit() -> None:
    body = json.dumps({"items": [1], "x": [[]] * json_text.MOST_READ_BYTES}).encode()

    with pytest.raises(NotAcceptable, match="besides the items") as caught:
        split_array(body, max_items=1, parameters={"x"})

    assert (caught.value.code, caught.value.param) == ("record_too_large", "x")
