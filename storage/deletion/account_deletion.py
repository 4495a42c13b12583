"""Delete an account with all that it owns: mark it, delete its rows in batches, and then the account.

The mark is what counts. From then on the keys are revoked, nothing of the account is claimed, and the workers
delete its rows, whoever has begun and dies. A batch is one short transaction. It leaves the rows that others
have locked, so it waits for nobody. What is left is found again: each pass looks at all tables, and the
account itself is deleted when there is nothing else.

A request or a chunk that had begun before the mark may store a row after the last pass. So the id of the
account is kept for some days, in which its tables are looked at again.
"""

import asyncio
from collections.abc import Callable

from schemas.ids import AccountId
from storage.deletion.owned_rows import OWNED
from storage.entities.accounts import Account
from storage.failpoints import reach
from storage.postgres.named_queries import Db, load, row_or_none
from storage.postgres.pool import Conn
from storage.postgres.pool import begin as begin_transaction
from storage.postgres.transactions import try_lock

QUERIES = load(__name__)

LOCK = 0x626C6461  # 'blda': advisory lock, one process at a time deletes a batch
KEEP_HOURS = 72  # of ids of deleted accounts: no request takes so long

Report = Callable[[str, int], None]  # is called with a table and the number of its rows in a batch


async def begin(db: Db, account_id: AccountId) -> Account | None:
    """Mark an account as being deleted and return it; None if there is none. Safe to repeat."""
    return row_or_none(Account, await QUERIES.begin(db, id=account_id))


async def marked(db: Db) -> list[AccountId]:
    """Return the accounts that are being deleted."""
    return [row["id"] for row in await QUERIES.marked(db)]


async def count_rows(db: Db, account_id: AccountId) -> dict[str, int]:
    """Return how many rows of each table a deletion would delete. Reads all of them."""
    counts = {rows.table: await rows.count(db, account_id) for rows in OWNED}
    return {table: count for table, count in counts.items() if count}


async def go_on(conn: Conn, account_id: AccountId, seconds: float, report: Report | None = None) -> bool:
    """Delete rows of a marked account for some seconds. Return whether the account is gone.

    False: there is more, rows are locked, or another process is deleting.
    """
    if not await _delete_rows(conn, account_id, seconds, report):
        return False
    for rows in OWNED:
        if await rows.any_left(conn, account_id):  # they were locked, or somebody has stored them since
            return False
    gone: bool = await QUERIES.finish(conn, id=account_id)
    return gone


async def sweep(conn: Conn, seconds: float) -> list[AccountId]:
    """Delete what was stored of accounts after their deletion, and return these accounts."""
    await QUERIES.forget(conn, hours=KEEP_HOURS)
    account_ids = [AccountId(row["account_id"]) for row in await QUERIES.deleted(conn)]
    for account_id in account_ids:
        await _delete_rows(conn, account_id, seconds, None)
    return account_ids


async def _delete_rows(conn: Conn, account_id: AccountId, seconds: float, report: Report | None) -> bool:
    """Delete rows, table by table. Return whether the end of the last table was reached in time."""
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    for rows in OWNED:
        after, more = None, True
        while more:
            if clock() > until:
                return False
            async with begin_transaction(conn, []):
                if not await try_lock(conn, LOCK):
                    return False
                count, after = await rows.delete(conn, account_id, after)
                reach("deletion.batch", rows.table)
            more = after is not None
            if report and count:
                report(rows.table, count)
    return True
