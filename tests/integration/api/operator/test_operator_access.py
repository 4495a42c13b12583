"""Only the operator's key opens /operator, and it opens nothing else."""

import logging
import re

import aiohttp
import pytest
from pydantic import ValidationError

from api.openapi.build import build
from api.route import Route
from api.routes import OPERATOR_ROUTES, ROUTES
from schemas.settings import Settings
from storage.context import Context
from tests.integration.api.operator.operator_client import OPERATOR_KEY, OperatorClient
from tests.integration.api.service import Client, make_client, serve

PRIVATE = [route for route in ROUTES if not route.public]


def _path(route: Route) -> str:
    return re.sub(r"\{(\w+)\}", lambda name: {"operation": "contacts.upsert"}.get(name[1], "1"), route.path)


async def _answers(
    session: aiohttp.ClientSession, routes: tuple[Route, ...] | list[Route], key: str | None
) -> set[tuple[int, str]]:
    """Call each route with a key; return the statuses with the codes."""
    headers = {"Authorization": key} if key else {}
    found = set()
    for route in routes:
        async with session.request(route.method, _path(route), headers=headers) as response:
            found.add((response.status, (await response.json())["error"]["code"]))
    return found


async def test_no_key_opens_what_it_is_not_for(ctx: Context, settings: Settings) -> None:
    """The matrix of keys and routes: of an account, of the operator, wrong ones, none."""
    settings = settings.model_copy(update={"operator_key": OPERATOR_KEY, "failed_key_limit": 0})
    async with (
        serve(settings) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = await make_client(ctx, session)
        refused = {(401, "invalid_api_key")}
        for key in (client.key, OPERATOR_KEY + "x", OPERATOR_KEY[:-1], "op_\udcff", "op_ÿ"):
            assert await _answers(session, OPERATOR_ROUTES, key) == refused
        assert await _answers(session, OPERATOR_ROUTES, None) == {(401, "missing_api_key")}
        assert await _answers(session, PRIVATE, OPERATOR_KEY) == refused
        tables = await ctx.pool.fetchval("SELECT count(*) FROM accounts")
        assert tables == 1  # no POST has created anything


async def test_without_a_key_of_the_operator_there_is_nothing(ctx: Context, settings: Settings) -> None:
    async with (
        serve(settings) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = await make_client(ctx, session)
        for key in (None, "", OPERATOR_KEY, client.key):
            assert await _answers(session, OPERATOR_ROUTES, key) == {(404, "unknown_path")}
        async with session.get("/openapi.json") as response:
            assert "/operator" not in await response.text()


async def test_wrong_keys_of_the_operator_are_limited_and_not_logged(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = settings.model_copy(update={"operator_key": OPERATOR_KEY, "failed_key_limit": 3})
    async with (
        serve(settings) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        statuses = []
        for _ in range(5):
            async with session.get(
                "/operator/v1/workers", headers={"x-api-key": "wrong-key-of-somebody"}
            ) as r:
                statuses.append(r.status)
        assert statuses == [401, 401, 401, 429, 429]
        async with session.get("/operator/v1/workers", headers={"x-api-key": OPERATOR_KEY}) as response:
            assert response.status == 200  # a valid key of the same address is not refused
    assert OPERATOR_KEY not in caplog.text
    assert "wrong-key-of-somebody" not in caplog.text


def test_the_document_describes_the_key_of_the_operator() -> None:
    built = build(ROUTES + OPERATOR_ROUTES, Settings())
    for route in OPERATOR_ROUTES:
        operation = built["paths"][route.path][route.method.lower()]
        assert operation["security"] == [{"operator": []}]
        assert operation["tags"] == ["Operator"]
        assert {"401", "429", "500", "503"} <= set(operation["responses"])
    assert built["security"] == [
        {name: []} for name in built["components"]["securitySchemes"] if name != "operator"
    ]
    assert "operator" in built["components"]["securitySchemes"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("short", "has 5 characters: use at least 16"),
        ("bl_1_" + "x" * 40, "begins like the key of an account: choose another key"),
        ("a key with spaces in it", "has a character that a header cannot carry: use letters and digits"),
    ],
)
def test_a_key_of_the_operator_that_cannot_be_used_is_explained_without_it(key: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(operator_key=key)
    assert message in str(caught.value)
    assert key not in str(caught.value).replace("short_key", "")


def test_the_settings_do_not_show_the_key_of_the_operator() -> None:
    assert OPERATOR_KEY not in repr(Settings(operator_key=OPERATOR_KEY))
    assert Settings(operator_key="").operator_key is None


async def test_a_head_request_needs_the_key_too(operator: OperatorClient, client: Client) -> None:
    assert (await client.call("HEAD", "/operator/v1/accounts")).status == 401
