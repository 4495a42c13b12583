"""Opt-ins: what contacts have said of channels, or what was said for them."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from schemas.ids import AccountId
from storage.postgres.pool import Conn
from storage.postgres.queries import Db, load

QUERIES = load(__name__)
PAIRS = 100_000  # of contact and channel, a statement: a second or so, where a statement may take thirty


async def opt_in(
    conn: Conn,
    account_id: AccountId,
    contact_ids: Sequence[int],
    channel_ids: Sequence[UUID],
    *,
    override: bool,
) -> tuple[set[int], set[int]]:
    """Opt contacts in to channels, all locked by the caller: who has changed by it, and who stays out.

    Who has opted out of a channel himself stays out of it, unless the caller overrides that.
    """
    changed: set[int] = set()
    kept: set[int] = set()
    if not channel_ids:
        return changed, kept
    size = max(1, PAIRS // len(channel_ids))
    for at in range(0, len(contact_ids), size):
        rows = await QUERIES.opt_in(
            conn,
            account_id=account_id,
            contact_ids=contact_ids[at : at + size],
            channel_ids=channel_ids,
            override=override,
        )
        changed.update(row["contact_id"] for row in rows if row["changed"])
        kept.update(row["contact_id"] for row in rows if row["kept"])
    return changed, kept


async def forget_contacts(conn: Conn, account_id: AccountId, contact_ids: Sequence[int]) -> None:
    """Forget what contacts have said, before they go; the caller has locked them FOR UPDATE."""
    await QUERIES.forget_contacts(conn, account_id=account_id, contact_ids=contact_ids)


async def page(
    db: Db, account_id: AccountId, contact_id: int, *, after: UUID | None, size: int
) -> list[asyncpg.Record]:
    """Its opt-ins with `channel_name`, by the ids of the channels, after the given one."""
    rows: list[asyncpg.Record] = await QUERIES.page(
        db, account_id=account_id, contact_id=contact_id, after=after, size=size
    )
    return rows


async def put(
    conn: Conn, account_id: AccountId, contact_id: int, channel_id: UUID, *, opted_in: bool, by_contact: bool
) -> asyncpg.Record:
    """Write what was said of a channel, and answer what holds then; both are kept by the caller.

    A contact's own opt-out stays as it is, unless it is the contact who speaks.
    """
    key = {"account_id": account_id, "contact_id": contact_id, "channel_id": channel_id}
    row: asyncpg.Record | None = await QUERIES.put(conn, **key, opted_in=opted_in, by_contact=by_contact)
    if row is None:
        row = await QUERIES.get(conn, **key)
    assert row is not None  # the statement before has locked it
    return row
