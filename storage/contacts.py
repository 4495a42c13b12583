"""Contacts: staged by COPY, upserted by one statement, matched by phone or external id."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import asyncpg

from schemas.contacts import COLUMNS
from schemas.ids import AccountId
from storage import memberships, opt_ins
from storage.pool import Conn
from storage.queries import load

QUERIES = load("contacts")
STAGE = "stage_contacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What matching needs to know of a stored contact."""

    id: int
    phone: str
    external_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear:
    """What an item takes away from a stored contact: fields by name, keys of its documents."""

    phone: str
    fields: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()


async def make_stage(conn: Conn) -> None:
    """Prepare a new connection for staging; give this to `open_pool` as `init`."""
    await QUERIES.make_stage(conn)


async def stage(conn: Conn, rows: Sequence[Mapping[str, Any]]) -> None:
    """COPY rows into the staging table; documents are JSON text; a column that no row has is not sent."""
    present = set().union(*rows)
    columns = [column for column in COLUMNS if column in present]
    if all(len(row) == len(columns) for row in rows) and len(columns) > 1:
        records: Iterable[tuple[Any, ...]] = map(itemgetter(*columns), rows)
    else:
        records = (tuple(map(row.get, columns)) for row in rows)
    await conn.copy_records_to_table(STAGE, records=records, columns=columns)


async def empty_stage(conn: Conn) -> None:
    """Take out what an earlier attempt of the same transaction has staged."""
    await QUERIES.empty_stage(conn)


async def truncate_stage(conn: Conn) -> None:
    """The same where many chunks go through one transaction: the space is given back at once."""
    await QUERIES.truncate_stage(conn)


async def upsert(conn: Conn, account_id: AccountId) -> dict[str, asyncpg.Record]:
    """Upsert the staged rows: phone → id and created of those written; unchanged ones are absent."""
    rows = await QUERIES.upsert(conn, account_id=account_id)
    return {row["phone"]: row for row in rows}


async def clear(conn: Conn, account_id: AccountId, clears: Sequence[Clear]) -> set[str]:
    """Clear fields and remove keys of stored contacts: the phones of those that changed."""
    wanted = [{name: getattr(one, name) for name in Clear.__slots__} for one in clears]
    rows = await QUERIES.clear(conn, account_id=account_id, clears=json.dumps(wanted))
    return {row["phone"] for row in rows}


async def ids_by_phone(conn: Conn, account_id: AccountId, phones: Sequence[str]) -> dict[str, int]:
    """The ids of stored contacts."""
    rows = await QUERIES.ids_by_phone(conn, account_id=account_id, phones=phones)
    return {row["phone"]: row["id"] for row in rows}


async def lock_matches(
    conn: Conn, account_id: AccountId, phones: Sequence[str], external_ids: Sequence[str]
) -> list[Stored]:
    """Lock the contacts that hold one of these phones or external ids."""
    rows = await QUERIES.lock_matches(conn, account_id=account_id, phones=phones, external_ids=external_ids)
    return [Stored(**row) for row in rows]


async def move(conn: Conn, account_id: AccountId, phones: Mapping[int, str]) -> None:
    """Give contacts other phones, which they may take from one another; `phones` is id → phone."""
    ids = list(phones)
    await QUERIES.park(conn, account_id=account_id, ids=ids)
    await QUERIES.move(conn, account_id=account_id, ids=ids, phones=list(phones.values()))


async def set_preference(
    conn: Conn, account_id: AccountId, ids: Sequence[int], preference: str, default: str | None
) -> set[int]:
    """Set the communication preference of contacts that the caller has locked: those that had another.

    `default` is what a contact has that was never told one.
    """
    rows = await QUERIES.set_preference(
        conn, account_id=account_id, ids=ids, preference=preference, default_preference=default
    )
    return {row["id"] for row in rows}


async def delete(conn: Conn, account_id: AccountId, ids: Sequence[int]) -> None:
    """Delete contacts that the caller has locked FOR UPDATE, with their memberships and opt-ins.

    Each in a statement of its own: the first sees what was committed until the lock was there.
    """
    await memberships.forget_contacts(conn, account_id, ids)
    await opt_ins.forget_contacts(conn, account_id, ids)
    await QUERIES.delete(conn, account_id=account_id, ids=ids)
