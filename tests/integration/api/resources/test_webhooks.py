"""Webhooks over HTTP: create, change, switch off, rotate, test, read deliveries, send again."""

from typing import Any

import aiohttp
import pytest

from schemas.settings import Settings
from storage.context import Context
from storage.webhooks import endpoints, sending
from tests.integration.api.service import Client, make_client, serve

URL = "https://example.com/hook"


async def create(client: Client, **fields: Any) -> Any:
    """Create a webhook; return it."""
    response = await client.call("POST", "/v1/webhooks", json={"url": URL} | fields)
    assert response.status == 201, response.body
    return response.json


async def test_a_webhook_is_created_with_a_secret_and_shown_without(client: Client) -> None:
    made = await create(client, ordered=True, description="CRM")
    assert made["secret"].startswith("whsec_")
    shown = (await client.get(f"/v1/webhooks/{made['id']}")).json
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert shown["events"] == [
        "job.completed",
        "job.completed_with_errors",
        "job.failed",
        "job.cancelled",
        "job.throttled",
    ]
    assert (shown["state"], shown["ordered"], shown["off_reason"]) == ("on", True, None)
    listed = (await client.get("/v1/webhooks")).json
    assert listed == {"data": [shown], "next_cursor": None}


async def test_a_put_under_an_id_of_the_client_can_be_repeated(client: Client) -> None:
    first = await client.call("PUT", "/v1/webhooks/crm", json={"url": URL})
    again = await client.call("PUT", "/v1/webhooks/crm", json={"url": URL, "events": ["job.failed"]})
    assert (first.status, again.status) == (201, 200)
    assert first.headers["Location"] == "/v1/webhooks/crm"
    assert "secret" not in again.json
    assert again.json["events"] == ["job.failed"]
    secret = (await client.get("/v1/webhooks/crm/secret")).json
    assert secret["secret"] == first.json["secret"]
    assert (await client.get("/v1/webhooks")).json["data"] == [again.json]


async def test_a_patch_changes_what_it_gives(client: Client) -> None:
    made = await create(client, description="CRM", events=["job.failed"])
    path = f"/v1/webhooks/{made['id']}"
    off = (await client.call("PATCH", path, json={"state": "off"})).json
    assert (off["state"], off["off_reason"], off["description"]) == ("off", "client", "CRM")
    assert off["off_at"]
    on = (await client.call("PATCH", path, json={"state": "on", "description": None})).json
    assert (on["state"], on["off_reason"], on["off_at"], on["description"]) == ("on", None, None, None)
    assert (on["url"], on["events"]) == (URL, ["job.failed"])


async def test_a_rotation_keeps_the_previous_secret_for_a_day(client: Client) -> None:
    made = await create(client)
    rotated = (await client.call("POST", f"/v1/webhooks/{made['id']}/secret/rotate")).json
    assert rotated["previous_secret"] == made["secret"]
    assert rotated["secret"] != made["secret"]
    assert rotated["previous_expires_at"]
    assert (await client.get(f"/v1/webhooks/{made['id']}/secret")).json == rotated


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "url", "missing_parameter"),
        ({"url": "ftp://example.com"}, "url", "invalid_parameter"),
        ({"url": "https://user:word@example.com/"}, "url", "invalid_parameter"),
        ({"url": "http://127.0.0.1:8080/"}, "url", "private_address"),
        ({"url": "http://[::ffff:10.0.0.1]/"}, "url", "private_address"),
        ({"url": URL, "events": []}, "events", "invalid_parameter"),
        ({"url": URL, "events": ["job.started"]}, "events[0]", "invalid_parameter"),
        ({"url": URL, "secret": "mine"}, "secret", "unknown_parameter"),
    ],
)
async def test_a_wrong_webhook_is_refused_with_what_to_do(
    client: Client, body: Any, param: str, code: str
) -> None:
    response = await client.call("POST", "/v1/webhooks", json=body)
    assert (response.status, response.error["param"], response.error["code"]) == (422, param, code)
    assert "word" not in response.error["message"] or "password" in response.error["message"]


async def test_a_host_that_the_operator_does_not_allow_is_refused(settings: Settings, ctx: Context) -> None:
    only = settings.model_copy(update={"webhook_hosts": ("crm.example",)})
    base = "http://127.0.0.1"
    async with serve(only) as service, aiohttp.ClientSession(base_url=f"{base}:{service.port}") as session:
        client = await make_client(ctx, session)
        response = await client.call("POST", "/v1/webhooks", json={"url": "https://example.com/"})
        assert (response.status, response.error["code"]) == (422, "host_not_allowed")
        response = await client.call("POST", "/v1/webhooks", json={"url": "https://CRM.example/hook"})
        assert response.status == 201


