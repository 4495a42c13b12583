"""`dry_run=true`: the job reports what it would do, and stores no contact."""

from storage.context import Context
from tests.factories import contact, phone
from tests.integration.api.service import Client
from tests.integration.api.work import stored, work
from tests.workers import serving

ITEMS = [contact(1), contact(2, name="Ana"), contact(2), {"phone": "12", "ref": "mine"}]


async def test_a_dry_run_reports_what_the_real_run_does(ctx: Context, client: Client) -> None:
    dry = await client.submit_items(ITEMS, "?dry_run=true")
    assert (dry.status, dry.json["dry_run"]) == (202, True)
    await work(ctx)
    assert await stored(ctx) == {}
    tried = await client.job(dry)
    real = await client.submit_items(ITEMS)
    assert real.json["dry_run"] is False
    await work(ctx)
    applied = await client.job(real)
    for name in ("state", "total", "counts", "errors", "operation", "stream"):
        assert tried[name] == applied[name], name
    assert await stored(ctx) == {phone(1): "Name 1", phone(2): "Name 2"}


async def test_a_dry_run_can_be_waited_for(ctx: Context, client: Client) -> None:
    async with serving(ctx):
        response = await client.submit_items(ITEMS, "?dry_run=true", Prefer="wait=10")
    assert (response.status, response.json["state"]) == (207, "completed_with_errors")
    assert response.json["counts"]["created"] == 2
    assert await stored(ctx) == {}


async def test_the_results_of_a_dry_run_name_no_contact_that_does_not_exist(
    ctx: Context, client: Client
) -> None:
    await client.submit_items([contact(1)])
    await work(ctx)
    (stored_id,) = [row["id"] for row in await ctx.pool.fetch("SELECT id FROM contacts")]
    response = await client.submit_items([contact(2), contact(1)], "?dry_run=true")
    await work(ctx)
    page = (await client.get(f"/v1/jobs/{response.json['id']}/results")).json["data"]
    assert [(result["outcome"], result["contact_id"]) for result in page] == [
        ("created", None),
        ("unchanged", stored_id),
    ]


async def test_a_dry_run_of_a_large_file_is_split_and_applied(ctx: Context, client: Client) -> None:
    rows = b"".join(b"%s,%s\n" % (phone(n).encode(), b"x" * 200) for n in range(6_000))
    response = await client.submit(b"phone,name\n" + rows, "text/csv", "?dry_run=true")
    assert response.json["total"] is None
    await work(ctx)
    job = await client.job(response)
    assert (job["total"], job["counts"]["created"]) == (6_000, 6_000)
    assert await stored(ctx) == {}
