"""What an account knows by a name that is unique to it: contact lists, teams, audiences."""

from typing import Any

import asyncpg

from schemas.errors import Conflict
from schemas.ids import AccountId
from storage.postgres.queries import Db
from storage.postgres.violations import told


class Named:
    """The queries `create`, `get`, `page` and `rename` of a table; a name that is taken is a Conflict."""

    def __init__(self, queries: Any, *, constraint: str, code: str, noun: str) -> None:
        self._queries = queries
        self._constraint = constraint
        self._code = code
        self._noun = noun

    async def create(self, db: Db, account_id: AccountId, name: str) -> asyncpg.Record:
        """A new row; raises Conflict."""
        with told(**{self._constraint: self._exists(name)}):
            row: asyncpg.Record = await self._queries.create(db, account_id=account_id, name=name)
        return row

    async def get(self, db: Db, account_id: AccountId, id_: int) -> asyncpg.Record | None:
        """A row of the account's."""
        row: asyncpg.Record | None = await self._queries.get(db, account_id=account_id, id=id_)
        return row

    async def page(self, db: Db, account_id: AccountId, *, after: int, size: int) -> list[asyncpg.Record]:
        """The rows in the order in which they were made, after the given one."""
        rows: list[asyncpg.Record] = await self._queries.page(
            db, account_id=account_id, after=after, size=size
        )
        return rows

    async def rename(self, db: Db, account_id: AccountId, id_: int, name: str) -> asyncpg.Record | None:
        """The renamed row, or None where there is none; raises Conflict."""
        with told(**{self._constraint: self._exists(name)}):
            row: asyncpg.Record | None = await self._queries.rename(
                db, account_id=account_id, id=id_, name=name
            )
        return row

    def _exists(self, name: str) -> Conflict:
        message = f"the account has {self._noun} {name!r} already: take another name"
        return Conflict(message, code=self._code, param="name")