async def test_an_account_has_at_most_twenty_webhooks(client: Client) -> None:
    for _ in range(endpoints.MOST):
        made = await create(client)
    response = await client.call("POST", "/v1/webhooks", json={"url": URL})
    assert (response.status, response.error["code"]) == (409, "too_many_webhooks")
    changed = await client.call("PUT", f"/v1/webhooks/{made['id']}", json={"url": URL})
    assert changed.status == 200
    assert (await client.call("DELETE", f"/v1/webhooks/{made['id']}")).status == 204
    await create(client)


async def test_a_test_is_a_delivery_that_can_be_sent_again_once_it_has_ended(
    ctx: Context, client: Client
) -> None:
    made = await create(client)
    path = f"/v1/webhooks/{made['id']}"
    queued = await client.call("POST", f"{path}/test")
    assert (queued.status, queued.json["event"], queued.json["state"]) == (202, "webhook.test", "new")
    delivery = f"{path}/deliveries/{queued.json['id']}"
    early = await client.call("POST", f"{delivery}/replay")
    assert (early.status, early.error["code"]) == (409, "delivery_not_ended")
    await ctx.pool.execute("UPDATE webhook_deliveries SET state = 'failed', ended_at = now()")
    assert (await client.get(delivery)).json["next_attempt_at"] is None
    again = await client.call("POST", f"{delivery}/replay")
    assert (again.status, again.json["id"], again.json["state"]) == (202, queued.json["id"], "new")
    await ctx.pool.execute("UPDATE webhook_deliveries SET state = 'failed'")
    replayed = [
        (await client.call("POST", f"{path}/replay", json={"since": since})).json
        for since in ("2100-01-01T00:00:00Z", "2020-01-01T00:00:00Z")
    ]
    assert replayed == [{"replayed": 0}, {"replayed": 1}]


@pytest.mark.parametrize("since", ["yesterday", "2026-01-01", "0001-01-01T00:00:00+23:59", 7, None])
async def test_a_replay_since_no_moment_is_refused(client: Client, since: Any) -> None:
    made = await create(client)
    response = await client.call("POST", f"/v1/webhooks/{made['id']}/replay", json={"since": since})
    assert (response.status, response.error["param"]) == (422, "since")


async def test_a_webhook_that_is_off_sends_nothing_again(client: Client) -> None:
    made = await create(client)
    path = f"/v1/webhooks/{made['id']}"
    await client.call("PATCH", path, json={"state": "off"})
    for action, body in (("test", None), ("replay", {"since": "2020-01-01T00:00:00Z"})):
        response = await client.call("POST", f"{path}/{action}", json=body)
        assert (response.status, response.error["code"]) == (409, "webhook_off")


async def test_deliveries_are_listed_by_page_and_state(ctx: Context, client: Client) -> None:
    made = await create(client)
    path = f"/v1/webhooks/{made['id']}"
    ids = [(await client.call("POST", f"{path}/test")).json["id"] for _ in range(3)][::-1]
    first = (await client.get(f"{path}/deliveries?limit=2")).json
    rest = (await client.get(f"{path}/deliveries?limit=2&cursor={first['next_cursor']}")).json
    assert [row["id"] for row in first["data"] + rest["data"]] == ids
    assert rest["next_cursor"] is None
    await ctx.pool.execute("UPDATE webhook_deliveries SET state = 'delivered' WHERE number % 2 = 0")
    by_state = [
        (await client.get(f"{path}/deliveries?state={state}")).json["data"] for state in ("new", "delivered")
    ]
    assert sorted(row["id"] for rows in by_state for row in rows) == sorted(ids)


async def test_a_deleted_webhook_has_no_deliveries_when_its_id_is_used_again(client: Client) -> None:
    for _ in range(2):
        await client.call("PUT", "/v1/webhooks/crm", json={"url": URL})
        assert (await client.get("/v1/webhooks/crm/deliveries")).json["data"] == []
        await client.call("POST", "/v1/webhooks/crm/test")
        assert (await client.call("DELETE", "/v1/webhooks/crm")).status == 204
    assert (await client.get("/v1/webhooks/crm")).error["code"] == "unknown_webhook"


async def test_old_deliveries_are_pruned(ctx: Context, client: Client) -> None:
    made = await create(client)
    path = f"/v1/webhooks/{made['id']}"
    for _ in range(4):
        await client.call("POST", f"{path}/test")
    for state, days in {"delivered": 8, "failed": 6, "waiting": 8, "new": 15}.items():
        await ctx.pool.execute(
            """UPDATE webhook_deliveries SET state = $1,
                   ended_at = CASE WHEN $1 IN ('delivered', 'failed') THEN now() END,
                   created_at = now() - make_interval(days => $2)
               WHERE number = (
                   SELECT min(number) FROM webhook_deliveries WHERE created_at > now() - interval '1 h')""",
            state, days,
        )  # fmt: skip
    await sending.prune(ctx.pool, 7)
    left = (await client.get(f"{path}/deliveries")).json["data"]
    assert sorted(row["state"] for row in left) == ["failed", "waiting"]
