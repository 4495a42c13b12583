"""Opt-ins: what contacts have said of channels, or what was said for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from schemas.ids import AccountId
from storage.postgres.named_queries import Db, load, row_of, rows_of
from storage.postgres.pool import Conn

QUERIES = load(__name__)
PAIRS = 100_000  # of contact and channel, a statement: a second or so, where a statement may take thirty


@dataclass(frozen=True, slots=True, kw_only=True)
class OptInRow:
    """Whether a contact is opted in to a channel; `by_contact`: the contact itself said so."""

    channel_id: UUID
    channel_name: str
    opted_in: bool
    by_contact: bool
    updated_at: datetime


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
) -> list[OptInRow]:
    """The opt-ins of a contact by the ids of the channels, after the given one."""
    records = await QUERIES.page(db, account_id=account_id, contact_id=contact_id, after=after, size=size)
    return rows_of(OptInRow, records)


async def put(
    conn: Conn, account_id: AccountId, contact_id: int, channel_id: UUID, *, opted_in: bool, by_contact: bool
) -> OptInRow:
    """Record an opt-in or an opt-out; the row as it is then. The caller has locked contact and channel.

    An opt-out by the contact itself stays as it is, unless `by_contact`.
    """
    key = {"account_id": account_id, "contact_id": contact_id, "channel_id": channel_id}
    await QUERIES.put(conn, **key, opted_in=opted_in, by_contact=by_contact)
    return row_of(OptInRow, await QUERIES.get(conn, **key))
