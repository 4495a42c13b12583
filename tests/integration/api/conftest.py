"""Fixtures: a running api, and clients of it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from schemas.settings import Settings
from storage.context import Context
from tests.integration.api.service import Client, Service, make_client, serve


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    """The api with the settings of the test."""
    async with serve(settings) as service:
        yield service


@pytest.fixture
async def session(service: Service) -> AsyncIterator[aiohttp.ClientSession]:
    """A bare client, without a key."""
    async with aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session:
        yield session


@pytest.fixture
async def client(ctx: Context, session: aiohttp.ClientSession) -> Client:
    """A client of an account without limits."""
    return await make_client(ctx, session)
