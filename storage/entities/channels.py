"""Channels: what contacts are opted in to."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
from ulid import ULID

from schemas.errors import Conflict
from schemas.ids import AccountId
from storage.postgres.pool import Conn, Pool
from storage.postgres.queries import Db, load
from storage.postgres.transactions import transact
from storage.postgres.violations import told

QUERIES = load(__name__)
BATCH = 5_000  # contacts of one short transaction: an upsert that meets it waits well under a second


async def create(db: Db, account_id: AccountId, *, name: str, phone: str | None = None) -> asyncpg.Record:
    """A new channel; raises Conflict. Ids of those made later are greater."""
    with _told():
        row: asyncpg.Record = await QUERIES.create(
            db, account_id=account_id, id=ULID().to_uuid4(), name=name, phone=phone
        )
    return row


async def get(db: Db, account_id: AccountId, id_: UUID) -> asyncpg.Record | None:
    """A channel of the account's."""
    row: asyncpg.Record | None = await QUERIES.get(db, account_id=account_id, id=id_)
    return row


async def page(db: Db, account_id: AccountId, *, after: UUID | None, size: int) -> list[asyncpg.Record]:
    """The channels in the order in which they were made, after the given one."""
    rows: list[asyncpg.Record] = await QUERIES.page(db, account_id=account_id, after=after, size=size)
    return rows


async def resolve(
    db: Db, account_id: AccountId, ids: Sequence[UUID], phones: Sequence[str]
) -> dict[UUID | str, UUID]:
    """Which of these ids and phones (E.164) are channels of the account: each of them → the channel's id."""
    rows = await QUERIES.resolve(db, account_id=account_id, ids=ids, phones=phones)
    return {row["id"]: row["id"] for row in rows} | {row["phone"]: row["id"] for row in rows if row["phone"]}


async def all_ids(db: Db, account_id: AccountId) -> list[UUID]:
    """Every channel of the account."""
    return [row["id"] for row in await QUERIES.all_ids(db, account_id=account_id)]


async def change(
    db: Db, account_id: AccountId, id_: UUID, changes: Mapping[str, Any]
) -> asyncpg.Record | None:
    """Set `name` or `phone`; None: there is no such channel. Raises Conflict."""
    columns = {name: changes.get(name) for name in ("name", "phone")}
    with _told():
        row: asyncpg.Record | None = await QUERIES.change(
            db, account_id=account_id, id=id_, given=list(changes), **columns
        )
    return row


async def delete(pool: Pool, account_id: AccountId, id_: UUID) -> bool:
    """Take the channel away, its opt-ins with it, and no contact's default any more; False: there is none.

    The contacts are changed in transactions of their own, before and after: there may be a million, and
    in one with the lock of the channel they would wait for a chunk that waits for that lock.
    """
    if await get(pool, account_id, id_) is None:
        return False
    await _forget_defaults(pool, account_id, id_)

    async def work(conn: Conn) -> bool:
        if await QUERIES.lock(conn, account_id=account_id, id=id_) is None:
            return False
        await QUERIES.forget_opt_ins(conn, account_id=account_id, id=id_)
        await QUERIES.delete(conn, account_id=account_id, id=id_)
        return True

    done = await transact(pool, work)
    await _forget_defaults(pool, account_id, id_)  # of contacts that were written meanwhile
    return done


async def _forget_defaults(pool: Pool, account_id: AccountId, id_: UUID) -> None:
    """Take the channel from the contacts whose default it is, a batch a transaction."""
    last: int | None = 0
    while last is not None:
        batch = partial(QUERIES.forget_defaults, account_id=account_id, id=id_, after=last, size=BATCH)
        last = await transact(pool, batch)


def _told() -> AbstractContextManager[None]:
    return told(channels_name=_exists("name"), channels_phone=_exists("phone"))


def _exists(param: str) -> Conflict:
    return Conflict(
        f"there is a channel of this {param} already: take another {param}",
        code="channel_exists",
        param=param,
    )


async def lock_shared(conn: Conn, account_id: AccountId, channel_id: UUID) -> str | None:
    """The same of a channel: its name, or None where there is none."""
    name: str | None = await QUERIES.lock_shared(conn, account_id=account_id, id=channel_id)
    return name


async def lock_many_shared(conn: Conn, account_id: AccountId, ids: Collection[UUID]) -> list[UUID]:
    """Keep channels from being deleted: those that there are. Before any contact is locked."""
    rows = await QUERIES.lock_many_shared(conn, account_id=account_id, ids=ids)
    return [row["id"] for row in rows]
