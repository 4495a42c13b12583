"""Questions that are asked at the same moment are answered by one call."""

import asyncio
from collections.abc import Sequence

import pytest

from storage.batched import Batched


class Service:
    """Doubles numbers, when it is let."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.begun, self.gate = asyncio.Event(), asyncio.Event()
        self.cancelled = False
        self.batched = Batched(self.double)

    async def double(self, numbers: Sequence[int]) -> list[int]:
        self.calls.append(list(numbers))
        self.begun.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return [2 * number for number in numbers]


async def begun(service: Service, numbers: Sequence[int]) -> list[asyncio.Task[int]]:
    """Ask at the same moment, and return when the call has begun."""
    asking = [asyncio.create_task(service.batched.ask(number)) for number in numbers]
    await service.begun.wait()
    return asking


async def test_each_gets_its_answer_from_one_call() -> None:
    service = Service()
    asking = await begun(service, [1, 2, 3])
    later = asyncio.create_task(service.batched.ask(4))
    service.gate.set()
    assert await asyncio.gather(*asking, later) == [2, 4, 6, 8]
    assert service.calls == [[1, 2, 3], [4]]


async def test_an_error_is_raised_to_all_who_asked() -> None:
    async def fail(_: Sequence[int]) -> list[int]:
        raise LookupError

    batched = Batched(fail)
    asked = await asyncio.gather(batched.ask(1), batched.ask(2), return_exceptions=True)
    assert [type(one) for one in asked] == [LookupError, LookupError]


async def test_who_is_cancelled_takes_the_answer_from_nobody() -> None:
    service = Service()
    gone, stays = await begun(service, [1, 2])
    gone.cancel()
    await asyncio.wait({gone})
    service.gate.set()
    assert await stays == 4
    assert gone.cancelled()


async def test_the_call_is_cancelled_and_over_when_all_are_cancelled() -> None:
    service = Service()
    asking = await begun(service, [1, 2])
    for one in asking:
        one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.gather(*asking)
    assert service.cancelled


@pytest.mark.parametrize("rounds", [0, 5])
async def test_a_call_that_was_cancelled_before_it_began_takes_no_later_question(rounds: int) -> None:
    service = Service()
    service.gate.set()
    asked = asyncio.create_task(service.batched.ask(1))
    await asyncio.sleep(0)  # it has asked, and the call has not begun
    cancelled = asyncio.all_tasks() - {asyncio.current_task()}
    assert asked in cancelled
    for task in cancelled:
        task.cancel()
    for _ in range(rounds):
        await asyncio.sleep(0)
    assert await service.batched.ask(2) == 4
    await asyncio.wait(cancelled)
    assert service.calls == [[2]]
