"""Fixtures: a running api, and its clients."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from schemas.settings import Settings
from storage.context import Context
from tests.integration.api.service import Client, Service, make_client, serve


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    """Run the api with the settings of the test."""
    async with serve(settings) as service:
        yield service


@pytest.fixture
async def session(service: Service) -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP session without an API key."""
    async with aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session:
        yield session


@pytest.fixture
async def client(ctx: Context, session: aiohttp.ClientSession) -> Client:
    """Return a client of an account without limits."""
    return await make_client(ctx, session)
