"""Values that arrive while a call for their key runs go together into the next call."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from storage.group_commit import GroupCommit


class Rejected(Exception):
    """An error of one value."""


class Calls:
    """Records the calls. The first one waits until `go_on` is set. A negative value is rejected."""

    def __init__(self) -> None:
        self.made: list[tuple[str, list[int]]] = []
        self.go_on = asyncio.Event()

    async def run(self, key: str, values: Sequence[int]) -> list[int]:
        self.made.append((key, list(values)))
        await self.go_on.wait()
        if min(values) < 0:
            raise Rejected
        if 0 in values:
            raise OSError("the server is away")
        return [10 * value for value in values]


Group = GroupCommit[str, int, int]


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
async def group(calls: Calls) -> AsyncIterator[Group]:
    async with Group(calls.run, most=3, most_bytes=100, size=abs, alone=(Rejected,)) as group:
        yield group


async def _ask(group: Group, *values: int, key: str = "a") -> list["asyncio.Task[int]"]:
    """Ask for each value, in order, and return when all of them wait."""
    tasks = [asyncio.create_task(group.ask(key, value)) for value in values]
    await asyncio.sleep(0)
    return tasks


async def test_what_waits_goes_into_the_next_call_in_order(group: Group, calls: Calls) -> None:
    tasks = await _ask(group, 1, 2, 3)
    calls.go_on.set()
    assert await asyncio.gather(*tasks) == [10, 20, 30]
    assert calls.made == [("a", [1]), ("a", [2, 3])]


async def test_a_call_has_bounds(group: Group, calls: Calls) -> None:
    tasks = await _ask(group, 1, 2, 3, 4, 5, 60, 70, 200, 6)
    calls.go_on.set()
    await asyncio.gather(*tasks)
    assert [values for _, values in calls.made] == [[1], [2, 3, 4], [5, 60], [70], [200], [6]]


async def test_keys_do_not_wait_for_each_other(group: Group, calls: Calls) -> None:
    tasks = [*await _ask(group, 1), *await _ask(group, 2, key="b")]
    assert calls.made == [("a", [1]), ("b", [2])]
    calls.go_on.set()
    assert await asyncio.gather(*tasks) == [10, 20]


async def test_a_rejected_value_fails_alone(group: Group, calls: Calls) -> None:
    tasks = await _ask(group, 1, 2, -3, 4)
    calls.go_on.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert done[:2] == [10, 20]
    assert isinstance(done[2], Rejected)
    assert done[3] == 40
    assert [values for _, values in calls.made] == [[1], [2, -3, 4], [2], [-3], [4]]


async def test_another_error_fails_all_of_its_call_and_no_other(group: Group, calls: Calls) -> None:
    tasks = await _ask(group, 1, 2, 0, 3, 4)
    calls.go_on.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert done[0] == 10
    assert [type(one) for one in done[1:4]] == [OSError] * 3
    assert done[4] == 40


async def test_who_has_left_is_left_out(group: Group, calls: Calls) -> None:
    first, second, third = await _ask(group, 1, 2, 3)
    second.cancel()
    await asyncio.wait({second})
    calls.go_on.set()
    assert [await first, await third] == [10, 30]
    assert [values for _, values in calls.made] == [[1], [3]]


async def test_the_others_go_on_if_the_first_one_leaves(group: Group, calls: Calls) -> None:
    first, second = await _ask(group, 1, 2)
    first.cancel()
    await asyncio.wait({first})
    calls.go_on.set()
    assert await second == 20
    (third,) = await _ask(group, 3)
    assert await third == 30


async def test_the_end_of_the_group_cancels_who_waits(calls: Calls) -> None:
    async with Group(calls.run, most=3, most_bytes=100, size=abs) as group:
        first, second = await _ask(group, 1, 2)
        first.cancel()
        await asyncio.wait({first})
        await asyncio.sleep(0)
    await asyncio.wait({second})
    assert second.cancelled()
