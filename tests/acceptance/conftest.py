"""Fixtures: services that the tests of a module share, and a caller with a new account."""

from collections.abc import Iterator
from itertools import count

import asyncpg
import pytest

from storage.access import api_keys
from storage.entities import accounts
from storage.entities.accounts import AccountChange
from tests.acceptance.partner_requests import PHONE_NUMBER_ID, Caller
from tests.acceptance.service import Service, serving

NUMBERS = count(1)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Start a service with two workers and no limits, in a folder with a space in its name."""
    home = tmp_path_factory.mktemp("a home") / "state"
    with serving(home) as service:
        service.cli("accounts", "set", "demo", "--item-limit", "0", "--request-limit", "0")
        yield service


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Start a service with default options: accounts have the default limits."""
    with serving(tmp_path_factory.mktemp("documents") / "state") as service:
        yield service


@pytest.fixture
async def caller(running: Service) -> Caller:
    """Return a caller with a new account in India, the only one with the phone_number_id of the examples."""
    conn = await asyncpg.connect(running.dev["database_url"])
    await conn.execute("UPDATE accounts SET phone_number_id = NULL")
    change = AccountChange(region="IN", phone_number_id=PHONE_NUMBER_ID)
    account = await accounts.create(conn, f"of-india-{next(NUMBERS)}", change)
    _, key = await api_keys.create_key(conn, account.id)
    await conn.close()
    return Caller(running, key)
