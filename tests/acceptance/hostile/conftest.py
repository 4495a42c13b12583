"""Fixtures: the key of an account without limits, and an api process."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.settings import Settings
from storage.access import api_keys
from storage.context import Context
from tests.acceptance.hostile.api_process import ApiProcess, api_process
from tests.acceptance.partner_requests import PHONE_NUMBER_ID
from tests.factories import make_account


@pytest.fixture
async def key(ctx: Context) -> str:
    """Return the key of an account without limits."""
    account = await make_account(ctx, request_limit=0, item_limit=0, phone_number_id=PHONE_NUMBER_ID)
    _, key = await api_keys.create_key(ctx.pool, account.id)
    return key


@pytest.fixture
async def api(settings: Settings, key: str, tmp_path: Path) -> AsyncIterator[ApiProcess]:
    """Run an api process with default settings."""
    async with api_process(settings, key, tmp_path, READ_LIMIT="0") as api:
        yield api


@pytest.fixture
async def probed(settings: Settings, key: str, tmp_path: Path) -> AsyncIterator[ApiProcess]:
    """Run an api process that writes how long its event loop stands still."""
    module = "tests.acceptance.hostile.probed_api"
    async with api_process(settings, key, tmp_path, module=module, READ_LIMIT="0") as api:
        yield api
