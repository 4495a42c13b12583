"""Fields of JSON items that no item has: left out where a job says so, and nothing else changes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.items.faults import Fault
from schemas.operations import BY_ID, BY_PHONE, CONTACT

ITEM = {"phone": "+919876543210", "name": "Priya", "address": {"city": "Pune"}, "metadata": {"n": 10**30}}
UNKNOWN = st.dictionaries(
    st.text(min_size=1, max_size=5).map(lambda name: f"odd {name}"),
    st.none() | st.integers() | st.text(max_size=3) | st.lists(st.booleans(), max_size=2),
    max_size=4,
)


def read(item: Any, *, lenient: bool = True) -> Any:
    return CONTACT.reader.read_line(json.dumps(item).encode(), lenient=lenient)


@given(UNKNOWN, UNKNOWN)
def test_an_item_is_the_same_with_and_without_them(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    address = {**inner, "city": "Pune"}
    assert read({**outer, **ITEM, "address": address}) == read(ITEM, lenient=False) == ITEM


@pytest.mark.parametrize(
    ("more", "field"),
    [({"Name": "x"}, "Name"), ({"phoneNumber": "+1"}, "phoneNumber"), ({"age": "x"}, "age")],
)
def test_another_fault_stays(more: dict[str, Any], field: str) -> None:
    fault = read({**ITEM, **more, "odd": 1})
    assert isinstance(fault, Fault)
    assert fault.field == field


def test_a_reference_may_have_them_too() -> None:
    assert BY_ID.reader.read_line(b'{"id": 5, "odd": 1}', lenient=True) == {"id": 5}
    assert BY_PHONE.reader.read_line(b'{"phone": "12", "odd": 1}', lenient=True) == {"phone": "12"}
    assert isinstance(BY_ID.reader.read_line(b'{"id": 5, "odd": 1}'), Fault)


def test_thousands_of_them_are_left_out() -> None:
    many = {f"odd {number}": number for number in range(20_000)}
    assert read({**ITEM, "address": {"city": "Pune", **many}}) == ITEM


def test_a_name_that_occurs_twice_is_left_out() -> None:
    line = b'{"phone": "+919876543210", "odd": 1, "odd": 2, "address": {"odd": 1, "odd": 2, "city": "Pune"}}'
    item = {"phone": "+919876543210", "address": {"city": "Pune"}}
    assert CONTACT.reader.read_line(line, lenient=True) == item
    assert BY_PHONE.reader.read_line(b'{"phone": "12", "odd": 1, "odd": 2}', lenient=True) == {"phone": "12"}
