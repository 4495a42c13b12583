"""Opt-ins and opt-outs: contacts and channels, set by the contact or on its behalf."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from schemas.ids import AccountId
from storage.postgres.array_texts import number_array
from storage.postgres.named_queries import Db, load, row_of, rows_of
from storage.postgres.pool import Conn

QUERIES = load(__name__)
PAIRS = 100_000  # pairs of contact and channel per statement: about 1 s of the 30 s that a statement may take


@dataclass(frozen=True, slots=True, kw_only=True)
class OptInRow:
    """Whether a contact is opted in to a channel. `by_contact`: the contact itself set it."""

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
    """Opt contacts in to channels. The caller has locked both.

    An opt-out by the contact itself is kept unless `override`. Returns the ids of the contacts that changed,
    and the ids of the contacts with a kept opt-out.
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
            contact_ids=number_array(contact_ids[at : at + size]),
            channel_ids=channel_ids,
            override=override,
        )
        changed.update(row["contact_id"] for row in rows if row["changed"])
        kept.update(row["contact_id"] for row in rows if row["kept"])
    return changed, kept


async def forget_contacts(conn: Conn, account_id: AccountId, contact_ids: Sequence[int]) -> None:
    """Delete the opt-ins of contacts before they are deleted. The caller has locked them FOR UPDATE."""
    await QUERIES.forget_contacts(conn, account_id=account_id, contact_ids=number_array(contact_ids))


async def page(
    db: Db, account_id: AccountId, contact_id: int, *, after: UUID | None, size: int
) -> list[OptInRow]:
    """Return the opt-ins of a contact after the given channel id, ordered by channel id."""
    records = await QUERIES.page(db, account_id=account_id, contact_id=contact_id, after=after, size=size)
    return rows_of(OptInRow, records)


async def put(
    conn: Conn, account_id: AccountId, contact_id: int, channel_id: UUID, *, opted_in: bool, by_contact: bool
) -> OptInRow:
    """Record an opt-in or an opt-out and return the stored row. The caller has locked contact and channel.

    An opt-out by the contact itself does not change unless `by_contact`.
    """
    key = {"account_id": account_id, "contact_id": contact_id, "channel_id": channel_id}
    await QUERIES.put(conn, **key, opted_in=opted_in, by_contact=by_contact)
    return row_of(OptInRow, await QUERIES.get(conn, **key))
