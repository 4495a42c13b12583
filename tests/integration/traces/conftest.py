"""Fixtures: recorded spans, an api and its client, an endpoint for webhooks."""

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from schemas.settings import Settings
from storage.context import Context
from tests.integration.api.service import Client, Service, make_client, serve
from tests.integration.traces.spans import Spans, recording
from tests.receiver import Receiver, receiving


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings with which messages reach the endpoint."""
    return settings.model_copy(update={"webhook_private_addresses": "allow"})


@pytest.fixture
def spans() -> Iterator[Spans]:
    """Record the spans of the test's process."""
    with recording() as spans:
        yield spans


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    """Run the api."""
    async with serve(settings) as service:
        yield service


@pytest.fixture
async def client(ctx: Context, service: Service) -> AsyncIterator[Client]:
    """Return a client of the api."""
    async with aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session:
        yield await make_client(ctx, session)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Return an endpoint that takes everything."""
    async with receiving() as receiver:
        yield receiver
