"""Item errors: their pages, and their files, which a client corrects and submits again."""

import csv
import io
import json
from typing import Any

import pytest

from storage.context import Context
from tests.factories import contact, make_property, phone
from tests.integration.api.service import Client
from tests.integration.api.work import stored, work

PHONE = phone(1)


async def errors_path(ctx: Context, client: Client, body: bytes, content_type: str, query: str = "") -> str:
    """Run a job to its end, and return the path of its errors."""
    response = await client.submit(body, content_type, query)
    assert response.status == 202, response.body
    await work(ctx)
    path: str = (await client.job(response))["errors_url"]
    return path


def rows_of(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline="")))


async def test_errors_are_paged(ctx: Context, client: Client) -> None:
    items = [{"phone": "12"} if n % 2 else contact(n) for n in range(50)]
    path = await errors_path(ctx, client, json.dumps(items).encode(), "application/json")
    seen: list[int] = []
    page: dict[str, Any] = {"next_cursor": "-"}
    while page["next_cursor"]:
        cursor = f"&cursor={page['next_cursor']}" if seen else ""
        page = (await client.get(f"{path}?limit=10{cursor}")).json
        seen += [error["index"] for error in page["data"]]
    assert seen == list(range(1, 50, 2))


async def test_a_file_of_errors_has_the_columns_of_the_request(ctx: Context, client: Client) -> None:
    body = f'Name;PHONE;Metadata.City\r\n"O; ""K""";12;Pune\r\nAna;{PHONE};\r\n"two\nlines";+999;\r\n'
    path = await errors_path(ctx, client, body.encode(), "text/csv")
    head, *rows = rows_of((await client.get(path, Accept="text/csv")).body)
    assert head == ["name", "phone", "metadata.city", "error_code", "error_message"]
    assert [row[:4] for row in rows] == [
        ['O; "K"', "12", "Pune", "phone_too_short"],
        ["two\nlines", "+999", "", "phone_unknown_country_code"],
    ]
    assert all(row[4] for row in rows)


async def test_a_corrected_file_of_errors_is_accepted(ctx: Context, client: Client) -> None:
    body = f"Mobile;name;age;birth_date.day;birth_date.month\n12;Ana;30;17;5\n{phone(2)};Bo;;1;2\n"
    path = await errors_path(ctx, client, body.encode(), "text/csv", "?map.Mobile=phone")
    text = (await client.get(path, Accept="text/csv")).body
    response = await client.submit(text.replace(b"12,", PHONE.encode() + b","), "text/csv")
    await work(ctx)
    job = await client.job(response)
    assert (job["state"], job["total"], job["errors"]) == ("completed", 1, [])
    assert await stored(ctx) == {PHONE: "Ana", phone(2): "Bo"}


@pytest.mark.parametrize("accept", ["text/csv", "application/x-ndjson"])
async def test_an_uncorrected_file_of_errors_fails_again_for_the_same_reasons(
    ctx: Context, client: Client, accept: str
) -> None:
    bad = [
        {"phone": "12", "ref": "mine", "name": "Ana, \"the\" 1st\nline"},
        {"phone_number": "call me", "metadata": {"a": [1, {"b": None}]}},
        {"phoneNumber": "+999123456789", "birth_date": {"day": 1, "month": 2}},
        {"phone": PHONE, "email": "nonsense", "address": {"city": "Pune"}},
        {"phone": PHONE, "language": "not a language", "properties": {"vip": "x"}},
        {"phone": PHONE, "age": 200},
        {"name": "nobody"},
    ]  # fmt: skip
    path = await errors_path(ctx, client, json.dumps(bad).encode(), "application/json")
    before = (await client.get(path)).json["data"]
    text = (await client.get(path, Accept=accept)).body
    path = await errors_path(ctx, client, text, accept)
    after = (await client.get(path)).json["data"]
    assert [(error["code"], error["ref"]) for error in after] == [
        (error["code"], error["ref"]) for error in before
    ]
    assert len(after) == len(bad)


async def test_lines_of_errors_are_the_items_with_code_and_message(ctx: Context, client: Client) -> None:
    items = [{"phone": "12", "name": "Zoë", "metadata": {"a": 1}}]
    path = await errors_path(ctx, client, json.dumps(items).encode(), "application/json")
    (line,) = (await client.get(path, Accept="application/x-ndjson")).body.splitlines()
    shown = json.loads(line)
    assert shown.pop("error_message")
    assert shown == {**items[0], "error_code": "phone_too_short"}


