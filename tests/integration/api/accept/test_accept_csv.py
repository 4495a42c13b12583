"""CSV files as people and spreadsheet programs write them."""

import json

import pytest

from storage.context import Context
from tests.factories import phone
from tests.integration.api.service import Client
from tests.integration.api.work import stored, work

ONE, TWO = phone(1), phone(2)
BOTH = {ONE: "Ana", TWO: "Bo"}
PLAIN = f"phone,name\n{ONE},Ana\n{TWO},Bo\n"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(PLAIN.encode(), id="plain"),
        pytest.param(PLAIN.encode("utf-8-sig"), id="bom"),
        pytest.param(PLAIN.replace("\n", "\r\n").encode(), id="crlf"),
        pytest.param(PLAIN.replace("\n", "\r").encode(), id="cr"),
        pytest.param(PLAIN.rstrip().encode(), id="no-last-newline"),
        pytest.param(PLAIN.replace("\n", "\n\n\r\n").encode(), id="empty-lines"),
        pytest.param(b"\r\n\r\n" + PLAIN.encode(), id="empty-lines-first"),
        pytest.param(PLAIN.replace(",", ";").encode(), id="semicolon"),
        pytest.param(PLAIN.replace(",", "\t").encode(), id="tab"),
        pytest.param(PLAIN.replace(",", "|").encode(), id="bar"),
        pytest.param(PLAIN.encode("utf-16"), id="utf-16"),
        pytest.param(b"\xfe\xff" + PLAIN.encode("utf-16-be"), id="utf-16-be"),
        pytest.param(PLAIN.replace(",", "\t").replace("\n", "\r\n").encode("utf-16"), id="excel-unicode"),
        pytest.param(PLAIN.replace("phone,name", "PHONE , Name").encode(), id="odd-case"),
        pytest.param(PLAIN.replace("phone,name", '"Phone Number","NAME"').encode(), id="quoted-header"),
        pytest.param(PLAIN.replace("phone,name", "phoneNumber,name").encode(), id="camel-case"),
        pytest.param(PLAIN.replace("\n", ",,\n").encode(), id="spare-separators"),
        pytest.param(PLAIN.replace(f"{ONE}", f'"{ONE}"').encode(), id="quoted-cells"),
    ],
)
async def test_common_csv_variants_give_the_same_contacts(ctx: Context, client: Client, body: bytes) -> None:
    response = await client.submit(body, "text/csv")
    assert response.status == 202, response.body
    assert response.json["total"] == 2
    await work(ctx)
    assert await stored(ctx) == BOTH


async def test_quoted_cells_keep_commas_newlines_and_quotes(ctx: Context, client: Client) -> None:
    body = f'name,phone\r\n"Silva, Ana",{ONE}\r\n"Bo\r\n""the"" Bold\n\nII",{TWO}\r\n'
    response = await client.submit(body.encode(), "text/csv")
    assert response.json["total"] == 2
    await work(ctx)
    assert await stored(ctx) == {ONE: "Silva, Ana", TWO: 'Bo\r\n"the" Bold\n\nII'}


async def test_a_declared_charset_is_used(ctx: Context, client: Client) -> None:
    body = f"phone,name\n{ONE},Zoë Müller\n".encode("cp1252")
    await client.submit(body, "text/csv; charset=windows-1252")
    await work(ctx)
    assert await stored(ctx) == {ONE: "Zoë Müller"}


async def test_a_column_can_be_renamed_and_left_out(ctx: Context, client: Client) -> None:
    body = f"Mobile No.,Full Name,Shoe size\n{ONE},Ana,38\n"
    response = await client.submit(
        body.encode(), "text/csv", "?map.Mobile%20No.=phone&map.full_name=name&map.Shoe+size="
    )
    assert response.status == 202, response.body
    await work(ctx)
    assert await stored(ctx) == {ONE: "Ana"}


async def test_columns_with_a_key_become_metadata(ctx: Context, client: Client) -> None:
    body = f'phone,metadata.city,metadata.zip,metadata,age\n{ONE},Pune,411001,"{{""vip"": true}}",44\n'
    response = await client.submit(body.encode(), "text/csv")
    await work(ctx)
    assert (await client.job(response))["state"] == "completed"
    row = await ctx.pool.fetchrow("SELECT metadata::text, age FROM contacts")
    assert row is not None
    assert (row["metadata"], row["age"]) == ('{"vip": true, "zip": "411001", "city": "Pune"}', 44)


async def test_an_empty_cell_keeps_what_is_stored(ctx: Context, client: Client) -> None:
    await client.submit(PLAIN.encode(), "text/csv")
    await client.submit(f"phone,name,age\n{ONE},,30\n".encode(), "text/csv")
    await work(ctx)
    assert await stored(ctx) == BOTH


async def test_unknown_columns_are_all_named_and_no_job_is_stored(client: Client) -> None:
    response = await client.submit(b"phone,shoe size,Hat\n1,2,3\n", "text/csv")
    assert response.status == 422
    assert response.error["code"] == "unknown_columns"
    assert [problem["param"] for problem in response.json["errors"]] == ["shoe size", "Hat"]
    assert await client.jobs() == []


