"""The behaviour that lists, labels, teams, channels, audiences and properties share."""

import asyncio
from datetime import datetime
from typing import Any

import aiohttp

from storage.context import Context
from tests.integration.api.resource_calls import (
    DELETABLE,
    NAMED,
    PROPERTIES,
    Resource,
    delete,
    each_resource,
    make,
    names,
    patch,
    post,
    problems,
    refusal,
)
from tests.integration.api.service import Client, Response, make_client

TEXTS = {
    "\t Ünïcödé 名前 🎉\u3000\n": "Ünïcödé 名前 🎉",
    "  " + "x" * 50 + "  ": "x" * 50,
    "🎉" * 50: "🎉" * 50,
    "a\nb": "a\nb",
    "'; DROP TABLE labels; --": "'; DROP TABLE labels; --",
    "e\u0301": "e\u0301",
}


@each_resource
async def test_a_created_resource_is_shown(client: Client, resource: Resource) -> None:
    response = await post(client, resource.path, resource.new(1))
    assert response.status == 201
    made = response.json
    assert response.headers["Location"] == f"{resource.path}/{made[resource.key]}"
    times = {name: made.pop(name) for name in ("created_at", "updated_at") if name in made}
    assert all(datetime.fromisoformat(moment).utcoffset() is not None for moment in times.values())
    assert set(times) == {"created_at"} | (set() if resource is PROPERTIES else {"updated_at"})
    id_ = {} if resource is PROPERTIES else {"id": made["id"]}
    assert made == {**id_, "name": "Name1", **resource.made}
    assert (await client.get(response.headers["Location"])).json == {**made, **times}


@each_resource
async def test_a_change_sets_only_the_given_fields(client: Client, resource: Resource) -> None:
    before = await make(client, resource.path, **resource.new(1))
    response = await patch(client, f"{resource.path}/{before[resource.key]}", resource.change(2))
    assert response.status == 200
    assert response.json == (await client.get(f"{resource.path}/{before[resource.key]}")).json
    changed = {name for name in before if before[name] != response.json[name]}
    assert changed == set(resource.change(2)) | (set() if resource is PROPERTIES else {"updated_at"})
    assert {name: response.json[name] for name in resource.change(2)} == resource.change(2)


@DELETABLE
async def test_a_deleted_resource_is_unknown(client: Client, resource: Resource) -> None:
    one, other = [await make(client, resource.path, **resource.new(number)) for number in (1, 2)]
    path = f"{resource.path}/{one[resource.key]}"
    response = await delete(client, path)
    assert (response.status, response.body) == (204, b"")
    assert await names(client, resource.path) == [other["name"]]
    for again in (
        await delete(client, path),
        await client.get(path),
        await patch(client, path, resource.change(3)),
    ):
        assert refusal(again) == (404, f"unknown_{resource.word}")
    assert (await post(client, resource.path, resource.new(1))).status == 201  # its name is free


async def test_a_contact_list_cannot_be_deleted(client: Client) -> None:
    made = await make(client, "/v1/contact-lists", name="Spring")
    assert (await delete(client, f"/v1/contact-lists/{made['id']}")).status == 405


@each_resource
async def test_pages_cover_all_resources(client: Client, resource: Resource) -> None:
    made = [(await make(client, resource.path, **resource.new(number)))[resource.key] for number in range(5)]
    path, seen, sizes = f"{resource.path}?limit=2", [], []
    while True:
        page = (await client.get(path)).json
        seen += [entry[resource.key] for entry in page["data"]]
        sizes.append(len(page["data"]))
        if page["next_cursor"] is None:
            break
        path = f"{resource.path}?limit=2&cursor={page['next_cursor']}"
    assert sizes == [2, 2, 1]
    assert seen == sorted(made)  # ids grow with time


@each_resource
async def test_a_full_page_can_be_the_last(client: Client, resource: Resource) -> None:
    assert (await client.get(resource.path)).json == {"data": [], "next_cursor": None}
    for number in range(2):
        await make(client, resource.path, **resource.new(number))
    assert await names(client, f"{resource.path}?limit=2") == ["Name0", "Name1"]


@each_resource
async def test_a_page_has_twenty_entries_by_default(ctx: Context, client: Client, resource: Resource) -> None:
    for number in range(21):
        await make(client, resource.path, **resource.new(number + 10))
    assert len((await client.get(resource.path)).json["data"]) == 20
    assert len(await names(client, f"{resource.path}?limit=100")) == 21


@each_resource
async def test_all_problems_of_a_page_are_reported(client: Client, resource: Resource) -> None:
    for limit in ("0", "101", "-1", "x", "", "%00", "%C2%B2", "9" * 5000):
        response = await client.get(f"{resource.path}?limit={limit}&cursor=-%00&wrong=1")
        assert problems(response) == {
            "limit": "invalid_parameter",
            "cursor": "invalid_parameter",
            "wrong": "unknown_parameter",
        }
    if resource.prefix is not None:
        assert "next_cursor" in (await client.get(f"{resource.path}?cursor=x")).error["message"]
    assert problems(await client.get(f"{resource.path}?limit=1&limit=1")) == {"limit": "duplicate_parameter"}


