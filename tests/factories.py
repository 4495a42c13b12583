"""Factories: create accounts, resources and jobs with default values, as the api stores them."""

import json
from collections.abc import Iterable, Sequence
from itertools import count, islice
from typing import Any
from uuid import UUID, uuid4

from schemas.formats.content_type import Format
from schemas.formats.records import Span
from schemas.ids import AccountId, JobId, new_job_id
from schemas.items.reader import CHUNK_ITEMS, spans
from schemas.operations import JobParams, Operation, stream_of
from storage.context import Context
from storage.entities import accounts
from storage.entities.accounts import Account, AccountChange
from storage.pipeline import uploads

NUMBERS = count(1)


async def make_account(ctx: Context, *, name: str | None = None, **change: Any) -> Account:
    """Create an account. Default: a new name, region US, no limits."""
    defaults: dict[str, Any] = {"item_limit": 0, "request_limit": 0, "region": "US"}
    return await accounts.create(
        ctx.pool, name or f"account-{next(NUMBERS)}", AccountChange(**defaults | change)
    )


async def make_property(
    ctx: Context, account_id: AccountId, name: str, type_: str = "string", options: Iterable[str] = ()
) -> None:
    """Define a property; `options` are the values of an enum."""
    await ctx.pool.execute(
        "INSERT INTO property_definitions (account_id, name, type, options) VALUES ($1, $2, $3, $4)",
        account_id, name, type_, list(options) or None,
    )  # fmt: skip


async def make_channel(ctx: Context, account_id: AccountId, id_: UUID | None = None) -> UUID:
    """Create a channel with a unique name; return its id."""
    id_ = id_ or uuid4()
    await ctx.pool.execute(
        "INSERT INTO channels (account_id, id, name) VALUES ($1, $2, $3)", account_id, id_, f"channel {id_}"
    )
    return id_


async def make_team(ctx: Context, account_id: AccountId) -> int:
    """Create a team with a unique name; return its id."""
    sql = "INSERT INTO teams (account_id, name) VALUES ($1, $2) RETURNING id"
    return await ctx.pool.fetchval(sql, account_id, f"team {next(NUMBERS)}")  # type: ignore[no-any-return]


async def make_label(ctx: Context, account_id: AccountId, team_id: int | None = None) -> int:
    """Create a label with a unique name; return its id."""
    sql = "INSERT INTO labels (account_id, name, team_id) VALUES ($1, $2, $3) RETURNING id"
    return await ctx.pool.fetchval(sql, account_id, f"label {next(NUMBERS)}", team_id)  # type: ignore[no-any-return]


async def make_list(ctx: Context, account_id: AccountId) -> int:
    """Create an active contact list with a unique name; return its id."""
    sql = "INSERT INTO contact_lists (account_id, name) VALUES ($1, $2) RETURNING id"
    return await ctx.pool.fetchval(sql, account_id, f"list {next(NUMBERS)}")  # type: ignore[no-any-return]


async def make_audience(ctx: Context, account_id: AccountId) -> int:
    """Create an audience with a unique name; return its id."""
    sql = "INSERT INTO audiences (account_id, name) VALUES ($1, $2) RETURNING id"
    return await ctx.pool.fetchval(sql, account_id, f"audience {next(NUMBERS)}")  # type: ignore[no-any-return]


async def make_contacts(
    ctx: Context, account_id: AccountId, numbers: Iterable[int], **columns: Any
) -> list[int]:
    """Store contacts with the phones of `numbers` and the same other columns; return their ids."""
    names = "".join(f", {name}" for name in columns)
    values = "".join(f", ${place}" for place in range(3, 3 + len(columns)))
    rows = await ctx.pool.fetch(
        f"""INSERT INTO contacts (account_id, phone{names})
            SELECT $1, w.phone{values} FROM unnest($2::text[]) WITH ORDINALITY w (phone, place) ORDER BY place
            RETURNING id""",
        account_id, [phone(number) for number in numbers], *columns.values(),
    )  # fmt: skip
    return [row["id"] for row in rows]


async def make_job(
    ctx: Context,
    account_id: AccountId,
    items: Iterable[Any],
    *,
    parallel: int = 4,
    chunk_items: int | Sequence[int] = CHUNK_ITEMS,
    stream: str | None = None,
    region: str | None = "US",
    split: bool = True,
    operation: Operation = Operation.CONTACTS_UPSERT,
    params: JobParams | None = None,
    dry_run: bool = False,
    columns: tuple[str, ...] | None = None,
    name: str | None = None,
    tags: tuple[str, ...] = (),
    parent_id: JobId | None = None,
) -> JobId:
    """Create an accepted job of one part; return its id.

    `items` become lines of NDJSON: objects are serialised, bytes are used unchanged. With `columns` the
    format is CSV, and the items are its rows, as bytes. With `split=False` the job has no chunks yet;
    otherwise each chunk has `chunk_items` items, or one has as many as one of them says.
    """
    format_ = Format.CSV if columns else Format.NDJSON
    layout = {"delimiter": ",", "columns": list(columns)} if columns else None
    body = b"\n".join(item if isinstance(item, bytes) else json.dumps(item).encode() for item in items)
    job = uploads.NewJob(
        account_id=account_id,
        id=new_job_id(),
        operation=operation,
        stream=stream or stream_of(operation, params or JobParams()),
        format=format_,
        params=params or JobParams(region=region),
        parallel=parallel,
        request_id="req_test",
        name=name,
        tags=tags,
        parent_id=parent_id,
        dry_run=dry_run,
    )
    async with ctx.pool.acquire() as conn, conn.transaction():
        await uploads.open_job(conn, job)
        await uploads.add_part(conn, account_id, job.id, 0, body)
        total = None
        if split:
            chunks = _spans(format_, layout, body, chunk_items)
            total = await uploads.add_chunks(conn, account_id, job.id, 0, 0, chunks)
        received = uploads.Received(layout=layout, parallel=parallel, parts=1, size=len(body), total=total)
        assert await uploads.accept(conn, job, received)
    return job.id


def _spans(
    format_: Format, layout: dict[str, Any] | None, body: bytes, chunk_items: int | Sequence[int]
) -> list[Span]:
    if isinstance(chunk_items, int):
        return spans(format_, layout, body, chunk_items)
    lines = iter(spans(format_, layout, body, 1))
    chunks = [list(islice(lines, items)) for items in chunk_items]
    return [Span(chunk[0].start, chunk[-1].end, len(chunk)) for chunk in chunks]


def phone(number: int) -> str:
    """Return a valid phone number, different for each number from 0 to 9,999,999."""
    return f"+1415{2_000_000 + number:07}"


def contact(number: int, **fields: Any) -> dict[str, Any]:
    """Return an item with the phone and the name of a number."""
    return {"phone": phone(number), "name": f"Name {number}", **fields}
