"""Named queries, loaded from one .sql file per module, and their results as typed rows."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import fields
from functools import lru_cache, partial, wraps
from importlib.resources import files
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import aiosql
import asyncpg
from aiosql.adapters.asyncpg import AsyncPGAdapter
from aiosql.types import SQLOperationType

from schemas.traces import call_span
from storage.postgres.pool import Conn, Pool
from storage.postgres.templates import render

Db = Conn | Pool  # a pool acquires a connection for the statement


# Time limit of the statements of the current task in seconds; None: the time limit of the pool.
_WITHIN: ContextVar[float | None] = ContextVar("within", default=None)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Wait for each statement in the body for at most `seconds`, in place of the time limit of the pool."""
    before = _WITHIN.get()
    _WITHIN.set(seconds)
    try:
        yield
    finally:
        _WITHIN.set(before)


def load(module: str, names: Mapping[str, str | int] | None = None) -> Any:
    """Load the queries of the .sql file beside a module, as coroutine functions of a connection and keywords.

    `module` is the `__name__` of the module; `names` fill the `@name@` placeholders of the file.

    The mark after its name determines what a query returns: a list of rows (no mark), a row or None (^), a
    value ($), the server's status text (!). A query for rows also takes a time limit, `within`, in seconds.
    """
    package, _, noun = module.rpartition(".")
    text = render((files(package) / f"{noun}.sql").read_text(), names or {})
    adapter = partial(_Adapter, noun)
    queries = aiosql.from_str(text, cast(Any, adapter))  # aiosql's protocol allows coroutines only
    loaded = SimpleNamespace()
    for name in queries.available_queries:
        query = getattr(queries, name)
        setattr(loaded, name, _listed(query) if query.operation == SQLOperationType.SELECT else query)
    return loaded


def _listed(query: Callable[..., AsyncIterator[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(query)
    async def rows(db: Db, *, within: float | None = None, **parameters: Any) -> Any:
        with time_limit(within) if within else nullcontext():
            async for records in query(db, **parameters):
                return records
        raise AssertionError("the adapter yields once")

    return rows


class _Adapter(AsyncPGAdapter):
    """aiosql's adapter, but all rows arrive as one list, a pool can run a statement, and it has a span.

    A span has the name of its query, and neither its text nor its parameters.
    """

    def __init__(self, noun: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._noun = noun

    def _ordered(self, query_name: str, parameters: Any) -> Any:
        return self.maybe_order_params(query_name, parameters)  # type: ignore[no-untyped-call]

    async def select(
        self, conn: Db, query_name: str, sql: str, parameters: Any, record_class: Any = None
    ) -> AsyncIterator[Any]:
        with call_span("postgresql", self._noun, query_name):
            rows = await conn.fetch(sql, *self._ordered(query_name, parameters), timeout=_WITHIN.get())
        yield rows

    async def select_one(
        self, conn: Db, query_name: str, sql: str, parameters: Any, record_class: Any = None
    ) -> Any:
        with call_span("postgresql", self._noun, query_name):
            return await conn.fetchrow(sql, *self._ordered(query_name, parameters), timeout=_WITHIN.get())

    async def select_value(self, conn: Db, query_name: str, sql: str, parameters: Any) -> Any:
        with call_span("postgresql", self._noun, query_name):
            return await conn.fetchval(sql, *self._ordered(query_name, parameters), timeout=_WITHIN.get())

    async def insert_update_delete(self, conn: Db, query_name: str, sql: str, parameters: Any) -> Any:
        with call_span("postgresql", self._noun, query_name):
            return await conn.execute(sql, *self._ordered(query_name, parameters), timeout=_WITHIN.get())

    async def execute_script(self, conn: Db, sql: str) -> Any:
        return await conn.execute(sql)


if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Row = TypeVar("Row", bound=DataclassInstance)
else:
    Row = TypeVar("Row")


def row_of(kind: type[Row], record: asyncpg.Record) -> Row:
    """Return a record as a row. Columns without a field in the row are left out."""
    return kind(**{name: record[name] for name in _names(kind)})


def row_or_none(kind: type[Row], record: asyncpg.Record | None) -> Row | None:
    """Return a record as a row, or None if there is no record."""
    return None if record is None else row_of(kind, record)


def rows_of(kind: type[Row], records: Iterable[asyncpg.Record]) -> list[Row]:
    """Return records as rows."""
    return [row_of(kind, record) for record in records]


@lru_cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
