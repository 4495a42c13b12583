"""The scopes of keys: what each route needs, and what a key without it gets."""

import aiohttp
import pytest

from api.route import Route
from api.routes import OPERATOR_PAGE_ROUTES, OPERATOR_ROUTES, PAGE_ROUTES, ROUTES
from schemas.callers import Scope
from storage.access import api_keys
from storage.context import Context
from tests.integration.api.keys.test_keys import path_of
from tests.integration.api.service import Client
from tests.integration.api.uploads.sending import CSV, append, create, offset_of

REFUSED = "insufficient_scope"
WITH_KEY = [route for route in (*ROUTES, *PAGE_ROUTES) if not route.public]


async def client_with(ctx: Context, session: aiohttp.ClientSession, client: Client, *scopes: Scope) -> Client:
    """Return a client of the same account whose key has these scopes."""
    _, key = await api_keys.add_key(ctx.pool, client.account.id, None, scopes=scopes)
    return Client(session, client.account, key)


@pytest.mark.parametrize("scope", Scope)
async def test_every_route_is_open_to_keys_with_its_scope_only(
    ctx: Context, session: aiohttp.ClientSession, client: Client, scope: Scope
) -> None:
    caller = await client_with(ctx, session, client, scope)
    wrong = []
    for route in WITH_KEY:
        path = path_of(route)
        if route in PAGE_ROUTES:
            response = await caller.visit(route.method, path, {})
            refused = response.status == 403 and REFUSED.encode() in response.body
        else:
            response = await caller.call(route.method, path)
            refused = response.status == 403 and response.error["code"] == REFUSED
        assert response.status != 401, (route, response.body)
        if refused != (route.needs not in (scope, None)):
            wrong.append((route.method, route.path, response.status))
    assert not wrong, f"with a key that has only {scope}"


def test_reading_needs_read_and_what_reveals_or_deletes_needs_admin() -> None:
    needed = {(route.method, route.path): route.needs for route in WITH_KEY}
    assert needed["GET", "/v1/jobs"] is Scope.READ
    assert needed["POST", "/v1/bulk/{operation}"] is Scope.WRITE
    assert needed["DELETE", "/v1/contacts/{contact_id}"] is Scope.WRITE
    assert needed["GET", "/v1/webhooks/{webhook_id}/secret"] is Scope.ADMIN
    assert needed["DELETE", "/v1/labels/{label_id}"] is Scope.ADMIN
    assert needed["GET", "/upload"] is needed["GET", "/v1/uploads/{upload_id}"] is Scope.WRITE
    assert {path for (_, path), scope in needed.items() if scope is None} == {"/sign-out", "/v1/accounts"}
    assert all(needs is not Scope.READ for (method, _), needs in needed.items() if method != "GET")


def test_a_route_without_a_key_of_an_account_needs_no_scope() -> None:
    others: list[Route] = [route for route in ROUTES if route.public]
    for route in (*others, *OPERATOR_ROUTES, *OPERATOR_PAGE_ROUTES):
        assert route.needs is None, route.path


async def test_a_refusal_names_the_scope_and_the_key(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    reader = await client_with(ctx, session, client, Scope.READ)
    response = await reader.submit_items([{"phone": "+14155550123"}])
    (own, *_) = [
        row for row in await api_keys.list_keys(ctx.pool, client.account.id) if row.scopes == ["read"]
    ]
    assert (response.status, response.error["type"], response.error["code"]) == (
        403,
        "permission_error",
        REFUSED,
    )
    assert f"the scope write; {own.id} has read" in response.error["message"]
    assert await client.jobs() == []


async def test_a_head_request_needs_the_scope_of_the_get(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    writer = await client_with(ctx, session, client, Scope.WRITE)
    assert (await writer.call("HEAD", "/v1/jobs")).status == 403
    reader = await client_with(ctx, session, client, Scope.READ)
    assert (await reader.call("HEAD", "/v1/jobs")).status == 200


async def test_an_upload_is_resumed_with_the_key_that_sends_it_and_ended_by_no_reader(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    writer = await client_with(ctx, session, client, Scope.WRITE)
    reader = await client_with(ctx, session, client, Scope.READ)
    place = (await create(writer, CSV[:50])).headers["Location"]
    token = "SELECT token FROM resumable_uploads"
    before = await ctx.pool.fetchval(token)
    assert (await reader.call("HEAD", place)).status == 403
    assert await ctx.pool.fetchval(token) == before  # a request that appends goes on
    offset = await offset_of(writer, place)
    assert (await append(writer, place, offset, CSV[offset:], complete=True)).status == 202


async def test_a_session_with_a_key_that_reads_sees_no_forms_that_it_cannot_use(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    await client.call("POST", "/v1/contact-lists", json={"name": "Spring"})
    job = await client.submit_items([{"phone": "+14155550123"}])
    reader = await client_with(ctx, session, client, Scope.READ)
    paths = ("/", "/lists", f"/jobs/{job.json['id']}", "/labels", "/contacts", "/limits")
    for path in paths:
        seen = (await reader.visit("GET", path, {})).body.decode()
        forms = seen.count('method="post"')
        assert (forms, 'href="/upload"' in seen) == (1, False), path  # the one to sign out
    allowed = (await client.visit("GET", "/", {})).body.decode()
    assert 'href="/upload"' in allowed
    refused = await reader.visit("GET", "/upload", {})
    assert refused.status == 403
    assert "This key may not do this" in refused.body.decode()
