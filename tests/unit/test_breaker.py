"""The circuit breaker: one call probes a failed server, and the other calls do not wait."""

import asyncio

import pytest
from redis.exceptions import RedisError

from api.http import breaker
from api.http.breaker import Breaker


class Server:
    """A server that returns, fails or hangs, and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.silent = False

    async def call(self) -> str:
        self.calls += 1
        if self.silent:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return "result"


@pytest.mark.parametrize("error", [RedisError(), ConnectionRefusedError(), TimeoutError()], ids=repr)
async def test_after_a_failure_the_server_is_not_called(error: Exception) -> None:
    server, guard = Server(), Breaker()
    assert await guard.ask(server.call) == "result"
    server.error = error
    assert [await guard.ask(server.call) for _ in range(5)] == [None] * 5
    assert server.calls == 2


async def test_a_silent_server_delays_only_one_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(breaker, "CALL_SECONDS", 0.01)
    server, guard = Server(), Breaker()
    server.silent = True
    assert [await guard.ask(server.call) for _ in range(5)] == [None] * 5
    assert server.calls == 1


async def test_other_calls_do_not_wait_for_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    server, guard = Server(), Breaker()
    server.error = RedisError()
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 0)
    await guard.ask(server.call)
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 60)
    server.silent = True
    probe = asyncio.create_task(guard.ask(server.call))
    await asyncio.sleep(0)  # the probe calls the server
    assert server.calls == 2
    async with asyncio.timeout(breaker.PROBE_SECONDS / 2):
        assert await guard.ask(server.call) is None
    assert not probe.done()
    assert await probe is None
    assert server.calls == 2


async def test_a_recovered_server_is_called_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 0)
    server, guard = Server(), Breaker()
    server.error = RedisError()
    assert await guard.ask(server.call) is None
    server.error = None
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 60)
    results = [await guard.ask(server.call) for _ in range(3)]
    assert (results, server.calls) == (["result"] * 3, 4)


async def test_other_exceptions_are_raised() -> None:
    server, guard = Server(), Breaker()
    server.error = ValueError("ours")
    with pytest.raises(ValueError, match="ours"):
        await guard.ask(server.call)
    server.error = None
    assert await guard.ask(server.call) == "result"
