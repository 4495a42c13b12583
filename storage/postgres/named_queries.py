"""Named queries, one .sql file a module, and typed rows of what they return."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import fields
from functools import lru_cache
from importlib.resources import files
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import aiosql
import asyncpg
from aiosql.adapters.asyncpg import AsyncPGAdapter
from aiosql.types import SQLOperationType

from storage.postgres.pool import Conn, Pool
from storage.postgres.templates import render

Db = Conn | Pool  # a pool takes a connection for the one statement


# Seconds that the statement of this task may take; None: what its pool allows.
_WITHIN: ContextVar[float | None] = ContextVar("within", default=None)


def load(module: str, names: Mapping[str, str | int] | None = None) -> Any:
    """Load the queries of the .sql file beside a module: coroutine functions of a connection and keywords.

    `module` is the `__name__` of the module; `names` fill the `@name@` placeholders of the file.

    By the mark behind its name a query answers a list of rows (none), a row or None (^), a value ($), or
    the server's status text (!). A query for rows takes `within` besides, in seconds.
    """
    package, _, noun = module.rpartition(".")
    text = render((files(package) / f"{noun}.sql").read_text(), names or {})
    queries = aiosql.from_str(text, cast(Any, _Adapter))  # its protocol is of coroutines only
    loaded = SimpleNamespace()
    for name in queries.available_queries:
        query = getattr(queries, name)
        setattr(loaded, name, _listed(query) if query.operation == SQLOperationType.SELECT else query)
    return loaded


def _listed(query: Callable[..., AsyncIterator[Any]]) -> Callable[..., Awaitable[Any]]:
    async def rows(db: Db, *, within: float | None = None, **parameters: Any) -> Any:
        _WITHIN.set(within)
        async for found in query(db, **parameters):
            return found
        raise AssertionError("the adapter yields once")

    return rows


class _Adapter(AsyncPGAdapter):
    """aiosql's, but a thousand rows come as one list, and a pool runs a statement itself."""

    def _ordered(self, query_name: str, parameters: Any) -> Any:
        return self.maybe_order_params(query_name, parameters)  # type: ignore[no-untyped-call]

    async def select(
        self, conn: Db, query_name: str, sql: str, parameters: Any, record_class: Any = None
    ) -> AsyncIterator[Any]:
        yield await conn.fetch(sql, *self._ordered(query_name, parameters), timeout=_WITHIN.get())

    async def select_one(
        self, conn: Db, query_name: str, sql: str, parameters: Any, record_class: Any = None
    ) -> Any:
        return await conn.fetchrow(sql, *self._ordered(query_name, parameters))

    async def select_value(self, conn: Db, query_name: str, sql: str, parameters: Any) -> Any:
        return await conn.fetchval(sql, *self._ordered(query_name, parameters))

    async def insert_update_delete(self, conn: Db, query_name: str, sql: str, parameters: Any) -> Any:
        return await conn.execute(sql, *self._ordered(query_name, parameters))

    async def execute_script(self, conn: Db, sql: str) -> Any:
        return await conn.execute(sql)


if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Row = TypeVar("Row", bound=DataclassInstance)
else:
    Row = TypeVar("Row")


def row_of(kind: type[Row], record: asyncpg.Record) -> Row:
    """The record as a row; columns that are no field of it are left out."""
    return kind(**{name: record[name] for name in _names(kind)})


def row_or_none(kind: type[Row], record: asyncpg.Record | None) -> Row | None:
    """The record as a row, or None where the query found nothing."""
    return None if record is None else row_of(kind, record)


def rows_of(kind: type[Row], records: Iterable[asyncpg.Record]) -> list[Row]:
    """The records as rows."""
    return [row_of(kind, record) for record in records]


@lru_cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
