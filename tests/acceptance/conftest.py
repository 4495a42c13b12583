"""One service for all tests that do not break it."""

from collections.abc import Iterator

import pytest

from tests.acceptance.service import Service, serving


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with two workers and no limits, in a folder with a space in its name."""
    home = tmp_path_factory.mktemp("a home") / "state"
    with serving(home) as service:
        service.cli("accounts", "set", "demo", "--item-limit", "0", "--request-limit", "0")
        yield service
