"""Fixtures: one service for all tests of the command."""

from collections.abc import Iterator

import pytest

from tests.acceptance.service import Service, serving


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Start a service with two workers and no limits."""
    with serving(tmp_path_factory.mktemp("command") / "state") as service:
        service.cli("accounts", "set", "demo", "--item-limit", "0", "--request-limit", "0")
        yield service
