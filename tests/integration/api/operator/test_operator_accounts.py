"""The operator lists, creates and changes accounts, and makes and revokes their keys by name."""

from storage.context import Context
from tests.factories import contact, make_account
from tests.integration.api.operator.operator_client import OperatorClient
from tests.integration.api.service import Client
from tests.integration.api.work import work, work_once


async def test_an_account_is_created_changed_and_found(ctx: Context, operator: OperatorClient) -> None:
    body = {"name": "Äcme / Söhne", "region": "in", "item_limit": 500}
    made = await operator.call("POST", "/accounts", json=body)
    account = made.json
    assert (made.status, made.headers["Location"]) == (201, f"/operator/v1/accounts/{account['id']}")
    assert (account["name"], account["region"], account["phone_number_id"]) == ("Äcme / Söhne", "IN", None)
    assert account["limits"] == {"requests": 30, "items": 500, "window_seconds": 60}
    assert account["load"]["items_used"] == 0

    again = await operator.call("POST", "/accounts", json={"name": "Äcme / Söhne"})
    assert (again.status, again.error["code"]) == (409, "account_exists")
    assert account["keep_jobs_days"] is None
    change = {
        "request_limit": 0, "default_wait": 5, "phone_number_id": "17", "region": None, "keep_jobs_days": 90,
    }  # fmt: skip
    changed = await operator.call("PATCH", "/accounts/%C3%84cme%20%2F%20S%C3%B6hne", json=change)
    assert changed.status == 200
    assert changed.json["limits"] == {"requests": 0, "items": 500, "window_seconds": 60}
    assert (changed.json["region"], changed.json["phone_number_id"]) == (None, "17")
    assert changed.json["load"]["requests_used"] is None
    assert changed.json["keep_jobs_days"] == 90
    default = await operator.call("PATCH", f"/accounts/{account['id']}", json={"keep_jobs_days": None})
    assert (default.status, default.json["keep_jobs_days"]) == (200, None)
    other = await make_account(ctx)
    taken = await operator.call("PATCH", f"/accounts/org_{other.id}", json={"phone_number_id": "17"})
    assert (taken.status, taken.error["code"]) == (409, "account_exists")

    assert (await operator.get(f"/accounts/{account['id']}"))["default_wait"] == 5
    for unknown in ("nobody", "org_999", "org_0", "org_x"):
        missing = await operator.call("GET", f"/accounts/{unknown}")
        assert (missing.status, missing.error["code"]) == (404, "unknown_account")
        assert missing.error["message"] == f"there is no account '{unknown}'"
    for method, path in (("GET", "/accounts/%00"), ("POST", f"/accounts/{account['id']}/keys/%00/revoke")):
        assert (await operator.call(method, path)).status == 404
    for wrong in (
        {},
        {"region": "XX"},
        {"item_limit": -1},
        {"item_limit": 2**31},
        {"window_seconds": 0},
        {"keep_jobs_days": 0},
    ):
        assert (await operator.call("PATCH", f"/accounts/{account['id']}", json=wrong)).status == 422


async def test_accounts_are_paged_in_the_order_of_names_and_found_by_a_prefix(
    ctx: Context, operator: OperatorClient
) -> None:
    names = ["beta", "Alpha", "alpine", "ALPHA 2", "éa", "10%", "al_x"]
    for name in names:
        await make_account(ctx, name=name)

    async def listed(query: str) -> list[str]:
        found, cursor = [], ""
        while True:
            page = await operator.get(f"/accounts?limit=2{query}{cursor}")
            found += [account["name"] for account in page["data"]]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    assert await listed("") == sorted(names, key=str.lower)
    assert await listed("&search=AL") == ["al_x", "Alpha", "ALPHA 2", "alpine"]
    assert await listed("&search=al_") == ["al_x"]  # no wildcard
    assert await listed("&search=10%25") == ["10%"]
    assert await listed("&search=zzz") == []
    bad = await operator.call("GET", "/accounts?cursor=nonsense")
    assert (bad.status, bad.error["param"]) == (422, "cursor")


