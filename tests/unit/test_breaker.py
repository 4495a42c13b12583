"""The circuit breaker: one question finds out, the others are not held up."""

import asyncio

import pytest
from redis.exceptions import RedisError

from api.http import breaker
from api.http.breaker import Breaker


class Server:
    """Answers, fails or is silent; counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.silent = False

    async def ask(self) -> str:
        self.asked += 1
        if self.silent:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return "answer"


@pytest.mark.parametrize("error", [RedisError(), ConnectionRefusedError(), TimeoutError()], ids=repr)
async def test_a_failure_is_no_answer_and_the_next_questions_are_not_asked(error: Exception) -> None:
    server, asking = Server(), Breaker()
    assert await asking.ask(server.ask) == "answer"
    server.error = error
    assert [await asking.ask(server.ask) for _ in range(5)] == [None] * 5
    assert server.asked == 2


async def test_a_silent_server_holds_up_one_question_for_the_time_of_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(breaker, "ANSWER_SECONDS", 0.01)
    server, asking = Server(), Breaker()
    server.silent = True
    assert [await asking.ask(server.ask) for _ in range(5)] == [None] * 5
    assert server.asked == 1


async def test_while_one_question_finds_out_the_others_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    server, asking = Server(), Breaker()
    server.error = RedisError()
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 0)
    await asking.ask(server.ask)
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 60)
    server.silent = True
    finding_out = asyncio.create_task(asking.ask(server.ask))
    await asyncio.sleep(0)  # it asks
    assert server.asked == 2
    async with asyncio.timeout(breaker.PROBE_SECONDS / 2):
        assert await asking.ask(server.ask) is None
    assert not finding_out.done()
    assert await finding_out is None
    assert server.asked == 2


async def test_a_server_that_is_back_is_asked_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 0)
    server, asking = Server(), Breaker()
    server.error = RedisError()
    assert await asking.ask(server.ask) is None
    server.error = None
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 60)
    answers = [await asking.ask(server.ask) for _ in range(3)]
    assert (answers, server.asked) == (["answer"] * 3, 4)


async def test_an_error_of_our_own_is_not_taken_for_one_of_the_server() -> None:
    server, asking = Server(), Breaker()
    server.error = ValueError("ours")
    with pytest.raises(ValueError, match="ours"):
        await asking.ask(server.ask)
    server.error = None
    assert await asking.ask(server.ask) == "answer"
