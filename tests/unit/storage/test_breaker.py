"""The circuit breaker: one probe watches a failed server, and no call waits for it."""

import asyncio

import pytest
from redis.exceptions import ReadOnlyError, RedisError

from storage import breaker
from storage.breaker import Breaker


class Server:
    """A server that returns, fails or hangs, and counts its calls and its probes."""

    def __init__(self) -> None:
        self.calls = self.probes = 0
        self.error: Exception | None = None
        self.silent = False
        self.guard = Breaker(self.probe)

    async def call(self) -> str:
        self.calls += 1
        await self._respond()
        return "result"

    async def probe(self) -> None:
        self.probes += 1
        await self._respond()

    async def ask(self) -> str | None:
        return await self.guard.ask(self.call)

    async def _respond(self) -> None:
        if self.silent:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("error", [RedisError(), ConnectionRefusedError(), TimeoutError()], ids=repr)
async def test_after_a_failure_the_server_is_not_called(error: Exception) -> None:
    server = Server()
    assert await server.ask() == "result"
    server.error = error
    assert [await server.ask() for _ in range(5)] == [None] * 5
    assert (server.calls, server.probes) == (2, 0)
    assert server.guard.refuses
    assert not server.guard.closed


async def test_a_silent_server_delays_only_one_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(breaker, "CALL_SECONDS", 0.01)
    server = Server()
    server.silent = True
    assert [await server.ask() for _ in range(5)] == [None] * 5
    assert server.calls == 1


async def test_other_calls_do_not_wait_for_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    server.error = RedisError()
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 0)
    await server.ask()
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 60)
    server.silent = True
    probe = asyncio.create_task(server.ask())
    async with asyncio.timeout(1):
        while not server.probes:  # noqa: ASYNC110 - the probe calls the server in a task of its own
            await asyncio.sleep(0)
    async with asyncio.timeout(breaker.PROBE_SECONDS / 2):
        assert await server.ask() is None
    assert not probe.done()
    assert await probe is None
    assert (server.calls, server.probes) == (1, 1)


async def test_a_recovered_server_is_called_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 0)
    server = Server()
    server.error = RedisError()
    assert await server.ask() is None
    server.error = None
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 60)
    results = [await server.ask() for _ in range(3)]
    assert (results, server.calls, server.probes) == (["result"] * 3, 4, 1)


async def test_a_server_that_only_reads_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 0)
    server = Server()
    server.error = ReadOnlyError()
    assert [await server.ask() for _ in range(3)] == [None] * 3
    assert (server.calls, server.probes) == (1, 2)


async def test_other_exceptions_are_raised() -> None:
    server = Server()
    server.error = ValueError("ours")
    with pytest.raises(ValueError, match="ours"):
        await server.ask()
    server.error = None
    assert await server.ask() == "result"
