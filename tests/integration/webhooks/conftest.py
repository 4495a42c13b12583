"""Fixtures: an endpoint, and settings that allow its address and retry at once."""

from collections.abc import AsyncIterator

import pytest

from schemas.settings import Settings
from tests.receiver import Receiver, receiving

QUICK = (0.02, 0.02, 0.02)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings with which messages reach the endpoint, and retries are quick."""
    changes = {"webhook_private_addresses": "allow", "webhook_retry_seconds": QUICK, "webhook_seconds": 5.0}
    return settings.model_copy(update=changes)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Return an endpoint that takes everything."""
    async with receiving() as receiver:
        yield receiver
