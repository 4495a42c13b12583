"""Factories: accounts and jobs with defaults filled in, stored as the api stores them."""

import json
from collections.abc import Iterable
from itertools import count
from typing import Any

from schemas.formats.content_type import Format
from schemas.ids import AccountId, JobId, new_job_id
from schemas.items import CHUNK_ITEMS, spans
from schemas.operations import stream_of
from schemas.params import JobParams
from schemas.states import Operation
from storage import accounts, jobs
from storage.accounts import Account, AccountChange
from storage.context import Context

NUMBERS = count(1)


async def make_account(ctx: Context, **change: Any) -> Account:
    """An account without limits, unless told otherwise."""
    defaults: dict[str, Any] = {"item_limit": 0, "request_limit": 0, "region": "US"}
    return await accounts.create(ctx.pool, f"account-{next(NUMBERS)}", AccountChange(**defaults | change))


async def make_job(
    ctx: Context,
    account_id: AccountId,
    items: Iterable[Any],
    *,
    parallel: int = 4,
    chunk_items: int = CHUNK_ITEMS,
    stream: str | None = None,
    region: str | None = "US",
    split: bool = True,
    operation: Operation = Operation.CONTACTS_UPSERT,
    params: JobParams | None = None,
    dry_run: bool = False,
) -> JobId:
    """An accepted job of NDJSON lines (objects, or bytes as they are), in one part, split unless told not."""
    body = b"\n".join(item if isinstance(item, bytes) else json.dumps(item).encode() for item in items)
    job = jobs.NewJob(
        account_id=account_id,
        id=new_job_id(),
        operation=operation,
        stream=stream or stream_of(operation, params or JobParams()),
        format=Format.NDJSON,
        params=params or JobParams(region=region),
        parallel=parallel,
        request_id="req_test",
        dry_run=dry_run,
    )
    async with ctx.pool.acquire() as conn, conn.transaction():
        await jobs.open_job(conn, job)
        await jobs.add_part(conn, account_id, job.id, 0, body)
        total = None
        if split:
            chunks = spans(Format.NDJSON, None, body, chunk_items)
            total = await jobs.add_chunks(conn, account_id, job.id, 0, 0, chunks)
        received = jobs.Received(layout=None, parallel=parallel, parts=1, size=len(body), total=total)
        assert await jobs.accept(conn, job, received)
    return job.id


def phone(number: int) -> str:
    """A valid number, a different one for each of 0 to 9,999,999."""
    return f"+1415{2_000_000 + number:07}"


def contact(number: int, **fields: Any) -> dict[str, Any]:
    """An item with a phone of its own."""
    return {"phone": phone(number), "name": f"Name {number}", **fields}
