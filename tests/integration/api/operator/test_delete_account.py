"""The operator deletes an account: its keys are refused at once, and its name is free when all is gone."""

import aiohttp

from schemas.settings import Settings
from storage.context import Context
from tests.factories import contact
from tests.integration.api.operator.operator_client import OPERATOR_KEY, OperatorClient
from tests.integration.api.owned import left
from tests.integration.api.raw_upload import until_true, upload
from tests.integration.api.service import Client, make_client, serve
from worker.deletion.delete_accounts import delete_accounts, sweep
from worker.prune import prune

LINES = b"".join(b'{"phone": "+1415%07d"}\n' % (2_000_000 + number) for number in range(120_000))


async def test_an_account_is_deleted(
    ctx: Context, session: aiohttp.ClientSession, client: Client, operator: OperatorClient
) -> None:
    assert (await client.submit_items([contact(1)])).status == 202
    other = await make_client(ctx, session, name="other")
    account = f"/accounts/org_{client.account.id}"
    for _ in range(2):
        marked = await operator.call("DELETE", account)
        assert (marked.status, marked.json["name"]) == (202, "acme")
        assert marked.json["deleting_at"] == (await operator.get("/accounts/acme"))["deleting_at"]
    for method, path in (("GET", "/v1/contacts"), ("POST", "/v1/contacts"), ("GET", "/v1/events")):
        refused = await client.call(method, path)
        assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")
    taken = await operator.call("POST", "/accounts", json={"name": "acme"})
    assert (taken.status, taken.error["code"]) == (409, "account_exists")
    late = await operator.call("POST", f"{account}/keys", json={"name": "late"})
    assert (late.status, late.error["code"]) == (409, "account_deleting")

    await delete_accounts(ctx)
    for method in ("GET", "DELETE"):
        gone = await operator.call(method, account)
        assert (gone.status, gone.error["code"]) == (404, "unknown_account")
    assert (await client.get("/v1/contacts")).status == 401
    assert (await operator.call("POST", "/accounts", json={"name": "acme"})).status == 201
    assert (await other.get("/v1/contacts")).status == 200
    assert await left(ctx, client.account.id) == {}


async def test_an_upload_that_arrives_meanwhile_fails_and_leaves_nothing(
    ctx: Context, settings: Settings
) -> None:
    settings = settings.model_copy(update={"operator_key": OPERATOR_KEY})
    async with (
        serve(settings) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = await make_client(ctx, session)
        async with upload(service, client, "application/x-ndjson") as request:
            await request.send(LINES)
            await until_true(ctx, "SELECT count(*) > 0 FROM parts")
            marked = await OperatorClient(session).call("DELETE", f"/accounts/org_{client.account.id}")
            assert marked.status == 202
            await delete_accounts(ctx)
            assert await left(ctx, client.account.id) == {}
            await request.send(LINES)
            await until_true(ctx, "SELECT count(*) > 0 FROM parts")
            await request.end()
            assert b" 202 " not in (await request.response()).partition(b"\r\n")[0]
    await sweep(ctx)
    await prune(ctx)
    assert await left(ctx, client.account.id) == {}
