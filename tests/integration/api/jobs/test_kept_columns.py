"""`unknown_columns=keep`: a file comes back as it was sent, with its results; corrected, it is sent again."""

import csv
import io
import json

from storage.context import Context
from tests.factories import make_account, phone
from tests.integration.api.raw_upload import until_true, upload
from tests.integration.api.service import Client, Response, Service
from tests.integration.api.tenant_rows import TWIN_OF_A_ROW
from tests.integration.api.work import stored, work
from tests.workbooks import make_workbook, rows_of
from tests.workers import claim, expire_leases
from worker import prune
from worker.apply import apply_chunk
from worker.reconcile import reconcile

ONE, TWO, THREE = phone(1), phone(2), phone(3)
KEEP = "?unknown_columns=keep"
OURS = ["bulklane_index", "bulklane_contact_id", "bulklane_outcome", "bulklane_code", "bulklane_message"]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def rows_in(text: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline=""), delimiter=delimiter))


def text_of(rows: list[list[str]], delimiter: str = ",") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode()


async def file_of(client: Client, job: Response, what: str, query: str = "?format=csv") -> bytes:
    response = await client.get(f"{job.headers['Location']}/{what}{query}")
    assert response.status == 200, response.body
    return response.body


async def run(
    ctx: Context, client: Client, body: bytes, query: str = KEEP, type_: str = "text/csv"
) -> Response:
    """Run a job to its end."""
    response = await client.submit(body, type_, query)
    assert response.status == 202, response.body
    await work(ctx)
    return response


FILE = [
    ["", "Notes", "Mobile", "Notes", "name", "Shoe Size"],
    ["0", " a; b ", "12", '"x"', "Ana", "007"],
    ["1", "", TWO, "two\nlines", "Bo", "1,5"],
    ["2", "=1+1", THREE, "\u2603 ", "Cleo", "1E+5"],
]


async def test_a_corrected_file_goes_the_whole_round(ctx: Context, client: Client) -> None:
    query = f"{KEEP}&map.Mobile=phone"
    first = await run(ctx, client, text_of(FILE, ";"), query)
    assert (await client.job(first))["counts"]["created"] == 2
    ids = {row["phone"]: str(row["id"]) for row in await ctx.pool.fetch("SELECT phone, id FROM contacts")}
    results = rows_in(await file_of(client, first, "results"), ";")
    errors = rows_in(await file_of(client, first, "errors"), ";")
    assert results[0] == errors[0] == [*FILE[0], *OURS]
    assert [row[:6] for row in results] == FILE
    assert [row[6:9] for row in results[1:]] == [
        ["0", "", "failed"],
        ["1", ids[TWO], "created"],
        ["2", ids[THREE], "created"],
    ]
    assert results[1][9] == "phone_too_short"
    assert results[1][10]
    assert errors[1:] == results[1:2]

    errors[1][2] = ONE
    second = await run(ctx, client, text_of(errors, ";"), query)
    assert (await client.job(second))["state"] == "completed"
    assert await stored(ctx) == {ONE: "Ana", TWO: "Bo", THREE: "Cleo"}
    again = rows_in(await file_of(client, second, "results"), ";")  # without what the first file has added
    assert again[0] == results[0]
    assert again[1][:6] == ["0", " a; b ", ONE, '"x"', "Ana", "007"]
    assert again[1][6:9] == ["0", again[1][7], "created"]

    results[1][2] = ONE
    third = await run(ctx, client, text_of(results, ";"), query)  # the whole file may come back as well
    assert (await client.job(third))["counts"]["unchanged"] == 3


async def test_a_workbook_goes_the_whole_round(ctx: Context, client: Client) -> None:
    table = [["Phone", "Remark", "Name"], [ONE, "zz", "Ana"], ["12", "007", "Bo"]]
    first = await run(ctx, client, make_workbook({"People": rows_of(table)}), type_=XLSX)
    errors = rows_in(await file_of(client, first, "errors"))
    assert errors[0] == [*table[0], *OURS]
    assert errors[1][:6] == ["12", "007", "Bo", "1", "", "failed"]
    errors[1][0] = TWO
    for body in (text_of(errors), make_workbook({"Errors": rows_of(errors)})):
        second = await run(ctx, client, body)
        assert (await client.job(second))["state"] == "completed"
        assert rows_in(await file_of(client, second, "results"))[1][:4] == [TWO, "007", "Bo", "0"]
    assert await stored(ctx) == {ONE: "Ana", TWO: "Bo"}


