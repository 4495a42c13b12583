"""The documentation knows every code, every setting and every route."""

from pathlib import Path

import pytest

from api.route import Route
from api.routes import ROUTES
from schemas.item_errors import ItemCode
from schemas.settings import Settings

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("code", list(ItemCode))
def test_every_item_error_has_its_cause_and_cure(code: ItemCode) -> None:
    assert f"| `{code}` |" in (REFERENCE / "item-errors.md").read_text()


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_described(name: str) -> None:
    assert f"`{name.upper()}`" in (REFERENCE / "settings.md").read_text()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_described(route: Route) -> None:
    path = route.path.replace("{job_id}", "{id}")
    assert path.removeprefix("/v1") in (REFERENCE / "http.md").read_text()
