"""Work that repeats: no error ends it, and each trouble is told once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from storage import background
from storage.background import beside, repeat

EVERY = 0.001


async def test_an_error_is_logged_once_while_it_repeats_and_so_is_the_success_after_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fails = [ConnectionError("away")] * 3
    assert await _logged(caplog, 5, lambda: _fail_first(fails)) == ["failed", "works again"]


async def test_a_subscription_that_is_lost_a_second_time_is_logged_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "STEADY_SECONDS", 0.02)
    lives = [0.0, 0.0, 0.05, 0.0]

    async def listen() -> None:
        await asyncio.sleep(lives.pop(0) if lives else 60)
        raise ConnectionError("away")

    assert await _logged(caplog, 5, listen) == ["failed", "failed"]


async def _fail_first(errors: list[ConnectionError]) -> None:
    if errors:
        raise errors.pop()


async def _logged(
    caplog: pytest.LogCaptureFixture, rounds: int, work: Callable[[], Awaitable[None]]
) -> list[str]:
    """What is logged in the first rounds of the work."""
    caplog.set_level("INFO", logger=background.__name__)
    done = asyncio.Event()
    begun = 0

    async def count() -> None:
        nonlocal begun
        begun += 1
        if begun == rounds:
            done.set()
        await work()

    async with beside(repeat(EVERY, count, what="work")), asyncio.timeout(10):
        await done.wait()
    words = ("failed", "works again")
    return [word for message in caplog.messages for word in words if word in message]