async def test_rows_that_cannot_be_read_come_back_in_their_place(ctx: Context, client: Client) -> None:
    body = f"phone,name,x\n{ONE},Ana,1\nshort\n{TWO},Bo,2,more\n{THREE},Cl\xe9o,3\n".encode("latin-1")
    job = await run(ctx, client, body)
    for what, skipped in (("results", 0), ("errors", 1)):
        _, *found = rows_in(await file_of(client, job, what))
        expected = [
            [ONE, "Ana", "1", "0", "created", ""],
            ["short", "", "", "1", "failed", "row_length"],
            [TWO, "Bo", "2", "2", "failed", "row_length"],
            [THREE, "Cl\\xe9o", "3", "3", "failed", "invalid_encoding"],
        ][skipped:]
        assert [[*row[:4], *row[5:7]] for row in found] == expected
        assert found[2 - skipped][8:] == ["more"]


async def test_a_retry_keeps_the_columns_too(ctx: Context, client: Client) -> None:
    body = f"x,phone,x,\n1,12,2,3\n4,{TWO},5,\n6,13,7,8\n".encode()
    first = await run(ctx, client, body, f"{KEEP}&max_errors=50")
    retry = first
    for _ in range(2):  # and the retry of a retry
        retry = await client.call("POST", f"{retry.headers['Location']}/retry")
        assert retry.status == 202, retry.body
        await work(ctx)
        head, *rows = rows_in(await file_of(client, retry, "results"))
        assert head == ["x", "phone", "x", *OURS]
        assert [row[:4] for row in rows] == [["1", "12", "2", "0"], ["6", "13", "7", "1"]]


async def test_cancelled_rows_come_back_as_cancelled(ctx: Context, client: Client) -> None:
    rows = [[phone(n), f"note {n}"] for n in range(2_500)]
    job = await client.submit(text_of([["phone", "note"], *rows]), "text/csv", KEEP)
    await apply_chunk(ctx, await claim(ctx))
    assert len(rows_in(await file_of(client, job, "results"))) == 1 + 1_000  # the others have no result yet
    cancelled = await client.call("POST", f"{job.headers['Location']}/cancel")
    assert cancelled.status == 200
    await work(ctx)
    _, *found = rows_in(await file_of(client, job, "results"))
    assert [row[:2] for row in found] == rows
    assert [row[4] for row in found] == ["created"] * 1_000 + ["cancelled"] * 1_500
    assert [row[2] for row in found] == list(map(str, range(2_500)))


async def test_merged_rows_and_those_of_a_dry_run_come_back(ctx: Context, client: Client) -> None:
    body = f"phone,x\n{ONE},a\n{TWO},b\n{ONE},c\n".encode()
    outcomes = [[ONE, "a", "merged"], [TWO, "b", "created"], [ONE, "c", "created"]]
    for query in (f"{KEEP}&dry_run=true", KEEP):
        job = await run(ctx, client, body, query)
        _, *found = rows_in(await file_of(client, job, "results"))
        assert [[*row[:2], row[4]] for row in found] == outcomes
    assert await ctx.pool.fetchval("SELECT count(*) FROM parts") == 0


async def test_a_chunk_that_was_halved_has_each_row_once(ctx: Context, client: Client) -> None:
    rows = [[phone(n), str(n)] for n in range(11)]
    job = await client.submit(text_of([["phone", "x"], *rows]), "text/csv", KEEP)
    for _ in range(3):
        await claim(ctx)
        await expire_leases(ctx)
        await reconcile(ctx)
    await work(ctx)
    assert await ctx.pool.fetchval("SELECT count(*) FROM chunks") > 1
    _, *found = rows_in(await file_of(client, job, "results"))
    assert [row[:3] for row in found] == [[*row, row[1]] for row in rows]


async def test_a_file_of_many_parts_comes_back_whole(ctx: Context, client: Client) -> None:
    rows = [[phone(n), f"note {n} " + "x" * 700] for n in range(3_500)]
    job = await run(ctx, client, text_of([["phone", "note"], *rows]))
    assert await ctx.pool.fetchval("SELECT count(*) FROM kept_parts") > 1
    _, *found = rows_in(await file_of(client, job, "results"))
    assert [row[:3] for row in found] == [[*row, str(n)] for n, row in enumerate(rows)]


async def test_formulas_are_escaped_on_request(ctx: Context, client: Client) -> None:
    job = await run(ctx, client, f"phone,x\n{ONE},=1+1\n12,@x\n".encode())
    for what, cells in (("results", ["'=1+1", "'@x"]), ("errors", ["'@x"])):
        text = await file_of(client, job, what, "?format=csv&formulas=escape")
        assert [row[1] for row in rows_in(text)[1:]] == cells


