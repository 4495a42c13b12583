"""Fixture: four workers of one service, each with its own connections and its own id."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from schemas.settings import Settings
from storage.context import Context
from tests.workers import open_worker


@pytest.fixture
async def crew(settings: Settings) -> AsyncIterator[list[Context]]:
    """Return four workers."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_worker(settings)) for _ in range(4)]