async def test_one_unknown_column_is_named_in_the_error(client: Client) -> None:
    response = await client.submit(b"phone,Hat\n1,2\n", "text/csv")
    assert (response.status, response.error["code"], response.error["param"]) == (
        422,
        "unknown_columns",
        "Hat",
    )
    for part in ("'Hat'", "map.Hat=metadata.key", "unknown_columns=ignore", "unknown_columns=keep"):
        assert part in response.error["message"]


async def test_unknown_columns_can_be_ignored_and_come_back_with_the_errors(
    ctx: Context, client: Client
) -> None:
    body = f'Notes,phone,shoe size,name,age\n"a, b",12,38,Ana,x\n,{TWO},39,Bo,\nshort,row\n'
    query = "?unknown_columns=ignore&map.age="
    response = await client.submit(body.encode(), "text/csv", query)
    await work(ctx)
    assert (await client.job(response))["counts"]["created"] == 1
    assert await stored(ctx) == {TWO: "Bo"}
    retry = await client.call("POST", f"{response.headers['Location']}/retry")
    assert retry.status == 202, retry.body
    await work(ctx)
    for job in (response, retry):  # the retry keeps them, too
        errors = f"{job.headers['Location']}/errors"
        file = (await client.get(errors, Accept="text/csv")).body.decode().splitlines()
        assert file[0] == "Notes,phone,shoe size,name,age,error_code,error_message"
        assert file[1].startswith('"a, b",12,38,Ana,x,phone_too_short,')
        assert file[2].startswith("short,row,,,,row_length,")
    lines = (await client.get(errors, Accept="application/x-ndjson")).body
    assert set(json.loads(lines.splitlines()[0])) == {"phone", "name", "error_code", "error_message"}
    corrected = "\n".join(file).replace(",12,", f",{ONE},")
    again = await client.submit(corrected.encode(), "text/csv", query)
    assert again.status == 202, again.body
    await work(ctx)
    assert await stored(ctx) == {ONE: "Ana", TWO: "Bo"}


async def test_what_to_do_with_unknown_columns_is_one_of_three_words(client: Client) -> None:
    response = await client.submit(PLAIN.encode(), "text/csv", "?unknown_columns=drop")
    assert (response.status, response.error["param"]) == (422, "unknown_columns")
    assert "'refuse', 'ignore' or 'keep'" in response.error["message"]
    assert await client.jobs() == []


async def test_a_column_without_a_name_is_refused_or_left_out(ctx: Context, client: Client) -> None:
    body = f",phone,name,\n0,{ONE},Ana,\n1,{TWO},Bo,\n".encode()
    refused = await client.submit(body, "text/csv")
    assert (refused.status, refused.error["code"]) == (422, "unknown_columns")
    assert "Column 1, which has no name," in refused.error["message"]
    assert "map.=" in refused.error["message"]
    assert (await client.submit(body, "text/csv", "?map.=")).status == 202
    await work(ctx)
    assert await stored(ctx) == BOTH
    useless = await client.submit(PLAIN.encode(), "text/csv", "?map.=")
    assert (useless.status, useless.error["param"]) == (422, "map.")
    assert "Every column of the file has a name" in useless.error["message"]


async def test_a_rename_of_a_column_that_is_not_there_is_refused(client: Client) -> None:
    response = await client.submit(PLAIN.encode(), "text/csv", "?map.nam=nickname")
    assert (response.status, response.error["param"]) == (422, "map.nam")
    assert await client.jobs() == []


async def test_a_rename_is_refused_for_json(client: Client) -> None:
    response = await client.submit_items([{"mobile": ONE}], "?map.mobile=phone")
    assert (response.status, response.error["param"]) == (422, "map.mobile")
    assert await client.jobs() == []


async def test_a_row_of_the_wrong_length_fails_alone(ctx: Context, client: Client) -> None:
    response = await client.submit(f"phone,name\n{ONE},Ana,extra\n{TWO},Bo\n".encode(), "text/csv")
    await work(ctx)
    job = await client.job(response)
    assert (job["state"], job["counts"]["created"]) == ("completed_with_errors", 1)
    assert [(error["index"], error["code"]) for error in job["errors"]] == [(0, "row_length")]


@pytest.mark.parametrize("column", ["address.zip", "birth_date.hour", "metadata.", "nickname.x"])
async def test_an_unknown_key_of_a_field_is_an_unknown_column(client: Client, column: str) -> None:
    response = await client.submit(f"phone,{column}\n{phone(1)},1\n".encode(), "text/csv")
    assert (response.status, response.error["code"]) == (422, "unknown_columns")


async def test_an_error_file_can_be_submitted_with_the_query_of_the_first_request(
    ctx: Context, client: Client
) -> None:
    query = "?map.Mobile=phone"
    await client.submit(b"Mobile,age\n12,7\n", "text/csv", query)
    await work(ctx)
    (job,) = await client.jobs()
    file = await client.get(f"/v1/jobs/{job['id']}/errors", Accept="text/csv")
    again = await client.submit(file.body, "text/csv", query)
    assert again.status == 202, again.body
