"""What a contact is tied to: labels, lists, audiences, and channels by its opt-ins."""

from uuid import UUID

import asyncpg

from schemas.ids import AccountId
from storage.pool import Conn
from storage.queries import Db, load

QUERIES = load("contact_ties")


async def labels(
    db: Db, account_id: AccountId, contact_id: int, *, after: int, size: int
) -> list[asyncpg.Record]:
    """The labels that a contact carries, as whole rows, by their ids, after the given one."""
    rows: list[asyncpg.Record] = await QUERIES.labels(
        db, account_id=account_id, contact_id=contact_id, after=after, size=size
    )
    return rows


async def lists(
    db: Db, account_id: AccountId, contact_id: int, *, after: int, size: int
) -> list[asyncpg.Record]:
    """The same of the contact lists that it is in."""
    rows: list[asyncpg.Record] = await QUERIES.lists(
        db, account_id=account_id, contact_id=contact_id, after=after, size=size
    )
    return rows


async def audiences(
    db: Db, account_id: AccountId, contact_id: int, *, after: int, size: int
) -> list[asyncpg.Record]:
    """The same of the audiences that it belongs to."""
    rows: list[asyncpg.Record] = await QUERIES.audiences(
        db, account_id=account_id, contact_id=contact_id, after=after, size=size
    )
    return rows


async def opt_ins(
    db: Db, account_id: AccountId, contact_id: int, *, after: UUID | None, size: int
) -> list[asyncpg.Record]:
    """Its opt-ins with `channel_name`, by the ids of the channels, after the given one."""
    rows: list[asyncpg.Record] = await QUERIES.opt_ins(
        db, account_id=account_id, contact_id=contact_id, after=after, size=size
    )
    return rows


async def opt(
    conn: Conn, account_id: AccountId, contact_id: int, channel_id: UUID, *, opted_in: bool, by_contact: bool
) -> asyncpg.Record:
    """Write what was said of a channel, and answer what holds then; both are kept by the caller.

    A contact's own opt-out stays as it is, unless it is the contact who speaks.
    """
    key = {"account_id": account_id, "contact_id": contact_id, "channel_id": channel_id}
    row: asyncpg.Record | None = await QUERIES.opt(conn, **key, opted_in=opted_in, by_contact=by_contact)
    if row is None:
        row = await QUERIES.opt_in(conn, **key)
    assert row is not None  # the statement before has locked it
    return row


async def keep_contact(conn: Conn, account_id: AccountId, contact_id: int) -> bool:
    """Keep a contact from being deleted until the transaction ends; False: there is none."""
    return await QUERIES.keep_contact(conn, account_id=account_id, id=contact_id) is not None


async def keep_team(conn: Conn, account_id: AccountId, team_id: int) -> bool:
    """The same of a team."""
    return await QUERIES.keep_team(conn, account_id=account_id, id=team_id) is not None


async def keep_channel(conn: Conn, account_id: AccountId, channel_id: UUID) -> str | None:
    """The same of a channel: its name, or None where there is none."""
    name: str | None = await QUERIES.keep_channel(conn, account_id=account_id, id=channel_id)
    return name
