"""The audit of jobs: who submitted, cancelled and retried them, by each way in."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from schemas.formats.records import PART_BYTES
from schemas.ids import show_job_id
from schemas.settings import Settings
from storage.access import api_keys
from storage.context import Context
from tests.factories import make_audience, make_contacts, make_label, make_list, phone
from tests.integration.api.operator.operator_client import OPERATOR_KEY, OperatorClient
from tests.integration.api.service import Client, Response, make_client, serve
from tests.integration.api.uploads.sending import CSV, append, create
from tests.integration.api.work import work

AGENT = "audit/1.0 " + "x" * 200
FROM = {"User-Agent": AGENT, "X-Forwarded-For": "10.1.1.1, 2001:db8::7"}  # the last one is of the proxy
NUMBER = "5550001"
ITEMS = [{"phone": phone(1)}, {"phone": "12"}]


@pytest.fixture
async def session(settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP session with an api behind one proxy, which has OPERATOR_KEY."""
    settings = settings.model_copy(update={"operator_key": OPERATOR_KEY, "trusted_proxies": 1})
    async with (
        serve(settings) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        yield session


@pytest.fixture
async def client(ctx: Context, session: aiohttp.ClientSession) -> Client:
    """Return a client with the key `ci`."""
    client = await make_client(ctx, session, phone_number_id=NUMBER)
    _, client.key = await api_keys.add_key(ctx.pool, client.account.id, "ci")
    return client


async def audit(client: Client, job_id: str) -> list[dict[str, Any]]:
    response = await client.get(f"/v1/jobs/{job_id}/audit")
    assert response.status == 200, response.body
    entries: list[dict[str, Any]] = response.json["data"]
    return entries


async def own_key(ctx: Context, client: Client) -> str:
    found = await api_keys.find_key(ctx.pool, client.account.id, "ci")
    assert found is not None
    return found.id


def json_call(method: str, path: str, body: Callable[[dict[str, Any]], Any]) -> Any:
    async def send(client: Client, names: dict[str, Any]) -> Response:
        return await client.call(method, path.format(**names), json=body(names), headers=FROM)

    return send


async def _long_body(client: Client, _: dict[str, Any]) -> Response:
    rows = b"phone,name\n" + b"".join(b"%s,%s\n" % (phone(n).encode(), b"n" * 900) for n in range(2_400))
    assert len(rows) > 2 * PART_BYTES
    headers = {**FROM, "Content-Type": "text/csv", "Idempotency-Key": "once"}
    return await client.call("POST", "/v1/bulk/contacts.upsert", data=rows, headers=headers)


async def _resumed(client: Client, _: dict[str, Any]) -> Response:
    created = await create(client, CSV[:1000], Upload_Length=str(len(CSV)))
    sent = {name.replace("-", "_"): value for name, value in FROM.items()}
    return await append(client, created.headers["Location"], 1000, CSV[1000:], complete=True, **sent)


async def _waits(client: Client, _: dict[str, Any]) -> Response:
    headers = {**FROM, "Prefer": "wait=0.2"}
    return await client.call("POST", "/v1/bulk/contacts.upsert", json=ITEMS, headers=headers)


WAYS: dict[str, Callable[[Client, dict[str, Any]], Awaitable[Response]]] = {
    "native": json_call("POST", "/v1/bulk/contacts.upsert", lambda _: ITEMS),
    "dry run": json_call("POST", "/v1/bulk/contacts.upsert?dry_run=true", lambda _: ITEMS),
    "kept rows": json_call("POST", "/v1/bulk/contacts.upsert?unknown_columns=keep", lambda _: ITEMS),
    "waiting": _waits,
    "long body with a key": _long_body,
    "resumed upload": _resumed,
    "peach": json_call(
        "POST",
        "/api/v1/contacts/bulk_update_communication_preferences",
        lambda _: {"phone_numbers": [phone(1)], "communication_preference": "mute_all"},
    ),
    "whippy": json_call(
        "PUT",
        "/v1/contacts/lists/{list_id}/contacts",
        lambda _: {"action": "add", "contacts": [{"phone": phone(1)}]},
    ),
    "kirim": json_call(
        "POST",
        "/v1/5550001/contacts/bulk_label",
        lambda n: {
            "contact_ids": [str(n["contact_id"])],
            "label_id": str(n["label_id"]),
            "operation": "attach",
        },
    ),
    "oliai": json_call(
        "POST", "/v1/contacts/bulk", lambda _: {"contacts": [{"name": "Ana", "phoneNumber": phone(1)}]}
    ),
    "oliai, delete": json_call(
        "POST", "/v1/contacts/bulk-delete", lambda n: {"contactIds": [str(n["contact_id"])]}
    ),
    "oliai, audience": json_call(
        "POST",
        "/v1/contacts/add-to-audience",
        lambda n: {"contactIds": [str(n["contact_id"])], "audienceId": str(n["audience_id"])},
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
async def test_each_way_in_records_the_key_the_address_and_the_request(
    ctx: Context, client: Client, way: str
) -> None:
    (contact_id,) = await make_contacts(ctx, client.account.id, [1])
    names = {
        "contact_id": contact_id,
        "list_id": await make_list(ctx, client.account.id),
        "label_id": await make_label(ctx, client.account.id),
        "audience_id": await make_audience(ctx, client.account.id),
    }
    response = await WAYS[way](client, names)
    assert response.status == 202, response.body
    job_id = response.headers["Location"].rpartition("/")[2]
    (entry,) = await audit(client, job_id)
    assert (entry["action"], entry["job_id"]) == ("submitted", None)
    assert entry["by"] == {
        "kind": "key",
        "key_id": await own_key(ctx, client),
        "key_name": "ci",
        "session": False,
        "address": "2001:db8::7",
        "user_agent": AGENT[:100],
        "request_id": response.headers["X-Request-Id"],
    }


async def test_a_cancellation_and_a_retry_are_recorded_with_the_first_caller(
    ctx: Context, client: Client, session: aiohttp.ClientSession
) -> None:
    job = await client.submit_items(ITEMS)
    path = job.headers["Location"]
    other_id, other = await api_keys.create_key(ctx.pool, client.account.id)
    cancelled = await Client(session, client.account, other).call("POST", f"{path}/cancel")
    assert (await client.call("POST", f"{path}/cancel")).status == 200  # changes nothing any more
    entries = await audit(client, job.json["id"])
    assert [entry["action"] for entry in entries] == ["submitted", "cancelled"]
    assert entries[1]["by"]["key_id"] == other_id
    assert entries[1]["by"]["request_id"] == cancelled.headers["X-Request-Id"]

    failing = await client.submit_items(ITEMS)
    await work(ctx)
    retried = await client.call("POST", f"{failing.headers['Location']}/retry")
    entries = await audit(client, failing.json["id"])
    assert [(entry["action"], entry["job_id"]) for entry in entries] == [
        ("submitted", None),
        ("retried", retried.json["id"]),
    ]
    assert entries[1]["by"]["request_id"] == retried.headers["X-Request-Id"]
    (own,) = await audit(client, retried.json["id"])
    assert own["by"] == entries[1]["by"]


async def test_an_action_on_all_matching_jobs_is_recorded_on_each_of_them(
    ctx: Context, client: Client
) -> None:
    failing = await client.submit_items(ITEMS, "?tags=some")
    await work(ctx)
    waiting = [await client.submit_items(ITEMS, "?tags=some") for _ in range(3)]
    act = {"filter": {"tag": "some"}, "preview": False}
    cancelled = await client.call("POST", "/v1/jobs/cancel", json=act)
    assert cancelled.json["cancelled"] == 3, cancelled.body
    for job in waiting:
        entry = (await audit(client, job.json["id"]))[-1]
        assert (entry["action"], entry["by"]["request_id"]) == (
            "cancelled",
            cancelled.headers["X-Request-Id"],
        )
    retried = await client.call("POST", "/v1/jobs/retry", json=act)
    assert retried.json["retried"] == 1, retried.body
    entry = (await audit(client, failing.json["id"]))[-1]
    assert (entry["action"], entry["by"]["request_id"]) == ("retried", retried.headers["X-Request-Id"])


async def test_a_session_is_recorded_as_one(ctx: Context, client: Client) -> None:
    job = await client.submit_items(ITEMS)
    await work(ctx)
    retried = await client.visit("POST", f"/jobs/{job.json['id']}/retry", {})
    other = await client.submit_items(ITEMS)
    await client.visit("POST", f"/jobs/{other.json['id']}/cancel", {})
    for job_id, action in ((job.json["id"], "retried"), (other.json["id"], "cancelled")):
        entry = (await audit(client, job_id))[-1]
        assert (entry["action"], entry["by"]["session"]) == (action, True)
        assert entry["by"]["key_name"] == "ci"
    assert retried.status == 303
    shown = (await client.visit("GET", f"/jobs/{job.json['id']}", {})).body.decode()
    assert "Who did what" in shown
    assert "in a browser" in shown


async def test_an_account_does_not_see_from_where_the_operator_cancels(
    ctx: Context, client: Client, session: aiohttp.ClientSession
) -> None:
    operator = OperatorClient(session)
    job = await client.submit_items(ITEMS)
    path = f"/jobs/{job.json['id']}"
    cancelled = await operator.call("POST", f"{path}/cancel", headers=FROM)
    by = {"kind": "operator", "key_id": None, "key_name": None, "session": False}
    by |= {"request_id": cancelled.headers["X-Request-Id"]}
    assert (await audit(client, job.json["id"]))[-1]["by"] == {**by, "address": None, "user_agent": None}
    whole = (await operator.get(f"{path}/audit"))["data"]
    assert whole[-1]["by"] == {**by, "address": "2001:db8::7", "user_agent": AGENT[:100]}
    assert whole[0]["by"]["key_name"] == "ci"


async def test_nothing_that_opens_an_account_is_recorded(ctx: Context, client: Client) -> None:
    await client.submit_items(ITEMS)
    (stored,) = await ctx.pool.fetch("SELECT submitted_by FROM jobs")
    assert set(json.loads(stored["submitted_by"])) == {"by", "key_id", "address", "user_agent", "request_id"}
    assert client.key.rpartition("_")[2] not in stored["submitted_by"]


async def test_a_job_of_an_older_release_says_that_nobody_was_recorded(ctx: Context, client: Client) -> None:
    job = await client.submit_items(ITEMS)
    await client.call("POST", f"{job.headers['Location']}/cancel")
    await ctx.pool.execute("UPDATE jobs SET submitted_by = NULL, cancelled_by = NULL")
    entries = await audit(client, job.json["id"])
    assert [(entry["action"], entry["by"]) for entry in entries] == [("submitted", None), ("cancelled", None)]
    shown = (await client.visit("GET", f"/jobs/{job.json['id']}", {})).body.decode()
    assert shown.count("not recorded") == 2


async def test_an_error_that_stops_a_job_was_no_cancellation(ctx: Context, client: Client) -> None:
    job = await client.submit_items([{"phone": "12"}] * 5, "?max_errors=1")
    await work(ctx)
    assert (await client.job(job))["state"] == "cancelled"
    assert [entry["action"] for entry in await audit(client, job.json["id"])] == ["submitted"]


async def test_a_name_of_a_client_that_cannot_be_printed_is_recorded_all_the_same(
    ctx: Context, client: Client
) -> None:
    job = await client.submit_items(ITEMS, User_Agent="caf\u200b")
    (entry,) = await audit(client, job.json["id"])
    assert entry["by"]["user_agent"] == "caf?"


async def test_the_audit_goes_with_its_job(ctx: Context, client: Client) -> None:
    unknown = show_job_id(await ctx.pool.fetchval("SELECT gen_random_uuid()"))
    response = await client.get(f"/v1/jobs/{unknown}/audit")
    assert (response.status, response.error["code"]) == (404, "unknown_job")
