"""The history of a contact: which fields settle corrects. Items are (index, number of the chunk, fields)."""

from typing import Any
from uuid import UUID

import pytest

from storage.entities.contacts import RecordedChange
from worker.operations.history import UNKNOWN, History

CHANNEL = UUID("6f8b0b0e-5f0e-4b43-9d0c-2f6d9a3b7c11")


Items = list[tuple[int, int, dict[str, Any]]]


def corrections(items: Items, stored: dict[str, Any], *changes: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    history = History()
    for item in items:
        history.add(*item)
    return history.corrections([RecordedChange(1, *change) for change in changes], stored)


def test_the_last_item_by_index_decides_each_field() -> None:
    items: Items = [
        (0, 9, {"name": "A", "age": 1, "email": None}),
        (5, 3, {"name": "B", "email": "b@example.com"}),
    ]
    stored = {"name": "A", "age": 1, "email": None}
    assert corrections(items, stored) == {"name": "B", "email": "b@example.com"}


def test_keys_of_a_json_field_are_fields_of_their_own() -> None:
    items: Items = [(0, 9, {"metadata": {"a": 1, "b": None}}), (5, 3, {"metadata": {"a": None, "b": 2}})]
    assert corrections(items, {"metadata": {"a": 1, "c": 0}}) == {"metadata": {"a": None, "b": 2}}


def test_items_that_were_applied_in_order_need_nothing() -> None:
    assert corrections([(0, 3, {"name": "A"}), (5, 9, {"name": "B"})], {"name": "B"}) == {}


@pytest.mark.parametrize(
    ("number", "wanted"),
    [(1, "B"), (4, "B"), (6, "R"), (10, None)],  # before all, after index 3, after index 5, after all
)
def test_a_change_comes_after_the_items_that_were_applied_before_it(number: int, wanted: str | None) -> None:
    items: Items = [(0, 9, {"name": "A"}), (3, 3, {"age": 1}), (5, 5, {"name": "B"})]
    expected = {"name": wanted} if wanted else {}
    stored = {"name": "R" if number == 10 else "A", "age": 1}
    assert corrections(items, stored, (number, {"name": "R"})) == expected


def test_a_value_that_was_not_written_last_is_left_alone() -> None:
    items: Items = [(0, 9, {"name": "A"}), (5, 3, {"name": "B"})]
    assert corrections(items, {"name": "other"}) == {}
    assert corrections(items, {"name": "A"}, (10, {"name": "R"})) == {}


def test_the_newest_change_of_a_field_counts() -> None:
    items: Items = [(0, 9, {"name": "A"}), (5, 3, {"name": "B"})]
    changes: list[tuple[int, dict[str, Any]]] = [(4, {"name": "R"}), (5, {"name": "S"}), (6, {"age": 1})]
    assert corrections(items, {"name": "A"}, *changes) == {"name": "S"}


def test_values_are_compared_as_they_are_stored() -> None:
    items: Items = [
        (0, 9, {"default_channel_id": CHANNEL, "metadata": {"n": 1e30, "m": 1}}),
        (5, 3, {"default_channel_id": None, "metadata": {"n": 2, "m": 1.0}}),
    ]
    stored = {"default_channel_id": CHANNEL, "metadata": {"n": 10**30, "m": 1}}
    assert corrections(items, stored) == {"default_channel_id": None, "metadata": {"n": 2}}


def test_an_unknown_value_is_never_corrected() -> None:
    items: Items = [(0, 9, {"properties": {"n": 1}, "age": 1}), (5, 3, {"properties": UNKNOWN, "age": 2})]
    assert corrections(items, {"properties": {"n": 1}, "age": 1}) == {"age": 2}


def test_the_values_of_a_field_are_those_that_a_correction_may_set() -> None:
    history = History()
    history.add(0, 9, {"default_channel_id": CHANNEL})
    assert history.values("default_channel_id") == {CHANNEL}
    history.add(5, 3, {"default_channel_id": None})
    assert history.values("default_channel_id") == set()
