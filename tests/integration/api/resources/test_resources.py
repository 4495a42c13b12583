"""What lists, labels, teams, channels, audiences and properties do alike."""

import asyncio
from datetime import datetime
from typing import Any

import aiohttp

from storage.context import Context
from tests.integration.api.nouns import (
    DELETABLE,
    NAMED,
    PROPERTIES,
    Noun,
    delete,
    every_noun,
    make,
    names,
    patch,
    post,
    problems,
    told,
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


@every_noun
async def test_what_is_created_is_there(client: Client, noun: Noun) -> None:
    response = await post(client, noun.path, noun.new(1))
    assert response.status == 201
    made = response.json
    assert response.headers["Location"] == f"{noun.path}/{made[noun.key]}"
    times = {name: made.pop(name) for name in ("created_at", "updated_at") if name in made}
    assert all(datetime.fromisoformat(moment).utcoffset() is not None for moment in times.values())
    assert set(times) == {"created_at"} | (set() if noun is PROPERTIES else {"updated_at"})
    id_ = {} if noun is PROPERTIES else {"id": made["id"]}
    assert made == {**id_, "name": "Name1", **noun.made}
    assert (await client.get(response.headers["Location"])).json == {**made, **times}


@every_noun
async def test_what_is_changed_is_changed(client: Client, noun: Noun) -> None:
    before = await make(client, noun.path, **noun.new(1))
    response = await patch(client, f"{noun.path}/{before[noun.key]}", noun.change(2))
    assert response.status == 200
    assert response.json == (await client.get(f"{noun.path}/{before[noun.key]}")).json
    changed = {name for name in before if before[name] != response.json[name]}
    assert changed == set(noun.change(2)) | (set() if noun is PROPERTIES else {"updated_at"})
    assert {name: response.json[name] for name in noun.change(2)} == noun.change(2)


@DELETABLE
async def test_what_is_deleted_is_gone(client: Client, noun: Noun) -> None:
    one, other = [await make(client, noun.path, **noun.new(number)) for number in (1, 2)]
    path = f"{noun.path}/{one[noun.key]}"
    response = await delete(client, path)
    assert (response.status, response.body) == (204, b"")
    assert await names(client, noun.path) == [other["name"]]
    for again in (
        await delete(client, path),
        await client.get(path),
        await patch(client, path, noun.change(3)),
    ):
        assert told(again) == (404, f"unknown_{noun.word}")
    assert (await post(client, noun.path, noun.new(1))).status == 201  # its name is free


async def test_a_contact_list_cannot_be_deleted(client: Client) -> None:
    made = await make(client, "/v1/contact-lists", name="Spring")
    assert (await delete(client, f"/v1/contact-lists/{made['id']}")).status == 405


@every_noun
async def test_pages_lead_through_all_of_them(client: Client, noun: Noun) -> None:
    made = [(await make(client, noun.path, **noun.new(number)))[noun.key] for number in range(5)]
    path, seen, sizes = f"{noun.path}?limit=2", [], []
    while True:
        page = (await client.get(path)).json
        seen += [one[noun.key] for one in page["data"]]
        sizes.append(len(page["data"]))
        if page["next_cursor"] is None:
            break
        path = f"{noun.path}?limit=2&cursor={page['next_cursor']}"
    assert sizes == [2, 2, 1]
    assert seen == sorted(made)  # ids grow with time


@every_noun
async def test_a_page_that_is_just_full_is_the_last(client: Client, noun: Noun) -> None:
    assert (await client.get(noun.path)).json == {"data": [], "next_cursor": None}
    for number in range(2):
        await make(client, noun.path, **noun.new(number))
    assert await names(client, f"{noun.path}?limit=2") == ["Name0", "Name1"]


@every_noun
async def test_a_page_has_twenty_unless_told_otherwise(ctx: Context, client: Client, noun: Noun) -> None:
    for number in range(21):
        await make(client, noun.path, **noun.new(number + 10))
    assert len((await client.get(noun.path)).json["data"]) == 20
    assert len(await names(client, f"{noun.path}?limit=100")) == 21


@every_noun
async def test_a_wrong_page_is_refused_with_all_that_is_wrong(client: Client, noun: Noun) -> None:
    for limit in ("0", "101", "-1", "x", "", "%00", "%C2%B2", "9" * 5000):
        response = await client.get(f"{noun.path}?limit={limit}&cursor=-%00&wrong=1")
        assert problems(response) == {
            "limit": "invalid_parameter",
            "cursor": "invalid_parameter",
            "wrong": "unknown_parameter",
        }
    if noun.prefix is not None:
        assert "next_cursor" in (await client.get(f"{noun.path}?cursor=x")).error["message"]
    assert problems(await client.get(f"{noun.path}?limit=1&limit=1")) == {"limit": "duplicate_parameter"}


@every_noun
async def test_an_unknown_id_and_a_foreign_one_get_the_same_404(
    ctx: Context, session: aiohttp.ClientSession, client: Client, noun: Noun
) -> None:
    other = await make_client(ctx, session)
    theirs = await make(other, noun.path, **noun.new(1))

    async def responses(id_: str) -> list[tuple[int, bytes]]:
        path = f"{noun.path}/{id_}"
        calls: list[Response] = [await client.get(path), await patch(client, path, noun.change(2))]
        if noun.deletes:
            calls.append(await delete(client, path))
        else:
            calls += [await post(client, f"{path}/{verb}", None) for verb in ("archive", "unarchive")]
        assert {told(call) for call in calls} == {(404, f"unknown_{noun.word}")}
        return [
            (call.status, call.body.replace(call.headers["X-Request-Id"].encode(), b"")) for call in calls
        ]

    shown = theirs[noun.key]
    absent = shown[:-1] + ("9" if shown[-1] != "9" else "8")  # the same but for its last digit
    assert [body.replace(shown.encode(), b"") for _, body in await responses(shown)] == [
        body.replace(absent.encode(), b"") for _, body in await responses(absent)
    ]
    for id_ in noun.unknown:
        await responses(id_)
    assert (await other.get(f"{noun.path}/{shown}")).json == theirs


@every_noun
async def test_tenants_never_meet(
    ctx: Context, session: aiohttp.ClientSession, client: Client, noun: Noun
) -> None:
    other = await make_client(ctx, session)
    for each in (client, other):  # the same names
        for number in range(2):
            await make(each, noun.path, **noun.new(number))
    mine, theirs = [(await each.get(noun.path)).json["data"] for each in (client, other)]
    assert [one["name"] for one in mine] == [one["name"] for one in theirs] == ["Name0", "Name1"]
    if noun is not PROPERTIES:
        assert not {one["id"] for one in mine} & {one["id"] for one in theirs}
    for one in mine:
        await patch(client, f"{noun.path}/{one[noun.key]}", noun.change(7))
        await delete(client, f"{noun.path}/{one[noun.key]}")
    assert (await other.get(noun.path)).json["data"] == theirs


@every_noun
async def test_a_name_that_is_taken_is_a_conflict(client: Client, noun: Noun) -> None:
    await make(client, noun.path, **noun.new(1))
    response = await post(client, noun.path, noun.new(1))
    assert told(response) == (409, f"{noun.word}_exists")
    assert (response.error["type"], response.error["param"]) == ("conflict", "name")
    assert await names(client, noun.path) == ["Name1"]


@NAMED
async def test_so_is_a_new_name_that_is_taken(client: Client, noun: Noun) -> None:
    one, _ = [await make(client, noun.path, **noun.new(number)) for number in (1, 2)]
    path = f"{noun.path}/{one['id']}"
    assert told(await patch(client, path, {"name": "Name2"})) == (409, f"{noun.word}_exists")
    assert (await patch(client, path, {"name": "Name1"})).status == 200  # its own is not
    assert await names(client, noun.path) == ["Name1", "Name2"]


@every_noun
async def test_of_two_at_once_with_one_name_one_is_created(client: Client, noun: Noun) -> None:
    for number in range(5):
        responses = await asyncio.gather(*(post(client, noun.path, noun.new(number)) for _ in range(4)))
        assert sorted(response.status for response in responses) == [201, 409, 409, 409]
    assert len(await names(client, noun.path)) == 5


@NAMED
async def test_a_name_is_trimmed_and_kept_as_it_is(client: Client, noun: Noun) -> None:
    other = await make(client, noun.path, name="other")
    for given, kept in TEXTS.items():
        assert (await make(client, noun.path, name=given))["name"] == kept
        response = await patch(client, f"{noun.path}/{other['id']}", {"name": given})
        assert told(response) == (409, f"{noun.word}_exists")
    assert await names(client, noun.path) == ["other", *TEXTS.values()]


@NAMED
async def test_names_are_compared_as_they_are(client: Client, noun: Noun) -> None:
    for name in ("VIP", "vip", "\u00e9", "e\u0301"):
        await make(client, noun.path, name=name)


@NAMED
async def test_a_wrong_name_is_refused(client: Client, noun: Noun) -> None:
    made = await make(client, noun.path, name="kept")
    wrong: list[Any] = ["", "  \u3000\n", "x" * 256, "a\0b", 5, None, True, ["a"], {}, 1e300]
    for name in wrong:
        assert problems(await post(client, noun.path, {"name": name})) == {"name": "invalid_parameter"}
        response = await patch(client, f"{noun.path}/{made['id']}", {"name": name})
        assert problems(response) == {"name": "invalid_parameter"}
    assert await names(client, noun.path) == ["kept"]


@NAMED
async def test_the_longest_name(client: Client, noun: Noun) -> None:
    most = 50 if noun.word == "label" else 255
    assert (await make(client, noun.path, name="🎉" * most))["name"] == "🎉" * most
    assert problems(await post(client, noun.path, {"name": "🎉" * (most + 1)})) == {
        "name": "invalid_parameter"
    }


@every_noun
async def test_a_body_is_refused_with_all_that_is_wrong(client: Client, noun: Noun) -> None:
    body = {"id": 1, "a\tb": 2}
    response = await post(client, f"{noun.path}?x=1", body)
    expected = {"x": "unknown_parameter", "id": "unknown_parameter", "a\tb": "unknown_parameter"}
    needed = {"name": "missing_parameter"} | ({"type": "missing_parameter"} if noun is PROPERTIES else {})
    assert problems(response) == expected | needed
    made = await make(client, noun.path, **noun.new(1))
    response = await patch(client, f"{noun.path}/{made[noun.key]}?x=1", body)
    assert problems(response).items() >= expected.items()
    assert (await client.get(f"{noun.path}/{made[noun.key]}")).json == made


@every_noun
async def test_a_body_that_is_no_object_is_refused(client: Client, noun: Noun) -> None:
    made = await make(client, noun.path, **noun.new(1))
    bodies: list[Any] = [None, [], "x", 5, [{"name": "a"}], True]
    for body in bodies:
        for response in (
            await post(client, noun.path, body),
            await patch(client, f"{noun.path}/{made[noun.key]}", body),
        ):
            assert problems(response) == {None: "invalid_parameter"}


@every_noun
async def test_a_change_of_nothing_is_refused(client: Client, noun: Noun) -> None:
    made = await make(client, noun.path, **noun.new(1))
    response = await patch(client, f"{noun.path}/{made[noun.key]}", {})
    assert set(problems(response)) <= {None, "name", "options"}
    assert (await client.get(f"{noun.path}/{made[noun.key]}")).json == made


@every_noun
async def test_what_is_no_json_is_told_so(client: Client, noun: Noun) -> None:
    made = await make(client, noun.path, **noun.new(1))
    for method, path in (("POST", noun.path), ("PATCH", f"{noun.path}/{made[noun.key]}")):
        for body in (b"{", b"", rb'{"name": "\ud800"}', b'{"name": "\xff"}', b'{"name": 1e999}'):
            response = await client.call(
                method, path, data=body, headers={"Content-Type": "application/json"}
            )
            assert told(response) == (400, "invalid_json")
        for content_type in ("text/csv", "application/x-www-form-urlencoded"):
            response = await client.call(method, path, data=b"name=x", headers={"Content-Type": content_type})
            assert told(response) == (415, "unsupported_format")


@every_noun
async def test_a_query_where_there_is_none_is_refused(client: Client, noun: Noun) -> None:
    made = await make(client, noun.path, **noun.new(1))
    path = f"{noun.path}/{made[noun.key]}"
    calls = [("GET", path), ("DELETE", path) if noun.deletes else ("POST", f"{path}/archive")]
    for method, target in calls:
        response = await client.call(method, f"{target}?force=true")
        assert problems(response) == {"force": "unknown_parameter"}
    assert (await client.get(path)).json == made


@every_noun
async def test_an_id_is_taken_as_a_number_too(client: Client, noun: Noun) -> None:
    if noun.prefix is None:
        return
    made = await make(client, noun.path, **noun.new(1))
    number = int(made["id"].removeprefix(f"{noun.prefix}_"), 32)  # small ones are written the same
    for id_ in (str(number), made["id"].lower(), f"000{number}"):
        assert (await client.get(f"{noun.path}/{id_}")).json == made