async def test_csv_rows_can_be_corrected_as_ndjson(ctx: Context, client: Client) -> None:
    await make_property(ctx, client.account.id, "vip")
    body = (
        "phone,name,age,metadata.city,metadata,birth_date.day,birth_date.month,birth_date.year,properties.vip\n"
        '12,Ana,30,Pune,"{""a"": 1}",17,5,1990,yes\n'
    )
    path = await errors_path(ctx, client, body.encode(), "text/csv")
    line = (await client.get(path, Accept="application/x-ndjson")).body
    response = await client.submit(line.replace(b'"12"', f'"{PHONE}"'.encode()), "application/x-ndjson")
    await work(ctx)
    job = await client.job(response)
    assert (job["state"], job["errors"]) == ("completed", [])
    row = await ctx.pool.fetchrow(
        "SELECT phone, age, birth_date, metadata::text, properties::text FROM contacts"
    )
    assert row is not None
    assert tuple(row) == (PHONE, 30, "1990-05-17", '{"a": 1, "city": "Pune"}', '{"vip": "yes"}')


async def test_an_unreadable_row_is_shown_as_it_was_sent(ctx: Context, client: Client) -> None:
    body = f'phone,name\n"{PHONE}",Smith,John,x\n\xff,y\n1\n'.encode("latin-1")
    path = await errors_path(ctx, client, body, "text/csv")
    _, *rows = rows_of((await client.get(path, Accept="text/csv")).body)
    assert [(row[0], row[2]) for row in rows] == [
        (PHONE, "row_length"),
        ("\\xff", "invalid_encoding"),
        ("1", "row_length"),
    ]
    assert rows[0][4:] == ["John", "x"]  # all cells are kept
    lines = (await client.get(path, Accept="application/x-ndjson")).body.splitlines()
    assert [json.loads(line)["item"] for line in lines] == [f'"{PHONE}",Smith,John,x', "\\xff,y", "1"]


async def test_lines_that_are_not_items_fail_again(ctx: Context, client: Client) -> None:
    body = (
        b'{"phone":\n[1, 2]\n5\nnull\n"text"\n{"phone": "\\ud800"}\n\xff\n{"phone": "1\\u0000"}\n{"a": 1e999}'
    )
    path = await errors_path(ctx, client, body, "application/x-ndjson")
    errors = (await client.get(path)).json["data"]
    assert [error["index"] for error in errors] == list(range(9))
    for accept in ("text/csv", "application/x-ndjson"):
        text = (await client.get(path, Accept=accept)).body
        assert text.count(b"\n") >= 9
        response = await client.submit(text, accept)
        assert response.status == 202
        await work(ctx)
        assert (await client.job(response))["counts"]["failed"] == 9


async def test_an_invalid_cell_of_900_kilobytes_can_be_downloaded(ctx: Context, client: Client) -> None:
    path = await errors_path(ctx, client, b"phone,name\n12," + b"\xff" * 900_000 + b"\n", "text/csv")
    _, row = rows_of((await client.get(path, Accept="text/csv")).body.replace(b"\\xff", b"?"))
    assert "invalid_encoding" in row


async def test_without_errors_the_file_is_empty(ctx: Context, client: Client) -> None:
    path = await errors_path(ctx, client, f"phone\n{PHONE}\n".encode(), "text/csv")
    assert (await client.get(path)).json == {"data": [], "next_cursor": None}
    assert (await client.get(path, Accept="text/csv")).body == b"phone,error_code,error_message\r\n"
    assert (await client.get(path, Accept="application/x-ndjson")).body == b""


async def test_thousands_of_errors_are_all_in_the_file(ctx: Context, client: Client) -> None:
    body = b"phone,name\n" + b"".join(b"12,%d\n" % n for n in range(2_500))
    path = await errors_path(ctx, client, body, "text/csv")
    _, *rows = rows_of((await client.get(path, Accept="text/csv")).body)
    assert [row[1] for row in rows] == [str(n) for n in range(2_500)]


