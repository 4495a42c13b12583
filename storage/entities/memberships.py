"""Memberships: which contacts are in which list, carry which label, belong to which audience."""

from collections.abc import Sequence
from typing import Any, Literal

import asyncpg

from schemas.ids import AccountId, JobId
from storage.entities.contact_columns import ContactRow
from storage.postgres.pool import Conn, Pool
from storage.postgres.queries import Db, load
from storage.postgres.transactions import transact

QUERIES = load(__name__)

LONG_SECONDS = 3600.0  # for the closing step of an overwrite, which may be about millions of members

Kind = Literal["list", "label", "audience"]


async def add(
    conn: Conn, account_id: AccountId, kind: Kind, owner_id: int, contact_ids: Sequence[int]
) -> set[int]:
    """Add contacts: those that were no members yet. The caller has locked them, and the owner."""
    rows = await QUERIES.add(
        conn, account_id=account_id, kind=kind, owner_id=owner_id, contact_ids=contact_ids
    )
    return {row["contact_id"] for row in rows}


async def remove(
    conn: Conn, account_id: AccountId, kind: Kind, owner_id: int, contact_ids: Sequence[int]
) -> set[int]:
    """Remove contacts: those that were members."""
    rows = await QUERIES.remove(
        conn, account_id=account_id, kind=kind, owner_id=owner_id, contact_ids=contact_ids
    )
    return {row["contact_id"] for row in rows}


async def remove_unnamed(conn: Conn, account_id: AccountId, kind: Kind, owner_id: int, job_id: JobId) -> int:
    """Remove the members that no item of a job has named; how many. One that named nobody removes nobody."""
    (row,) = await QUERIES.remove_unnamed(
        conn, within=LONG_SECONDS, account_id=account_id, kind=kind, owner_id=owner_id, id=job_id
    )
    count: int = row["members"]
    return count


async def forget_owner(conn: Conn, account_id: AccountId, kind: Kind, owner_id: int) -> None:
    """Remove all members, before the list, label or audience itself goes; the caller has locked that."""
    await QUERIES.forget_owner(conn, account_id=account_id, kind=kind, owner_id=owner_id)


async def forget_contacts(conn: Conn, account_id: AccountId, contact_ids: Sequence[int]) -> None:
    """Remove contacts from whatever they are in, before they go; the caller has locked them FOR UPDATE."""
    await QUERIES.forget_contacts(conn, account_id=account_id, contact_ids=contact_ids)


async def page(
    db: Conn | Pool, account_id: AccountId, kind: Kind, owner_id: int, *, after: int, size: int
) -> list[ContactRow]:
    """Return the members after a contact id, by their ids."""
    records = await QUERIES.page(
        db, account_id=account_id, kind=kind, owner_id=owner_id, after=after, size=size
    )
    return [ContactRow.of(record) for record in records]


async def labels_of(
    db: Db, account_id: AccountId, contact_id: int, *, after: int, size: int
) -> list[asyncpg.Record]:
    """The labels that a contact carries, as whole rows, by their ids, after the given one."""
    rows: list[asyncpg.Record] = await QUERIES.labels_of(
        db, account_id=account_id, contact_id=contact_id, after=after, size=size
    )
    return rows


async def lists_of(
    db: Db, account_id: AccountId, contact_id: int, *, after: int, size: int
) -> list[asyncpg.Record]:
    """The same of the contact lists that it is in."""
    rows: list[asyncpg.Record] = await QUERIES.lists_of(
        db, account_id=account_id, contact_id=contact_id, after=after, size=size
    )
    return rows


async def audiences_of(
    db: Db, account_id: AccountId, contact_id: int, *, after: int, size: int
) -> list[asyncpg.Record]:
    """The same of the audiences that it belongs to."""
    rows: list[asyncpg.Record] = await QUERIES.audiences_of(
        db, account_id=account_id, contact_id=contact_id, after=after, size=size
    )
    return rows


async def delete_owner(pool: Pool, queries: Any, account_id: AccountId, kind: Kind, id_: int) -> bool:
    """Take all members out, then the row away, by `lock` and `delete` of its queries; False: there is none.

    The lock waits for those who are adding members, and nobody adds one to what is going. Who deletes a
    contact locks in the other order, members first: one of the two is told so, and tries again.
    """

    async def work(conn: Conn) -> bool:
        if await queries.lock(conn, account_id=account_id, id=id_) is None:
            return False
        await forget_owner(conn, account_id, kind, id_)
        await queries.delete(conn, account_id=account_id, id=id_)
        return True

    return await transact(pool, work)
