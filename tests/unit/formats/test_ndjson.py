"""NDJSON: no byte is lost, no record is split, and each line is one item, whatever its bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import BodyTooLarge, NotAcceptable
from schemas.formats.ndjson import KeySearch, NdjsonCutter, decode, lines, spans
from schemas.formats.records import Span, Unreadable, count_lines
from schemas.item_errors import ItemCode

from .feeding import CUTS, pump, pump_cut

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\n \t\r\n"])
HOSTILE = st.lists(
    st.sampled_from(
        [b"\n", b"\r", b" ", b"{", b"}", b"[", b'"', b"1", b",", b"\xff", b"\0", b"NaN", b'{"a":1}\n']
    )
    | st.binary(max_size=3),
    max_size=40,
).map(b"".join)


@given(data=HOSTILE, cuts=CUTS, part_bytes=st.integers(min_value=40, max_value=60))
def test_parts_joined_are_the_input_however_it_is_fed(data: bytes, cuts: list[int], part_bytes: int) -> None:
    data = b"\n".join(line[:30] for line in data.split(b"\n")) + b"\n1"

    parts = pump_cut(NdjsonCutter(part_bytes=part_bytes), data, cuts)

    assert b"".join(parts) == data
    assert all(part.endswith(b"\n") for part in parts[:-1])
    assert max(map(len, parts)) <= part_bytes + 2
    assert parts == pump(NdjsonCutter(part_bytes=part_bytes), data, size=1)


@given(values=st.lists(JSON, min_size=1, max_size=12), ends=st.data(), limit=st.integers(1, 5), cuts=CUTS)
def test_every_value_is_read_once_and_in_order(
    values: list[object], ends: st.DataObject, limit: int, cuts: list[int]
) -> None:
    raw = [json.dumps(value, ensure_ascii=False).encode() + ends.draw(LINE_ENDS) for value in values]
    body = b"\n" + b"".join(raw)
    body = ends.draw(st.sampled_from([body, body.rstrip()]))

    parts = pump_cut(NdjsonCutter(part_bytes=max(map(len, raw)) + 2), body, cuts)

    found = [
        item for part in parts for span in spans(part, limit) for item in decode(part[span.start : span.end])
    ]
    assert found == values


LONG = [b'"%b"' % (b"x" * 99), b"1\r", b"", b" "]
LONG_LINES = st.lists(st.sampled_from(LONG), max_size=20).map(b"\n".join)


@given(run=HOSTILE | LONG_LINES, limit=st.integers(min_value=1, max_value=4))
def test_spans_and_items_agree_for_any_bytes(run: bytes, limit: int) -> None:
    found = list(spans(run, limit))

    runs = [run[span.start : span.end] for span in found]
    assert [len(decode(part)) for part in runs] == [span.items for span in found]
    assert [len(lines(part)) for part in runs] == [span.items for span in found]
    assert all(span.items == limit for span in found[:-1])
    assert [span.end for span in found[:-1]] == [span.start for span in found[1:]]
    assert [line for part in runs for line in lines(part)] == lines(run)


def test_spans_skip_blank_lines_and_keep_a_last_line_without_end() -> None:
    part = b'\n{"a":1}\r\n  \n2\n\n3'

    assert list(spans(part, 2)) == [Span(0, 15, 2), Span(15, 17, 1)]
    assert lines(part) == [b'{"a":1}\r', b"2", b"3"]


def test_a_part_of_blank_lines_has_no_spans() -> None:
    assert list(spans(b"\n \r\n\n", 10)) == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"a":', ItemCode.INVALID_JSON),
        (b"{'a':1}", ItemCode.INVALID_JSON),
        (b'{"a":NaN}', ItemCode.INVALID_JSON),
        (b"[-Infinity]", ItemCode.INVALID_JSON),
        (b'{"a":[1e999]}', ItemCode.INVALID_JSON),
        (b'"\\ud800"', ItemCode.INVALID_JSON),
        (b"9" * 5000, ItemCode.INVALID_JSON),
        (b"[" * 100_000, ItemCode.INVALID_JSON),
        (b'{"a":1} {"b":2}', ItemCode.INVALID_JSON),
        (b'{"a":"\xff"}', ItemCode.INVALID_ENCODING),
        (b'{"a":"\xed\xa0\x80"}', ItemCode.INVALID_ENCODING),
    ],
)
def test_an_invalid_line_fails_alone(line: bytes, code: ItemCode) -> None:
    before, bad, after = decode(b"1\n" + line + b"\r\n2\n")

    assert (before, after) == (1, 2)
    assert isinstance(bad, Unreadable)
    assert bad.code is code
    assert bad.text == line.decode("utf-8", "backslashreplace")


def test_a_line_that_is_not_an_object_is_read() -> None:
    assert decode(b'7\n"x"\nnull\n[1.5]\n') == [7, "x", None, [1.5]]


def test_the_message_names_the_column() -> None:
    assert decode(b'{"a":x}') == [
        Unreadable(
            '{"a":x}', ItemCode.INVALID_JSON, "The line is not valid JSON: expected value at column 6."
        )
    ]


def test_a_record_larger_than_a_part_is_refused_with_its_line() -> None:
    cutter = NdjsonCutter(part_bytes=20)

    with pytest.raises(NotAcceptable, match="starts in line 3 has more than 20 bytes") as caught:
        pump(cutter, b'{"a":1}\n{"b":2}\n' + b"x" * 30 + b"\n")

    assert caught.value.code == "record_too_large"


def test_a_record_as_large_as_a_part_is_accepted() -> None:
    body = b"x" * 20 + b"\r\n" + b"y" * 20 + b"\n"

    assert pump(NdjsonCutter(part_bytes=20), body) == [b"x" * 20 + b"\r\n", b"y" * 20 + b"\n"]


@pytest.mark.parametrize("body", [b"", b"\n", b" \r\n\n" * 50])
def test_a_body_without_records_is_refused(body: bytes) -> None:
    with pytest.raises(NotAcceptable) as caught:
        pump(NdjsonCutter(part_bytes=20), body)

    assert caught.value.code == "empty"


def test_the_cutter_holds_no_more_than_one_part() -> None:
    cutter = NdjsonCutter(part_bytes=1000)

    for _ in range(1000):
        list(cutter.feed(b'{"phone":"+4915112345678"}\n' * 10))

        assert len(cutter._buffer) <= 1002


@pytest.mark.parametrize("key", ["external_id", "externalId", "Kundennummer", "Straße-7", "👤id"])
def test_a_key_is_found_in_every_spelling_of_json(key: str) -> None:
    search = KeySearch(("first", key))
    escaped = ["".join(f"\\u{unit:04x}" for unit in _units(letter)) for letter in key]
    for position, letter in enumerate(escaped):
        for spelling in (letter, letter.upper().replace("\\U", "\\u")):
            line = f'{{"{key[:position]}{spelling}{key[position + 1 :]}": 1}}'
            assert json.loads(line) == {key: 1}
            assert search.may_be_in(line.encode())
    assert search.may_be_in(json.dumps({key: 1}, ensure_ascii=False).encode())
    assert not search.may_be_in(b'{"phone": "+14155552671", "name": "\\u0020"}')


def _units(letter: str) -> list[int]:
    pairs = letter.encode("utf-16-be")
    return [int.from_bytes(pairs[at : at + 2]) for at in range(0, len(pairs), 2)]


@given(
    lines=st.lists(
        st.sampled_from([b"1", b"", b" ", b"\t\r", b"\v\f", b"x y", b"{}", b"{}\r", b"}"]), max_size=30
    ),
    part_bytes=st.integers(8, 30),
)
def test_parts_hold_all_records_and_none_is_blank(lines: list[bytes], part_bytes: int) -> None:
    cutter = NdjsonCutter(part_bytes=part_bytes)

    parts = pump(cutter, b"\n".join([*lines, b"9"]))

    assert [item for part in parts for item in decode(part)] == decode(b"\n".join([*lines, b"9"]))
    assert cutter.items == sum(len(decode(part)) for part in parts)
    assert all(decode(part) for part in parts)


def test_blank_lines_are_not_yielded() -> None:
    cutter = NdjsonCutter(part_bytes=1000)

    parts = pump(cutter, b"\n" * 100_000 + b"1\n" + b" \r\n" * 100_000, size=5000)

    assert len(parts) == 1


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_too_many_items_are_refused_as_soon_as_they_are_counted(size: int) -> None:
    cutter = NdjsonCutter(part_bytes=100, max_items=120)

    with pytest.raises(BodyTooLarge, match="more than 120 items") as caught:
        pump(cutter, b"1\n\n" * 150, size)

    assert caught.value.code == "too_many_items"
    assert len(pump(NdjsonCutter(part_bytes=100, max_items=120), b"1\n\n" * 120, size)) == 4


@given(data=st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"x"]), max_size=20).map(b"".join))
def test_every_line_end_is_counted(data: bytes) -> None:
    assert count_lines(data) == len((data + b".").splitlines()) - 1
