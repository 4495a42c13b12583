"""What has contacts as members, going away: a label or an audience."""

from typing import Any

from schemas.ids import AccountId
from storage import memberships
from storage.pool import Conn, Pool
from storage.transact import transact


async def delete(pool: Pool, queries: Any, account_id: AccountId, kind: memberships.Kind, id_: int) -> bool:
    """Take all members out, then the row away, by `lock` and `delete` of its queries; False: there is none.

    The lock waits for those who are adding members, and nobody adds one to what is going. Who deletes a
    contact locks in the other order, members first: one of the two is told so, and tries again.
    """

    async def work(conn: Conn) -> bool:
        if await queries.lock(conn, account_id=account_id, id=id_) is None:
            return False
        await memberships.forget_owner(conn, account_id, kind, id_)
        await queries.delete(conn, account_id=account_id, id=id_)
        return True

    return await transact(pool, work)