@pytest.mark.parametrize(
    ("path", "items", "field"),
    [
        ("preferences.set?preference=mute_all", ["12", {"phone": "13", "ref": "b"}], "phone"),
        ("audiences.add?audience_id=1", [7, {"id": "x", "ref": "b"}], "id"),
    ],
)
async def test_items_that_name_contacts_are_corrected_by_their_field(
    ctx: Context, client: Client, path: str, items: list[Any], field: str
) -> None:
    await client.call("POST", "/v1/audiences", json={"name": "A"})
    response = await client.call("POST", f"/v1/bulk/{path}", json=items)
    assert response.status == 202, response.body
    await work(ctx)
    url = f"{response.headers['Location']}/errors"
    rows = list(csv.DictReader(io.StringIO((await client.get(url, Accept="text/csv")).body.decode())))
    first, second = items[0], items[1][field]
    assert [(row["ref"], row[field]) for row in rows] == [("", str(first)), ("b", second)]
    lines = (await client.get(url, Accept="application/x-ndjson")).body.splitlines()
    assert [json.loads(line)[field] for line in lines] == [first, second]
    again = await client.call(
        "POST",
        f"/v1/bulk/{path}",
        data=b"\n".join(lines),
        headers={"Content-Type": "application/x-ndjson"},
    )
    await work(ctx)
    job = (await client.get(again.headers["Location"])).json
    assert {error["code"] for error in job["errors"]} == {row["error_code"] for row in rows}


async def test_properties_of_a_row_have_their_types_in_json(ctx: Context, client: Client) -> None:
    for name, type_ in (("score", "number"), ("vip", "boolean"), ("note", "string")):
        await make_property(ctx, client.account.id, name, type_)
    head = "phone,properties.score,properties.vip,properties.note\n"
    path = await errors_path(ctx, client, f"{head}12,7.5,true,5\n13,many,no,x\n".encode(), "text/csv")
    lines = (await client.get(path, Accept="application/x-ndjson")).body.splitlines()
    assert [json.loads(line)["properties"] for line in lines] == [
        {"score": 7.5, "vip": True, "note": "5"},
        {"score": "many", "vip": "no", "note": "x"},
    ]


async def test_dates_of_properties_are_read_in_the_format_of_their_job(ctx: Context, client: Client) -> None:
    await make_property(ctx, client.account.id, "since", "date")
    body = f"phone,properties.since\n{PHONE},05/06/2024\n12,05.06.2024\n{phone(2)},2024-05-06 00:00:00\n"
    path = await errors_path(ctx, client, body.encode(), "text/csv", "?date_format=mdy")
    stored_days = "SELECT properties ->> 'since' FROM contacts ORDER BY phone"
    assert [row[0] for row in await ctx.pool.fetch(stored_days)] == ["2024-05-06"] * 2
    (line,) = (await client.get(path, Accept="application/x-ndjson")).body.splitlines()
    assert json.loads(line)["properties"] == {"since": "05.06.2024"}  # as another format may be sent with it
    created = await client.call(
        "POST",
        "/v1/contacts",
        json={"phoneNumber": phone(3), "name": "Cleo", "properties": {"since": "29.02.2024"}},
    )
    assert created.status == 201, created.body
    assert [row[0] for row in await ctx.pool.fetch(stored_days)] == ["2024-05-06"] * 2 + ["2024-02-29"]


HOSTILE = ["=cmd|' /C calc'!A0", "@SUM(1)", "+1+cmd|x", "-2+3+cmd|x", "\t=1", " =1", "\uff1d1"]
HARMLESS = ["Ana", "a=b", "-5", "O'Brien"]


async def test_formulas_in_csv_are_escaped_on_request(ctx: Context, client: Client) -> None:
    names = [*HOSTILE, *HARMLESS]
    items = [{"phone": "+1 415", "name": name} for name in names]
    path = await errors_path(ctx, client, json.dumps(items).encode(), "application/json")
    kept = await written(client, path)
    assert kept == [("+1 415", name) for name in names]
    assert await written(client, f"{path}?formulas=keep") == kept
    assert await written(client, f"{path}?formulas=escape") == [
        ("+1 415", f"'{name}" if name in HOSTILE else name) for name in names
    ]


async def written(client: Client, path: str) -> list[tuple[str, str]]:
    """Return the phone and the name of each row of a file of errors."""
    head, *rows = rows_of((await client.get(path, Accept="text/csv")).body)
    return [(row[head.index("phone")], row[head.index("name")]) for row in rows]
