"""The bulk upsert: stage contacts with COPY, match them, create or update them in one statement."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, NamedTuple

from schemas.ids import AccountId, JobId
from schemas.items.contacts import KEY
from schemas.metrics import timed
from storage.entities.contact_columns import upsert_parts
from storage.failpoints import reach
from storage.postgres.array_texts import array_text
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn

QUERIES = load(__name__, upsert_parts())
STAGE = "stage_contacts"
# Always true. A volatile condition makes COPY insert row by row. Otherwise it collects rows, and makes an
# object for each of up to a thousand, which costs more than it saves: the condition halves the time of COPY.
ROW_BY_ROW = "random() >= 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A stored contact, with the columns that matching needs."""

    id: int
    phone: str
    external_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear:
    """The fields that an item clears in a stored contact, and the keys that it removes from JSON fields."""

    phone: str
    fields: Sequence[str]
    keys: Mapping[str, Sequence[str]]


class Written(NamedTuple):
    """The contacts that the upsert has written: their ids by phone, and the phones of the created ones.

    No object for each contact, because this is made for every row of a job.
    """

    ids: dict[str, int]
    created: set[str]


NOTHING_WRITTEN = Written({}, set())


async def make_stage(conn: Conn) -> None:
    """Create the staging table of a new connection. Pass this function to `open_pool` as `init`."""
    await QUERIES.make_stage(conn)


async def stage(conn: Conn, columns: Mapping[str, Sequence[Any]]) -> None:
    """COPY contacts into the staging table: the values of some columns, one for each contact.

    For contacts of several jobs, `account_id` and `job_id` are among the columns. JSON fields are JSON text.
    None, or a column that is left out, keeps the stored value.
    """
    with timed("stage"):
        await conn.copy_records_to_table(
            STAGE, records=zip(*columns.values(), strict=True), columns=list(columns), where=ROW_BY_ROW
        )
    reach("apply.after_copy")


async def empty_stage(conn: Conn, job_id: JobId) -> None:
    """Delete the rows that were staged before in the same transaction: by another job, or another attempt.

    What follows is done by this job: see `before_images`.
    """
    await QUERIES.empty_stage(conn, change=str(job_id))


async def truncate_stage(conn: Conn) -> None:
    """Empty the staging table and free its space, for transactions that apply many chunks."""
    await QUERIES.truncate_stage(conn)


async def upsert(conn: Conn, account_id: AccountId, columns: Iterable[str]) -> Written:
    """Upsert the staged rows and return those that were written. Unchanged rows are absent.

    `columns` are those that were staged: before-images are kept of no other.
    """
    fields = " ".join(name for name in columns if name != KEY)
    with timed("upsert"):
        row = await QUERIES.upsert(conn, account_id=account_id, fields=fields)
    return _written(row)


async def upsert_several(conn: Conn) -> dict[AccountId, Written]:
    """As `upsert`, for staged contacts that have an `account_id`. Return what was written by account."""
    with timed("upsert"):
        rows = await QUERIES.upsert_several(conn)
    return {row["account_id"]: _written(row) for row in rows}


def _written(row: Any) -> Written:
    phones = row["phones"] or ()
    return Written(
        dict(zip(phones, row["ids"] or (), strict=True)),
        set(compress(phones, row["created"] or ())),
    )


async def clear(conn: Conn, account_id: AccountId, clears: Sequence[Clear]) -> set[str]:
    """Clear fields and remove keys of stored contacts. Return the phones of those that changed."""
    wanted = [{"phone": clear.phone, "fields": clear.fields, **clear.keys} for clear in clears]
    rows = await QUERIES.clear(conn, account_id=account_id, clears=json.dumps(wanted))
    return {row["phone"] for row in rows}


async def ids_by_phone(conn: Conn, account_id: AccountId, phones: Sequence[str]) -> dict[str, int]:
    """Return the ids of the stored contacts that have these phones."""
    found = await QUERIES.ids_by_phone(conn, account_id=account_id, phones=array_text(phones))
    return dict(zip(found["phones"] or (), found["ids"] or (), strict=True))


async def ids_in_accounts(
    conn: Conn, contacts: Sequence[tuple[AccountId, str]]
) -> dict[AccountId, dict[str, int]]:
    """Return the ids of the stored contacts with these accounts and phones, by account and phone."""
    account_ids, phones = zip(*contacts, strict=True)
    found: dict[AccountId, dict[str, int]] = {}
    for row in await QUERIES.ids_in_accounts(conn, account_ids=list(account_ids), phones=array_text(phones)):
        found.setdefault(row["account_id"], {})[row["phone"]] = row["id"]
    return found


async def lock_matches(
    conn: Conn, account_id: AccountId, phones: Sequence[str], external_ids: Sequence[str]
) -> list[Stored]:
    """Lock and return the contacts that have one of these phones or external ids."""
    rows = await QUERIES.lock_matches(
        conn, account_id=account_id, phones=array_text(phones), external_ids=array_text(external_ids)
    )
    return [Stored(**row) for row in rows]


async def move(conn: Conn, account_id: AccountId, phones: Mapping[int, str]) -> None:
    """Give contacts new phones. `phones` maps ids to phones. Contacts may exchange phones."""
    ids = list(phones)
    await park(conn, account_id, ids)
    await QUERIES.move(conn, account_id=account_id, ids=ids, phones=list(phones.values()))


async def park(conn: Conn, account_id: AccountId, ids: Sequence[int]) -> None:
    """Free the phones of contacts that the caller has locked, so that contacts can exchange them."""
    await QUERIES.park(conn, account_id=account_id, ids=ids)