@each_resource
async def test_an_unknown_id_and_a_foreign_one_get_the_same_404(
    ctx: Context, session: aiohttp.ClientSession, client: Client, resource: Resource
) -> None:
    other = await make_client(ctx, session)
    theirs = await make(other, resource.path, **resource.new(1))

    async def responses(id_: str) -> list[tuple[int, bytes]]:
        path = f"{resource.path}/{id_}"
        calls: list[Response] = [await client.get(path), await patch(client, path, resource.change(2))]
        if resource.deletes:
            calls.append(await delete(client, path))
        else:
            calls += [await post(client, f"{path}/{verb}", None) for verb in ("archive", "unarchive")]
        assert {refusal(call) for call in calls} == {(404, f"unknown_{resource.word}")}
        return [
            (call.status, call.body.replace(call.headers["X-Request-Id"].encode(), b"")) for call in calls
        ]

    shown = theirs[resource.key]
    absent = shown[:-1] + ("9" if shown[-1] != "9" else "8")  # differs only in the last digit
    assert [body.replace(shown.encode(), b"") for _, body in await responses(shown)] == [
        body.replace(absent.encode(), b"") for _, body in await responses(absent)
    ]
    for id_ in resource.unknown:
        await responses(id_)
    assert (await other.get(f"{resource.path}/{shown}")).json == theirs


@each_resource
async def test_tenants_never_meet(
    ctx: Context, session: aiohttp.ClientSession, client: Client, resource: Resource
) -> None:
    other = await make_client(ctx, session)
    for each in (client, other):  # with equal names
        for number in range(2):
            await make(each, resource.path, **resource.new(number))
    mine, theirs = [(await each.get(resource.path)).json["data"] for each in (client, other)]
    assert [one["name"] for one in mine] == [one["name"] for one in theirs] == ["Name0", "Name1"]
    if resource is not PROPERTIES:
        assert not {one["id"] for one in mine} & {one["id"] for one in theirs}
    for one in mine:
        await patch(client, f"{resource.path}/{one[resource.key]}", resource.change(7))
        await delete(client, f"{resource.path}/{one[resource.key]}")
    assert (await other.get(resource.path)).json["data"] == theirs


@each_resource
async def test_a_name_that_is_taken_is_a_conflict(client: Client, resource: Resource) -> None:
    await make(client, resource.path, **resource.new(1))
    response = await post(client, resource.path, resource.new(1))
    assert refusal(response) == (409, f"{resource.word}_exists")
    assert (response.error["type"], response.error["param"]) == ("conflict", "name")
    assert await names(client, resource.path) == ["Name1"]


@NAMED
async def test_a_change_to_a_taken_name_is_a_conflict(client: Client, resource: Resource) -> None:
    one, _ = [await make(client, resource.path, **resource.new(number)) for number in (1, 2)]
    path = f"{resource.path}/{one['id']}"
    assert refusal(await patch(client, path, {"name": "Name2"})) == (409, f"{resource.word}_exists")
    assert (await patch(client, path, {"name": "Name1"})).status == 200  # its own name is no conflict
    assert await names(client, resource.path) == ["Name1", "Name2"]


@each_resource
async def test_of_concurrent_creations_of_one_name_one_succeeds(client: Client, resource: Resource) -> None:
    for number in range(5):
        responses = await asyncio.gather(
            *(post(client, resource.path, resource.new(number)) for _ in range(4))
        )
        assert sorted(response.status for response in responses) == [201, 409, 409, 409]
    assert len(await names(client, resource.path)) == 5


@NAMED
async def test_a_name_is_trimmed_and_otherwise_kept(client: Client, resource: Resource) -> None:
    other = await make(client, resource.path, name="other")
    for given, kept in TEXTS.items():
        assert (await make(client, resource.path, name=given))["name"] == kept
        response = await patch(client, f"{resource.path}/{other['id']}", {"name": given})
        assert refusal(response) == (409, f"{resource.word}_exists")
    assert await names(client, resource.path) == ["other", *TEXTS.values()]


@NAMED
async def test_names_that_differ_in_case_or_unicode_form_are_different(
    client: Client, resource: Resource
) -> None:
    for name in ("VIP", "vip", "\u00e9", "e\u0301"):
        await make(client, resource.path, name=name)


@NAMED
async def test_an_invalid_name_is_refused(client: Client, resource: Resource) -> None:
    made = await make(client, resource.path, name="kept")
    wrong: list[Any] = ["", "  \u3000\n", "x" * 256, "a\0b", 5, None, True, ["a"], {}, 1e300]
    for name in wrong:
        assert problems(await post(client, resource.path, {"name": name})) == {"name": "invalid_parameter"}
        response = await patch(client, f"{resource.path}/{made['id']}", {"name": name})
        assert problems(response) == {"name": "invalid_parameter"}
    assert await names(client, resource.path) == ["kept"]


@NAMED
async def test_a_name_has_a_maximum_length(client: Client, resource: Resource) -> None:
    most = 50 if resource.word == "label" else 255
    assert (await make(client, resource.path, name="🎉" * most))["name"] == "🎉" * most
    assert problems(await post(client, resource.path, {"name": "🎉" * (most + 1)})) == {
        "name": "invalid_parameter"
    }


@each_resource
async def test_an_id_can_be_given_as_a_number(client: Client, resource: Resource) -> None:
    if resource.prefix is None:
        return
    made = await make(client, resource.path, **resource.new(1))
    number = int(
        made["id"].removeprefix(f"{resource.prefix}_"), 32
    )  # small numbers look the same in Python's base 32
    for id_ in (str(number), made["id"].lower()):
        assert (await client.get(f"{resource.path}/{id_}")).json == made
    # leading zeros belong to an id of another system: they are not dropped
    assert (await client.get(f"{resource.path}/000{number}")).status == 404
