"""JSON bodies: every element is read once and in order, and every error names its place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import BodyTooLarge, InvalidRequest, MalformedBody, NotAcceptable
from schemas.formats.json_array import JsonEnvelope, split_array
from schemas.formats.ndjson import decode, spans
from schemas.formats.records import MAX_RECORD_BYTES, Unreadable

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def split(body: bytes | str, max_items: int = 50, **options: Any) -> JsonEnvelope:
    return split_array(body.encode() if isinstance(body, str) else body, max_items=max_items, **options)


def items(envelope: JsonEnvelope) -> list[Any]:
    return [
        item
        for part in envelope.parts
        for span in spans(part, 3)
        for item in decode(part[span.start : span.end])
    ]


@given(
    values=st.lists(JSON, min_size=1, max_size=10),
    indent=st.sampled_from([None, 0, 2, "\t"]),
    ascii_only=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n"]),
    wrapped=st.booleans(),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf", b" \n"]),
)
def test_every_element_is_read_in_order(
    *,
    values: list[Any],
    indent: int | str | None,
    ascii_only: bool,
    line_end: str,
    wrapped: bool,
    mark: bytes,
) -> None:
    text = json.dumps({"items": values} if wrapped else values, indent=indent, ensure_ascii=ascii_only)

    envelope = split(
        mark + text.replace("\n", line_end).encode() + mark.strip(b"\xef\xbb\xbf"), part_bytes=3000
    )

    assert items(envelope) == values
    assert envelope.total == len(values)


@given(body=st.text('[]{},:"1e.-\\ \nabnultrfse', max_size=30) | st.binary(max_size=30))
def test_any_body_is_split_or_refused_as_python_would(body: str | bytes) -> None:
    raw = body.encode() if isinstance(body, str) else body
    try:
        expected = json.loads(raw.decode("utf-8-sig"), parse_constant=lambda name: json.loads("x"))
    except ValueError:
        with pytest.raises(MalformedBody):
            split(raw)
        return

    try:
        assert split(raw).total == len(expected if isinstance(expected, list) else expected["items"])
    except InvalidRequest as error:
        assert not isinstance(error, MalformedBody) or "too large" in error.message  # noqa: PT017 (1e999)


def test_the_items_can_be_under_another_key_beside_parameters() -> None:
    envelope = split(
        '{"action": "add", "contacts": [1, 2], "opt_in_to": [{"id": 7}]}',
        key="contacts",
        parameters={"action", "opt_in_to", "override"},
    )

    assert items(envelope) == [1, 2]
    assert envelope.other == {"action": "add", "opt_in_to": [{"id": 7}]}


def test_elements_keep_their_text_except_line_breaks() -> None:
    assert split('[{"a":\n 1.50,\r\n "b":"\\u00e9\\n"} , 1E2]').parts == (
        b'{"a":  1.50,   "b":"\\u00e9\\n"}\n1E2',
    )


def test_a_large_body_becomes_several_parts() -> None:
    envelope = split(json.dumps(["x" * 90] * 50), part_bytes=1000)

    assert len(envelope.parts) == 5
    assert max(map(len, envelope.parts)) <= 1002
    assert len(items(envelope)) == 50


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("", "expecting value, at line 1, column 1 (byte 0)"),
        ("[1, 2", "',' or ']' is expected, at line 1, column 6 (byte 5)"),
        ("[1,\n 2,]", "expecting value, at line 2, column 4 (byte 7)"),
        ('["é",\n{"a" 1}]', "expecting ':' delimiter, at line 2, column 6 (byte 12)"),
        ("[1] x", "more text follows its end, at line 1, column 5 (byte 4)"),
        ("{x: 1}", "a name in double quotation marks is expected, at line 1, column 2 (byte 1)"),
        ('{"items" [1]}', "':' is expected, at line 1, column 10 (byte 9)"),
        ('{"items": [1]', "',' or '}' is expected, at line 1, column 14 (byte 13)"),
        ("[1, NaN]", "NaN is not JSON, at line 1, column 5 (byte 4)"),
        ('[{"a": -Infinity}]', "-Infinity is not JSON, at line 1, column 2 (byte 1)"),
        ('["a\nb"]', "invalid control character at, at line 1, column 4 (byte 3)"),
        ("phone,name", "expecting value, at line 1, column 1 (byte 0)"),
    ],
)
def test_invalid_json_is_refused_with_its_place(body: str, place: str) -> None:
    with pytest.raises(MalformedBody) as caught:
        split(body)

    assert caught.value.message == f"The body is not valid JSON: {place}."
    assert caught.value.code == "invalid_json"


@pytest.mark.parametrize(
    "bomb", ["[" * 5_000_000, '{"items":' * 500_000, "[" + '{"a":' * 500_000, '{"x":' + "[" * 10**6]
)
def test_a_depth_bomb_is_refused(bomb: str) -> None:
    with pytest.raises(MalformedBody, match="nested too deeply"):
        split(bomb)


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(MalformedBody, match="byte 2 is not UTF-8"):
        split(b'["\xff"]')


@pytest.mark.parametrize("number", ["9" * 1_000_000, "1e999", "-0." + "1" * 1_000_000 + "e5"])
def test_an_absurd_number_fails_its_own_item_at_most(number: str) -> None:
    bad, good = items(split(f"[{number}, 2]"))

    assert isinstance(bad, Unreadable | float)
    assert good == 2


@pytest.mark.parametrize("number", ["9" * 5000, "1e999", "NaN"])
def test_an_absurd_number_beside_the_items_is_refused(number: str) -> None:
    with pytest.raises(MalformedBody):
        split(f'{{"items": [1], "x": {number}}}', parameters={"x"})


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("[]", "empty", "items"),
        ('{"items": [ ]}', "empty", "items"),
        ('{"items": {}}', "invalid_parameter", "items"),
        ("{}", "missing_parameter", "items"),
        ("7", "missing_parameter", "items"),
        ('"[1]"', "missing_parameter", "items"),
        ('{"items": [1], "x": 1}', "unknown_parameter", "x"),
        ('{"items": [1], "items": [2]}', "duplicate_parameter", "items"),
        ('{"items": [1], "items": 2}', "duplicate_parameter", "items"),
        ('{"items": [1], "\\ud800": 2}', "unknown_parameter", "?"),
    ],
)
def test_an_invalid_envelope_is_refused_with_the_reason(body: str, code: str, param: str) -> None:
    with pytest.raises(NotAcceptable) as caught:
        split(body)

    assert (caught.value.code, caught.value.param) == (code, param)


def test_all_problems_of_an_envelope_are_reported_at_once() -> None:
    with pytest.raises(NotAcceptable) as caught:
        split('{"items": [], "x": 1, "y": 2, "x": 3}')

    assert [(problem.code, problem.param) for problem in caught.value.problems] == [
        ("empty", "items"),
        ("duplicate_parameter", "x"),
        ("unknown_parameter", "x"),
        ("unknown_parameter", "y"),
    ]


def test_too_many_items_are_refused() -> None:
    assert split("[1,2,3]", max_items=3).total == 3
    with pytest.raises(BodyTooLarge, match="more than 3 items"):
        split("[1,2,3,4]", max_items=3)


def test_an_item_too_large_for_a_part_is_refused_with_its_index() -> None:
    with pytest.raises(NotAcceptable) as caught:
        split(json.dumps([1, "x" * MAX_RECORD_BYTES]))

    assert (caught.value.code, caught.value.param) == ("record_too_large", "items[1]")


@pytest.mark.parametrize("between", [",", ", ", " ,", "\r\n,\n"])
def test_runs_of_elements_keep_their_order_and_their_text(between: str) -> None:
    elements = [f'{{"a":\n {n}, "b":\r[1,2]}}' if n % 70 == 0 else str(n) for n in range(250)]
    found = split_array(f"[{between.join(elements)}]".encode(), max_items=250)
    lines = b"".join(found.parts).decode().split("\n")
    assert lines == [element.replace("\n", " ").replace("\r", " ") for element in elements]
    with pytest.raises(BodyTooLarge, match="more than 249 items"):
        split_array(f"[{between.join(elements)}]".encode(), max_items=249)
