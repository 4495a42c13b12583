"""No page without a session, and no change without its token: for each route of the table."""

import hashlib
import re

import aiohttp
import pytest

from api.html.assets import ASSETS, FOLDER
from api.route import Route
from api.routes import PAGE_ROUTES
from tests.integration.api.service import COOKIE, Client, sign_in

PRIVATE = [route for route in PAGE_ROUTES if not route.public]


def _path(route: Route) -> str:
    """Return the path of a route, with ids that belong to nobody."""
    return re.sub(r"{\w+}", "1", route.path.replace("{job_id}", "job_01KANP8S3V0000000000000001"))


def _name(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.mark.parametrize("route", PRIVATE, ids=_name)
async def test_a_page_needs_a_session(client: Client, session: aiohttp.ClientSession, route: Route) -> None:
    for headers in ({}, {"Authorization": f"Bearer {client.key}"}, {"Cookie": "bulklane_session=x"}):
        async with session.request(route.method, _path(route), headers=headers) as response:
            assert (response.status, response.content_type) == (401, "text/html")


@pytest.mark.parametrize("route", [route for route in PRIVATE if route.method != "GET"], ids=_name)
async def test_a_form_needs_the_token_of_its_session(
    client: Client, session: aiohttp.ClientSession, route: Route
) -> None:
    cookie = f"{COOKIE}={await sign_in(session, client.key)}"
    for form in ({}, {"csrf_token": "0" * 64}):
        async with session.request(
            route.method, _path(route), data=form, headers={"Cookie": cookie}
        ) as response:
            assert response.status == 401, await response.text()
            assert "older session" in await response.text()


async def test_a_form_of_another_site_is_refused_although_it_has_the_token(
    client: Client, session: aiohttp.ClientSession
) -> None:
    value = await sign_in(session, client.key)
    form = {"csrf_token": hashlib.sha256(f"csrf:{value}".encode()).hexdigest()}
    path, cookie = "/sign-out", {"Cookie": f"{COOKIE}={value}"}
    for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        async with session.post(path, data=form, headers=cookie | foreign) as response:
            assert response.status == 401
            assert not response.cookies
    async with session.post(path, data=form, headers=cookie, allow_redirects=False) as response:
        assert response.status == 303


@pytest.mark.parametrize("name", sorted(ASSETS))
async def test_an_asset_is_served_and_names_no_other_host(session: aiohttp.ClientSession, name: str) -> None:
    async with session.get(f"/assets/{name}", params={"v": "1"}) as response:
        assert response.status == 200
        assert "immutable" in response.headers["Cache-Control"]
        text = (await response.text()).replace("http://www.w3.org/", "")
    assert "//cdn" not in text
    assert "http://" not in text


async def test_no_other_file_is_served(session: aiohttp.ClientSession) -> None:
    for name in ("vendored.txt", "idiomorph.LICENSE.txt", "..%2frender.py", "%2fetc%2fpasswd"):
        async with session.get(f"/assets/{name}") as response:
            assert response.status == 404


def test_the_files_that_we_did_not_write_are_unchanged() -> None:
    rows = [line.split(" | ") for line in (FOLDER / "vendored.txt").read_text().splitlines()]
    listed = {row[0]: row[4] for row in rows if len(row) == 5}
    assert listed
    for name, digest in listed.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest
        assert (FOLDER / f"{name.rpartition('.')[0]}.LICENSE.txt").is_file()