async def test_a_mark_of_utf8_is_written_on_request_and_read_again(ctx: Context, client: Client) -> None:
    job = await run(ctx, client, f"phone,x\n12,ü\n{ONE},é\n".encode())
    plain = await run(ctx, client, b"phone\n12\n", "")
    for sent, what in ((job, "results"), (job, "errors"), (plain, "results"), (plain, "errors")):
        text = await file_of(client, sent, what)
        marked = await file_of(client, sent, what, "?format=csv&bom=true")
        assert marked == b"\xef\xbb\xbf" + text
        lines = await file_of(client, sent, what, "?format=ndjson&bom=true")
        assert lines == await file_of(client, sent, what, "?format=ndjson")
    corrected = (await file_of(client, job, "errors", "?format=csv&bom=true")).replace(
        b"12,", b"+14155550199,"
    )
    again = await run(ctx, client, corrected)
    assert (await client.job(again))["counts"]["created"] == 1
    assert (await file_of(client, again, "results")).decode().startswith("phone,x,bulklane_index")


async def test_json_items_may_have_unknown_fields(ctx: Context, client: Client) -> None:
    items = [
        {"phone": ONE, "name": "Ana", "shoe": {"size": 7}, "address": {"city": "Pune", "planet": "x"}},
        {"phone": int(TWO[1:]), "x": None, "metadata": {"n": 10**30}},
        {"phone": "12", "x": 1},
        {"phone": THREE, "Name": "Cleo"},  # perhaps a field, so it is no unknown one
    ]
    refused = await client.submit_items(items)
    kept = await client.submit_items(items, KEEP + "&dry_run=true")
    lines = "\n".join(map(json.dumps, items)).encode()
    ignored = await client.submit(lines, "application/x-ndjson", "?unknown_columns=ignore")
    await work(ctx)
    assert (await client.job(refused))["counts"]["failed"] == 4
    for job in (kept, ignored):
        found = await client.job(job)
        assert [(error["index"], error["field"], error["code"]) for error in found["errors"]] == [
            (2, "phone", "phone_too_short"),
            (3, "Name", "unknown_field"),
        ]
        assert found["errors"][0]["item"] == items[2]
    found = list(map(json.loads, (await file_of(client, kept, "results", "?format=ndjson")).splitlines()))
    assert [line["item"] for line in found] == items
    assert [line["outcome"] for line in found] == ["created", "created", "failed", "failed"]
    assert (await file_of(client, kept, "results")).startswith(b"index,outcome,")
    assert b'"item"' not in await file_of(client, ignored, "results", "?format=ndjson")
    rows = await ctx.pool.fetch("SELECT address::text, metadata::text FROM contacts ORDER BY phone")
    assert [[json.loads(value) for value in row if value] for row in rows] == [
        [{"city": "Pune"}, {}],
        [{"n": 10**30}],
    ]


async def test_lines_of_results_have_the_cells_by_field(ctx: Context, client: Client) -> None:
    job = await run(ctx, client, f"Phone,x\n{ONE},1\nshort\n".encode())
    lines = list(map(json.loads, (await file_of(client, job, "results", "?format=ndjson")).splitlines()))
    assert [(line["index"], line["outcome"], line["item"]) for line in lines] == [
        (0, "created", {"phone": ONE, "x": "1"}),
        (1, "failed", "short"),
    ]


async def test_rows_that_another_account_keeps_are_not_read(ctx: Context, client: Client) -> None:
    job = await run(ctx, client, f"phone,x\n{ONE},mine\n".encode())
    before = await file_of(client, job, "results")
    other = await make_account(ctx)
    job_id = await ctx.pool.fetchval("SELECT id FROM jobs")
    for table, more in (("chunks", {}), ("outcomes", {}), ("kept_parts", {"body": "\\x41"})):
        twin = TWIN_OF_A_ROW.format(table=table, id="job_id")
        await ctx.pool.execute(twin, job_id, other.id, json.dumps(more))
    assert await ctx.pool.fetchval("SELECT count(*) FROM kept_parts") == 2
    assert await file_of(client, job, "results") == before
    await ctx.pool.execute("UPDATE jobs SET finished_at = now() - interval '1 year'")
    await prune.prune(ctx)
    assert await ctx.pool.fetchval("SELECT array_agg(account_id) FROM kept_parts") == [other.id]


async def test_kept_rows_go_with_their_job_and_with_a_failed_upload(
    ctx: Context, client: Client, service: Service
) -> None:
    async def kept() -> int:
        return await ctx.pool.fetchval("SELECT count(*) FROM kept_parts")  # type: ignore[no-any-return]

    await run(ctx, client, f"phone,x\n{ONE},1\n".encode())
    await run(ctx, client, f"phone,x\n{ONE},1\n".encode(), "?unknown_columns=ignore")
    assert await kept() == 1
    async with upload(service, client, "text/csv", query=KEEP) as cut:
        await cut.send(b"phone,x\n" + f"{ONE},1\n".encode() * 200_000)
        await until_true(ctx, "SELECT count(*) > 1 FROM kept_parts")
    await until_true(ctx, "SELECT count(*) FROM jobs WHERE state = 'failed'")
    assert await kept() == 1
    await ctx.pool.execute("UPDATE jobs SET finished_at = now() - interval '1 year'")
    await prune.prune(ctx)
    assert await kept() == 0