async def test_the_load_of_an_account_is_what_waits(
    ctx: Context, operator: OperatorClient, client: Client
) -> None:
    await operator.call("PATCH", "/accounts/acme", json={"request_limit": 100, "item_limit": 5})
    for n in range(3):
        assert (await client.submit_items([contact(10 * n + m) for m in range(2)])).status == 202
    load = (await operator.get("/accounts/acme"))["load"]
    assert (load["queued"], load["running"], load["items"]) == (3, 0, 6)
    assert load["requests_used"] == 3
    assert load["items_used"] == 0
    assert load["oldest_waiting_at"] is not None

    await work_once(ctx)  # 5 of 6 items are granted
    await work(ctx)
    account = await operator.get("/accounts/acme")
    load = account["load"]
    assert load["items"] == 1
    assert load["queued"] + load["running"] == 1
    assert load["items_used"] == 5
    assert load["throttled_until"] is not None
    assert account["contacts"] == 5


async def test_keys_have_names_and_are_shown_once(operator: OperatorClient, client: Client) -> None:
    made = await operator.call("POST", "/accounts/acme/keys", json={"name": "ci"})
    assert made.status == 201
    view = made.json
    key = view.pop("key")
    place = made.headers["Location"].removeprefix("/operator/v1")
    assert await operator.get(place) == await operator.get("/accounts/acme/keys/ci") == view
    assert (await client.get("/v1/jobs", Authorization=key)).status == 200
    assert key not in (await operator.call("GET", "/accounts/acme/keys")).body.decode()
    taken = await operator.call("POST", "/accounts/acme/keys", json={"name": " ci "})
    assert (taken.status, taken.error["code"], taken.error["param"]) == (409, "key_exists", "name")

    revoked = await operator.call("POST", "/accounts/acme/keys/ci/revoke")
    assert (revoked.status, revoked.json["id"]) == (200, made.json["id"])
    assert (await client.get("/v1/jobs", Authorization=key)).status == 401
    assert (await operator.call("POST", "/accounts/acme/keys/ci/revoke")).error["code"] == "unknown_key"
    second = await operator.call("POST", "/accounts/acme/keys", json={"name": "ci"})
    assert second.status == 201  # the name is free again
    by_id = await operator.call("POST", f"/accounts/acme/keys/{second.json['id']}/revoke")
    assert by_id.status == 200

    keys = (await operator.get("/accounts/acme/keys"))["data"]
    assert [(key["name"], key["revoked_at"] is None) for key in keys] == [
        (None, True), ("ci", False), ("ci", False),
    ]  # fmt: skip


async def test_a_key_gets_scopes_and_an_end_and_is_rotated(operator: OperatorClient, client: Client) -> None:
    wanted = {"name": "ci", "scopes": ["write", "read"], "expires_at": "2099-01-01T00:00:00Z"}
    made = await operator.call("POST", "/accounts/acme/keys", json=wanted)
    assert (made.json["scopes"], made.json["expires_at"][:10]) == (["read", "write"], "2099-01-01")
    assert (await client.get("/v1/jobs", Authorization=made.json["key"])).status == 200
    rotated = await operator.call("POST", "/accounts/acme/keys/ci/rotate", json={"grace_seconds": 60})
    assert (rotated.status, rotated.json["scopes"]) == (201, ["read", "write"])
    assert rotated.json["expires_at"] == made.json["expires_at"]
    again = await operator.call("POST", f"/accounts/acme/keys/{made.json['id']}/rotate", json={})
    assert (again.status, again.error["code"]) == (409, "key_rotated")
    for key in (made, rotated):
        assert (await client.get("/v1/webhooks", Authorization=key.json["key"])).status == 403


async def test_a_key_of_another_account_is_not_revoked(
    ctx: Context, operator: OperatorClient, client: Client
) -> None:
    await make_account(ctx, name="other")
    for account in ("acme", "other"):
        assert (await operator.call("POST", f"/accounts/{account}/keys", json={"name": "ci"})).status == 201
    theirs = (await operator.get("/accounts/other/keys"))["data"][0]
    wrong = await operator.call("POST", f"/accounts/acme/keys/{theirs['id']}/revoke")
    assert (wrong.status, wrong.error["code"]) == (404, "unknown_key")
    assert (await operator.call("POST", "/accounts/acme/keys/ci/revoke")).status == 200
    assert (await operator.get("/accounts/other/keys"))["data"][0]["revoked_at"] is None
