"""Memberships: the contacts of lists, labels and audiences."""

from collections.abc import Sequence
from typing import Literal

from schemas.ids import AccountId, JobId
from storage.entities.contact_columns import ContactRow
from storage.postgres.array_texts import number_array
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

QUERIES = load(__name__)

LONG_SECONDS = 3600.0  # for the closing step of an overwrite, possibly with millions of members

Kind = Literal["list", "label", "audience"]


async def add(
    conn: Conn, account_id: AccountId, kind: Kind, owner_id: int, contact_ids: Sequence[int]
) -> set[int]:
    """Add contacts and return those that were not members. The caller has locked contacts and owner."""
    rows = await QUERIES.add(
        conn, account_id=account_id, kind=kind, owner_id=owner_id, contact_ids=number_array(contact_ids)
    )
    return {row["contact_id"] for row in rows}


async def remove(
    conn: Conn, account_id: AccountId, kind: Kind, owner_id: int, contact_ids: Sequence[int]
) -> set[int]:
    """Remove contacts and return those that were members."""
    rows = await QUERIES.remove(
        conn, account_id=account_id, kind=kind, owner_id=owner_id, contact_ids=number_array(contact_ids)
    )
    return {row["contact_id"] for row in rows}


async def remove_unnamed(conn: Conn, account_id: AccountId, kind: Kind, owner_id: int, job_id: JobId) -> int:
    """Remove the members that no item of a job names, and return their number.

    If the job names no contact, nothing is removed.
    """
    (row,) = await QUERIES.remove_unnamed(
        conn, within=LONG_SECONDS, account_id=account_id, kind=kind, owner_id=owner_id, id=job_id
    )
    count: int = row["members"]
    return count


async def forget_owner(conn: Conn, account_id: AccountId, kind: Kind, owner_id: int) -> None:
    """Remove all members before the list, label or audience is deleted. The caller has locked the owner."""
    await QUERIES.forget_owner(conn, account_id=account_id, kind=kind, owner_id=owner_id)


async def forget_contacts(conn: Conn, account_id: AccountId, contact_ids: Sequence[int]) -> None:
    """Remove all memberships of contacts before they are deleted. The caller has locked them FOR UPDATE."""
    await QUERIES.forget_contacts(conn, account_id=account_id, contact_ids=number_array(contact_ids))


async def page(
    db: Conn | Pool, account_id: AccountId, kind: Kind, owner_id: int, *, after: int, size: int
) -> list[ContactRow]:
    """Return the members after a contact id, ordered by id."""
    records = await QUERIES.page(
        db, account_id=account_id, kind=kind, owner_id=owner_id, after=after, size=size
    )
    return [ContactRow.of(record) for record in records]
