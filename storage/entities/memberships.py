"""Memberships: which contacts are in which list, carry which label, belong to which audience."""

from collections.abc import Sequence
from typing import Literal

from schemas.ids import AccountId, JobId
from storage.entities.contact_columns import ContactRow
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

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
