"""Fixtures: an api with OPERATOR_KEY, a client of the operator and one of an account."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from schemas.settings import Settings
from storage.context import Context
from tests.integration.api.operator.operator_client import OPERATOR_KEY, OperatorClient
from tests.integration.api.service import Client, make_client, serve


@pytest.fixture
async def session(settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP session with an api that has OPERATOR_KEY."""
    settings = settings.model_copy(update={"operator_key": OPERATOR_KEY})
    async with (
        serve(settings) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        yield session


@pytest.fixture
async def operator(session: aiohttp.ClientSession) -> OperatorClient:
    """Return the client of the operator."""
    return OperatorClient(session)


@pytest.fixture
async def client(ctx: Context, session: aiohttp.ClientSession) -> Client:
    """Return a client of an account without limits."""
    return await make_client(ctx, session, name="acme")
