"""arq loses Redis and is restarted while turns of the former arq go on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from storage import queue
from storage.background import beside
from storage.context import Context
from storage.slots import Slot, Slots
from tests.waiting import until
from worker import turn
from worker.bells import process
from worker.bells.arq_app import make_worker
from worker.bells.arq_worker import BellWorker
from worker.bells.process import Bells

TURNS = 2


@dataclass
class Running:
    """Turns that wait for `go_on`, and the arq workers that serve them."""

    bells: Bells
    ctx: Context
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    lost: asyncio.Event = field(default_factory=asyncio.Event)  # the first arq loses Redis
    workers: list[BellWorker] = field(default_factory=list)
    turns: int = 0
    most: int = 0

    async def take_turn(self, _: Slot) -> bool:
        self.turns += 1
        self.most = max(self.most, self.turns)
        await self.go_on.wait()
        self.turns -= 1
        return False

    async def are_taken(self) -> bool:
        return self.turns == TURNS

    async def second_arq_has_bells(self) -> bool:
        return len(self.workers) == 2 and len(self.workers[1].job_tasks) >= TURNS


@pytest.fixture
async def running(crew: list[Context], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """Run bells with a context that allows two turns."""
    settings = crew[0].settings.model_copy(update={"worker_turns": TURNS})
    ctx = replace(crew[0], settings=settings, turn_slots=Slots(TURNS, places=0))
    running = Running(Bells(ctx, asyncio.Event()), ctx)

    def make(*arguments: Context | asyncio.Event) -> BellWorker:
        worker = make_worker(*arguments)  # type: ignore[arg-type]
        if not running.workers:
            rest = worker.heart_beat

            async def lose() -> None:
                if running.lost.is_set():
                    raise RedisConnectionError
                await rest()

            monkeypatch.setattr(worker, "heart_beat", lose)
        running.workers.append(worker)
        return worker

    monkeypatch.setattr(process, "make_worker", make)
    monkeypatch.setattr(turn._Turn, "take", lambda _, slot: running.take_turn(slot))
    async with beside(running.bells.serve_forever()):
        await ctx.queue.ring_work(queue.WORK_BELLS)
        await until(running.are_taken)
        running.lost.set()
        yield running
        running.go_on.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(running.bells.end(), 10)


async def test_a_restarted_arq_takes_no_turn_beside_those_of_the_former_one(running: Running) -> None:
    await until(running.second_arq_has_bells)
    for _ in range(100):
        await asyncio.sleep(0)  # let the bells of the second arq begin
    assert running.most == TURNS


async def test_that_arq_has_no_redis_is_logged_once(
    ctx: Context, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    starts = 0
    enough = asyncio.Event()

    def fail(*_: object) -> BellWorker:
        nonlocal starts
        starts += 1
        if starts == 20:
            enough.set()
        raise RedisConnectionError("refused")

    monkeypatch.setattr(process, "make_worker", fail)
    monkeypatch.setattr(process, "FIRST_PAUSE", 0.0)
    async with beside(Bells(ctx, asyncio.Event()).serve_forever()), asyncio.timeout(10):
        await enough.wait()
    assert [text for text in caplog.messages if "arq" in text] == [
        "arq has stopped with ConnectionError, starting it again every 2 s: refused"
    ]


async def test_a_stop_waits_for_the_turns_of_a_former_arq(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "FAREWELL_SECONDS", 0.0)
    await until(running.second_arq_has_bells)
    (second,) = running.workers[1:]
    for work in second.job_tasks.values():
        work.cancel()  # only the turns of the first arq are left
    ending = asyncio.create_task(running.bells.end())
    for _ in range(100):
        await asyncio.sleep(0)
    assert not ending.done()
    assert running.turns == TURNS
    running.go_on.set()
    await ending
    assert running.turns == 0
