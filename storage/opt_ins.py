"""Opt-ins: what contacts have said of channels, or what was said for them."""

from collections.abc import Collection, Sequence
from uuid import UUID

from schemas.ids import AccountId
from storage.pool import Conn
from storage.queries import load

QUERIES = load("opt_ins")
PAIRS = 100_000  # of contact and channel, a statement: a second or so, where a statement may take thirty


async def lock_channels(conn: Conn, account_id: AccountId, ids: Collection[UUID]) -> list[UUID]:
    """Keep channels from being deleted: those that there are. Before any contact is locked."""
    rows = await QUERIES.lock_channels(conn, account_id=account_id, ids=ids)
    return [row["id"] for row in rows]


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
