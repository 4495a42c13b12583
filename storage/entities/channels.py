"""Channels: contacts opt in to them."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from ulid import ULID

from schemas.errors import Conflict
from schemas.ids import AccountId
from storage.postgres.db_errors import violations_as
from storage.postgres.named_queries import Db, load, row_of, row_or_none, rows_of
from storage.postgres.pool import Conn, Pool
from storage.postgres.transactions import transact

QUERIES = load(__name__)
BATCH = 5_000  # contacts per transaction: an upsert waits for one well under a second


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRow:
    """A channel. `phone` is in E.164 format."""

    id: UUID
    name: str
    phone: str | None
    created_at: datetime
    updated_at: datetime


async def create(db: Db, account_id: AccountId, *, name: str, phone: str | None = None) -> ChannelRow:
    """Create a channel. Raises Conflict if its name or phone is taken. Ids grow with time."""
    with _name_and_phone_are_free():
        record = await QUERIES.create(db, account_id=account_id, id=ULID().to_uuid4(), name=name, phone=phone)
    return row_of(ChannelRow, record)


async def get(db: Db, account_id: AccountId, channel_id: UUID) -> ChannelRow | None:
    """Return a channel, or None if the account has no such channel."""
    return row_or_none(ChannelRow, await QUERIES.get(db, account_id=account_id, id=channel_id))


async def page(db: Db, account_id: AccountId, *, after: UUID | None, size: int) -> list[ChannelRow]:
    """Return the channels after the given id (None: from the first), in the order of creation."""
    return rows_of(ChannelRow, await QUERIES.page(db, account_id=account_id, after=after, size=size))


async def resolve(
    db: Db, account_id: AccountId, ids: Sequence[UUID], phones: Sequence[str]
) -> dict[UUID | str, UUID]:
    """Map each of these ids and phones (E.164) that is a channel of the account to the channel's id."""
    rows = await QUERIES.resolve(db, account_id=account_id, ids=ids, phones=phones)
    return {row["id"]: row["id"] for row in rows} | {row["phone"]: row["id"] for row in rows if row["phone"]}


async def all_ids(db: Db, account_id: AccountId) -> list[UUID]:
    """Return the ids of all channels of the account."""
    return [row["id"] for row in await QUERIES.all_ids(db, account_id=account_id)]


async def change(
    db: Db, account_id: AccountId, channel_id: UUID, changes: Mapping[str, Any]
) -> ChannelRow | None:
    """Set `name` or `phone` of a channel and return it, or None if it does not exist. Raises Conflict."""
    columns = {name: changes.get(name) for name in ("name", "phone")}
    with _name_and_phone_are_free():
        record = await QUERIES.change(
            db, account_id=account_id, id=channel_id, given=list(changes), **columns
        )
    return row_or_none(ChannelRow, record)


async def delete(pool: Pool, account_id: AccountId, channel_id: UUID) -> bool:
    """Delete a channel and its opt-ins, and clear it as a default. Return False if it does not exist.

    The contacts are changed in separate transactions, before and after. There may be a million: one
    transaction that also locks the channel would wait for a chunk that waits for that lock.
    """
    if await get(pool, account_id, channel_id) is None:
        return False
    await _forget_defaults(pool, account_id, channel_id)

    async def work(conn: Conn) -> bool:
        if await QUERIES.lock(conn, account_id=account_id, id=channel_id) is None:
            return False
        await QUERIES.forget_opt_ins(conn, account_id=account_id, id=channel_id)
        await QUERIES.delete(conn, account_id=account_id, id=channel_id)
        return True

    done = await transact(pool, work)
    await _forget_defaults(pool, account_id, channel_id)  # of contacts written in between
    return done


async def lock_shared(conn: Conn, account_id: AccountId, channel_id: UUID) -> bool:
    """Lock a channel against deletion (FOR KEY SHARE). Return False if it does not exist."""
    return await QUERIES.lock_shared(conn, account_id=account_id, id=channel_id) is not None


async def lock_many_shared(conn: Conn, account_id: AccountId, ids: Collection[UUID]) -> list[UUID]:
    """Lock channels against deletion (FOR KEY SHARE) and return the ids of those that exist.

    Call this before any contact is locked.
    """
    rows = await QUERIES.lock_many_shared(conn, account_id=account_id, ids=ids)
    return [row["id"] for row in rows]


async def _forget_defaults(pool: Pool, account_id: AccountId, channel_id: UUID) -> None:
    """Clear this channel as the default of contacts, in one transaction per batch."""
    last: int | None = 0
    while last is not None:
        batch = partial(QUERIES.forget_defaults, account_id=account_id, id=channel_id, after=last, size=BATCH)
        last = await transact(pool, batch)


def _name_and_phone_are_free() -> AbstractContextManager[None]:
    return violations_as(channels_name=_exists("name"), channels_phone=_exists("phone"))


def _exists(param: str) -> Conflict:
    return Conflict(
        f"the account already has a channel with this {param}: choose another {param}",
        code="channel_exists",
        param=param,
    )
