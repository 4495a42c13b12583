"""Steps that take long leave their slots, and no account takes all places beside them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from schemas.ids import AccountId
from storage.slots import Slot, Slots

ONE, TWO, THREE = AccountId(1), AccountId(2), AccountId(3)


class Step:
    """Work of one step, which goes on when it is let."""

    def __init__(self, account_id: AccountId = ONE, error: Exception | None = None) -> None:
        self.account_id = account_id
        self.error = error
        self.begun, self.gate = asyncio.Event(), asyncio.Event()
        self.may_wait: bool | None = None
        self.over = False

    async def __call__(self, slot: Slot) -> str:
        with slot.step(self.account_id) as self.may_wait:
            self.begun.set()
            try:
                await self.gate.wait()
            finally:
                self.over = True
        if self.error:
            raise self.error
        return "done"


@asynccontextmanager
async def slow(slots: Slots, *accounts: AccountId) -> AsyncIterator[list[Step]]:
    """Run a step of each account that leaves its slot, until the body ends."""
    steps = [Step(account_id) for account_id in accounts]
    for step in steps:
        assert await slots.run(step) is None
    yield steps
    for step in steps:
        step.gate.set()
    await slots.wait()


async def test_a_slow_step_leaves_its_slot_to_the_next_one() -> None:
    slots = Slots(1, places=2, patience=0)
    async with slow(slots, ONE) as (first,):
        second = Step(TWO)
        second.gate.set()
        assert await slots.run(second) == "done"
        assert not first.over
    assert first.over


async def test_a_step_stays_in_its_slot_when_all_places_are_taken() -> None:
    slots = Slots(1, places=2, patience=0)
    async with slow(slots, ONE, TWO):
        third, fourth = Step(THREE), Step(THREE)
        running = [asyncio.create_task(slots.run(step)) for step in (third, fourth)]
        await third.begun.wait()
        assert third.may_wait is False
        third.gate.set()
        fourth.gate.set()
        assert await asyncio.gather(*running) == ["done", "done"]
    async with slow(slots, ONE, TWO):
        pass  # the places are free again


async def test_an_account_takes_at_most_half_of_the_places() -> None:
    slots = Slots(1, places=4, patience=0)
    async with slow(slots, ONE, ONE):
        assert not slots.may_leave(ONE)
        assert slots.may_leave(TWO)
    assert slots.may_leave(ONE)


async def test_steps_that_are_not_slow_take_no_place() -> None:
    slots = Slots(3, places=1, patience=60)
    steps = [Step(), Step(), Step()]
    running = [asyncio.create_task(slots.run(step)) for step in steps]
    for step in steps:
        await step.begun.wait()
    assert [step.may_wait for step in steps] == [True] * 3
    for step in steps:
        step.gate.set()
    assert await asyncio.gather(*running) == ["done"] * 3


async def test_an_error_is_raised_in_a_slot_and_logged_beside_it(caplog: pytest.LogCaptureFixture) -> None:
    slots = Slots(1, places=1, patience=60)
    step = Step(error=LookupError("gone"))
    step.gate.set()
    with pytest.raises(LookupError):
        await slots.run(step)
    slots.patience = 0
    step = Step(error=LookupError("gone"))
    with caplog.at_level(logging.WARNING):
        assert await slots.run(step) is None
        step.gate.set()
        await slots.wait()
        await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records] == ["slow work failed with LookupError: gone"]


async def test_a_task_that_is_cancelled_waits_for_the_end_of_its_step() -> None:
    slots = Slots(1, places=1, patience=60)
    step = Step()
    running = asyncio.create_task(slots.run(step))
    await step.begun.wait()
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    assert step.over
    assert slots.may_leave(ONE)


async def test_closing_cancels_the_steps_that_have_left_their_slots() -> None:
    slots = Slots(1, places=4, patience=0)
    steps = [Step(), Step(TWO)]
    for step in steps:
        assert await slots.run(step) is None
    await slots.aclose()
    assert all(step.over for step in steps)
    assert slots.may_leave(ONE)
