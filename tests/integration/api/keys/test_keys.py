"""API keys: the headers that carry one, and the data of its account, which no other key can read."""

import re

import aiohttp
import pytest

from api.route import Route
from api.routes import ROUTES
from schemas.settings import Settings
from storage.access import api_keys
from storage.context import Context
from tests.factories import contact
from tests.integration.api.service import Client, make_client, serve
from tests.integration.api.work import work

UNKNOWN_JOB = "job_01ARZ3NDEKTSV4RRFFQ69G5FAV"
PRIVATE = [route for route in ROUTES if not route.public]
OF_A_JOB = [route for route in PRIVATE if "{job_id}" in route.path]


def path_of(route: Route, job_id: str = UNKNOWN_JOB) -> str:
    known = {"job_id": job_id, "operation": "contacts.upsert", "asset": "swagger-ui.css"}
    return re.sub(r"\{(\w+)\}", lambda name: known.get(name[1], "1"), route.path)


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("Authorization", "{}"),
        ("Authorization", "Bearer {}"),
        ("authorization", "bearer   {}"),
        ("x-api-key", "{}"),
        ("X-WHIPPY-KEY", "{}"),
        ("x-whippy-key", "{}"),
    ],
)
async def test_a_key_is_taken_from_every_header_that_partners_use(
    client: Client, session: aiohttp.ClientSession, name: str, form: str
) -> None:
    async with session.get("/v1/jobs", headers={name: form.format(client.key)}) as response:
        assert response.status == 200


@pytest.mark.parametrize("route", PRIVATE, ids=name_of)
async def test_every_private_route_needs_a_key(session: aiohttp.ClientSession, route: Route) -> None:
    async with session.request(route.method, path_of(route)) as response:
        assert response.status == 401
        error = (await response.json())["error"]
        assert (error["type"], error["code"]) == ("authentication_error", "missing_api_key")
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert error["request_id"] == response.headers["X-Request-Id"]


@pytest.mark.parametrize("kind", ["wrong", "revoked", "of another number"])
async def test_no_private_route_accepts_a_key_that_is_not_valid(
    ctx: Context, settings: Settings, kind: str
) -> None:
    async with (
        serve(settings.model_copy(update={"failed_key_limit": 0})) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client, other = await make_client(ctx, session), await make_client(ctx, session)
        key_id, revoked = await api_keys.create_key(ctx.pool, client.account.id)
        await api_keys.revoke_key(ctx.pool, client.account.id, key_id)
        forged = client.key.replace(f"bl_{client.account.id}_", f"bl_{other.account.id}_")
        key = {"wrong": client.key + "x", "revoked": revoked, "of another number": forged}[kind]
        for route in PRIVATE:
            response = await client.call(route.method, path_of(route), headers={"Authorization": key})
            assert (response.status, response.error["code"]) == (401, "invalid_api_key"), name_of(route)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.public], ids=name_of)
async def test_a_public_route_needs_no_key(session: aiohttp.ClientSession, route: Route) -> None:
    async with session.request(route.method, path_of(route)) as response:
        assert response.status == (204 if route.method == "OPTIONS" else 200)


@pytest.mark.parametrize(
    "key",
    [
        "wrong",
        "bl_1_wrong",
        "bl_999999999999999999_x",
        "bl_9999999999999999999999_x",
        "bl_-1_x",
        "bl_¹_x",
        "bl_1_ÿ",
        "bl_1_" + "x" * 4000,
        "Bearer",
        "Basic dXNlcjpwYXNz",
    ],
)
async def test_an_invalid_key_is_refused(client: Client, key: str) -> None:
    response = await client.get("/v1/jobs", Authorization=key)
    code = "missing_api_key" if key == "Bearer" else "invalid_api_key"
    assert (response.status, response.error["code"]) == (401, code)


async def test_a_key_that_is_not_utf_8_is_refused(service: object, client: Client) -> None:
    response = await client.get("/v1/jobs", Authorization="bl_1_\udcff")
    assert (response.status, response.error["code"]) == (401, "invalid_api_key")


async def test_a_revoked_key_is_refused(ctx: Context, client: Client) -> None:
    key_id, key = await api_keys.create_key(ctx.pool, client.account.id)
    assert (await client.get("/v1/jobs", Authorization=key)).status == 200
    await api_keys.revoke_key(ctx.pool, client.account.id, key_id)
    response = await client.get("/v1/jobs", Authorization=key)
    assert (response.status, response.error["code"]) == (401, "invalid_api_key")


async def test_a_key_with_the_number_of_another_account_is_refused(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    other = await make_client(ctx, session)
    forged = client.key.replace(f"bl_{client.account.id}_", f"bl_{other.account.id}_")
    assert (await client.get("/v1/jobs", Authorization=forged)).status == 401


@pytest.mark.parametrize("route", OF_A_JOB, ids=name_of)
@pytest.mark.parametrize("accept", ["application/json", "text/csv", "application/x-ndjson"])
async def test_a_foreign_job_gets_the_404_of_an_unknown_one(
    ctx: Context, session: aiohttp.ClientSession, client: Client, route: Route, accept: str
) -> None:
    response = await client.submit_items([contact(1), {"phone": "12"}])
    await work(ctx)
    mine = response.json["id"]
    other = await make_client(ctx, session)
    responses = []
    for job_id in (mine, UNKNOWN_JOB):
        response = await other.call(route.method, path_of(route, job_id), headers={"Accept": accept})
        shown = response.body.replace(job_id.encode(), b"ID")
        responses.append((response.status, shown.replace(response.headers["X-Request-Id"].encode(), b"REQ")))
    assert responses[0] == responses[1]
    assert responses[0][0] == 404


async def test_the_list_shows_only_the_jobs_of_the_account(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    other = await make_client(ctx, session)
    mine = await client.submit_items([contact(1)])
    theirs = await other.submit_items([contact(1)])
    assert [job["id"] for job in await client.jobs()] == [mine.json["id"]]
    assert [job["id"] for job in await other.jobs()] == [theirs.json["id"]]
    page = await other.get(f"/v1/jobs?cursor={mine.json['id']}")
    assert page.json["data"] == []


async def test_each_account_has_its_own_contact_of_a_phone(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    other = await make_client(ctx, session)
    await client.submit_items([contact(1, name="Mine")])
    await other.submit_items([contact(1, name="Theirs")])
    await work(ctx)
    rows = await ctx.pool.fetch("SELECT account_id, name FROM contacts ORDER BY account_id")
    names = {row["account_id"]: row["name"] for row in rows}
    assert names == {client.account.id: "Mine", other.account.id: "Theirs"}
