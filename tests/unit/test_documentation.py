"""The documentation lists every code, setting and route, and its links resolve."""

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from api.route import Route
from api.routes import OPERATOR_ROUTES, ROUTES
from schemas.item_errors import ItemCode
from schemas.job_errors import JobErrorCode
from schemas.settings import Settings

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
BESIDE = ("README.md", "CHANGELOG.md", "SECURITY.md", "client/README.md")
PAGES = (*(ROOT / page for page in BESIDE), *sorted((ROOT / "docs").rglob("*.md")))
RAISING = ("api", "schemas", "storage")  # the packages that refuse requests
LINK = re.compile(r"""(?:\]\(|src(?:set)?=")(?!https?:)([^)#\s"]*)(?:#([^)\s"]*))?[)"]""")
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def _codes_of(tree: ast.AST) -> Iterator[str]:
    """Yield the texts passed as `code=…` or assigned to `default_code`."""
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="code", value=ast.Constant(value=str(code))):
                yield code
            case ast.Assign(targets=[ast.Name(id="default_code")], value=ast.Constant(value=str(code))):
                yield code
            case ast.AnnAssign(target=ast.Name(id="default_code"), value=ast.Constant(value=str(code))):
                yield code


def _request_codes() -> list[str]:
    files = chain.from_iterable((ROOT / package).rglob("*.py") for package in RAISING)
    return sorted({code for file in files for code in _codes_of(ast.parse(file.read_text()))})


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes from a page's headings."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("code", list(ItemCode))
def test_every_item_error_has_its_cause_and_cure(code: ItemCode) -> None:
    assert f"| `{code}` |" in (REFERENCE / "item-errors.md").read_text()


@pytest.mark.parametrize("code", list(JobErrorCode))
def test_every_error_of_a_job_has_its_cause_and_cure(code: JobErrorCode) -> None:
    assert f"| `{code}` |" in (REFERENCE / "errors.md").read_text()
    assert code.message


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_described(name: str) -> None:
    assert f"`{name.upper()}`" in (REFERENCE / "settings.md").read_text()


@pytest.mark.parametrize("route", ROUTES + OPERATOR_ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_described(route: Route) -> None:
    path = route.path.replace("{job_id}", "{id}")
    lines = (REFERENCE / "http.md").read_text().splitlines()
    named = re.compile(rf"`(?:[A-Z]+ )?{re.escape(path)}(?:[?`])")
    documented = any(named.search(line) and re.search(rf"\b{route.method}\b", line) for line in lines)
    assert documented, f"add {route.method} {route.path} to docs/reference/http.md"


def test_the_codes_of_requests_are_found() -> None:
    assert {"unknown_job", "internal_error", "list_exists"} <= set(_request_codes())


@pytest.mark.parametrize("code", _request_codes())
def test_every_request_error_has_its_cause_and_cure(code: str) -> None:
    assert f"| `{code}` |" in (REFERENCE / "errors.md").read_text(), f"add {code} to docs/reference/errors.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for path, anchor in LINK.findall(FENCE.sub("", page.read_text())):
        target = page.parent / path if path else page
        assert target.exists(), f"{page.relative_to(ROOT)} links to {path}, which does not exist"
        if anchor:
            assert anchor in _anchors(target), (
                f"{page.relative_to(ROOT)} links to a missing heading: {path}#{anchor}"
            )
