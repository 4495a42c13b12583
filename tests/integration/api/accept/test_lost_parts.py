"""An upload whose stored parts are not the received ones is never accepted.

A deleted row stands for a part whose asynchronous commit a crash of PostgreSQL has lost.
"""

import pytest

from storage.context import Context
from tests.integration.api.accept.test_large_uploads import csv_rows
from tests.integration.api.raw_upload import until_true, upload
from tests.integration.api.service import Client, Service
from tests.integration.api.work import stored, work

LOST = "DELETE FROM parts WHERE part = $1"


@pytest.mark.parametrize("part", [0, 1])
async def test_an_upload_that_has_lost_a_part_fails_and_its_key_is_free(
    ctx: Context, service: Service, client: Client, part: int
) -> None:
    async with upload(service, client, "text/csv", idempotency_key="a") as long:
        await long.send(b"phone,name\n" + csv_rows(0, 100_000))
        await until_true(ctx, "SELECT count(*) > 1 FROM parts")
        await ctx.pool.execute(LOST, part)
        await long.end()
        response = await long.response()
    head, body = response.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 2" in head
    assert b'"code": "upload_incomplete"' in body
    (job,) = await client.jobs()
    assert (job["state"], job["error"]["code"], job["accepted_at"]) == ("failed", "upload_incomplete", None)
    assert await ctx.pool.fetchval("SELECT count(*) FROM parts") == 0
    again = await client.submit(b"phone,name\n" + csv_rows(0, 2), "text/csv", Idempotency_Key="a")
    assert again.status == 202
    await work(ctx)
    assert len(await stored(ctx)) == 2
