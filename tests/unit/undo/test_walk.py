"""What a field gets back from the changes of a job, and what of it is kept."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.undo.json_values import read_object, write_value
from worker.undo.walk import BeforeAfter, Walked, walk, walk_keys

CHANGES = [("b", "c"), ("a", "b")]  # of a job that wrote b and then c, the newest first
VALUES = st.sampled_from(["a", "b", "c", "d", None])


def changes(*pairs: tuple[str | None, str | None]) -> list[BeforeAfter]:
    return [BeforeAfter(old, new) for old, new in pairs]


@pytest.mark.parametrize(
    ("now", "value", "kept"),
    [
        ("c", "a", ()),  # as the job left it
        ("a", "a", ()),  # as it was before the job
        ("b", "b", ("",)),  # somebody else has written a value that the job had also written
        ("d", "d", ("",)),  # somebody else has changed it
        (None, None, ("",)),
    ],
)
def test_a_value_of_the_job_becomes_the_one_before(now: str, value: str, kept: tuple[str, ...]) -> None:
    assert walk(changes(*CHANGES), now, force=False) == Walked(value, kept)
    assert walk(changes(*CHANGES), now, force=True) == Walked("a")


def test_a_change_between_two_changes_of_the_job_comes_back() -> None:
    assert walk(changes(("x", "c"), ("a", "b")), "c", force=False) == Walked("x", ("",))


@given(values=st.lists(VALUES, min_size=2, max_size=6))
def test_all_changes_of_a_job_are_turned_back(values: list[str | None]) -> None:
    pairs = [BeforeAfter(old, new) for old, new in pairwise(values) if old != new]
    if pairs:
        assert walk(pairs[::-1], values[-1], force=False) == Walked(values[0])
        first = walk(pairs[::-1], values[0], force=False)
        assert first == Walked(values[0])


def test_each_key_is_a_field_of_its_own() -> None:
    change = BeforeAfter('{"a": 1, "b": 1, "d": 1}', '{"a": 2, "c": 2, "d": 1}')
    assert walk_keys([change], change.new, force=False) == Walked(change.old)
    value, kept = walk_keys([change], '{"a": 3, "c": 2, "d": 4, "e": 5}', force=False)
    assert (read_object(value), kept) == ({"a": 3, "b": 1, "d": 4, "e": 5}, ["a"])
    value, kept = walk_keys([change], '{"a": 3, "c": 2, "d": 4}', force=True)
    assert (read_object(value), kept) == ({"a": 1, "b": 1, "d": 4}, [])


def test_true_and_one_are_different_values() -> None:
    change = BeforeAfter('{"a": 0}', '{"a": 1}')
    assert walk_keys([change], '{"a": true}', force=False) == Walked('{"a": true}', ["a"])


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False).map(str) | st.integers().map(str)


@given(number=NUMBERS, text=st.text())
def test_json_is_written_without_the_loss_of_a_digit(number: str, text: str) -> None:
    written = f'{{"n": {number}, "t": {json.dumps(text)}, "l": [{number}, null, true, {{}}]}}'
    again = write_value(read_object(written))
    assert read_object(again) == read_object(written)
    assert str(read_object(again)["n"]) == str(read_object(written)["n"])
