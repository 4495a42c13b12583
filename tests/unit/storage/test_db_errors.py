"""The classification of errors: who is to blame, and whether the same work can succeed later."""

import asyncio

import asyncpg
import pytest
import redis.exceptions

from schemas.errors import Unavailable
from storage.postgres.db_errors import Trouble, blames_work, is_ours, trouble_of

AWAY = [
    asyncpg.ConnectionDoesNotExistError("closed"),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.AdminShutdownError("terminating connection"),
    asyncpg.CrashShutdownError("terminating connection"),
    asyncpg.TooManyConnectionsError("sorry, too many clients already"),
    asyncpg.IdleInTransactionSessionTimeoutError("terminating connection"),
    asyncpg.InvalidPasswordError("password authentication failed"),
    asyncpg.InternalClientError("got result for unknown protocol state 3"),
    asyncpg.InterfaceError("connection is closed"),
    ConnectionRefusedError(111, "refused"),
    TimeoutError(),
]
EXHAUSTED = [
    asyncpg.DiskFullError("could not extend file"),
    asyncpg.OutOfMemoryError("out of shared memory"),
    asyncpg.ConfigurationLimitExceededError("temporary file size exceeds temp_file_limit"),
    asyncpg.PostgresIOError("could not read block"),
    MemoryError(),
]
BUSY = [
    asyncpg.DeadlockDetectedError("deadlock detected"),
    asyncpg.LockNotAvailableError("lock timeout"),
    asyncpg.QueryCanceledError("statement timeout"),
    asyncpg.InvalidCachedStatementError("cached plan must not change result type"),
]
OURS = [
    asyncpg.UndefinedColumnError("column does not exist"),
    asyncpg.UndefinedFunctionError("function does not exist"),
    asyncpg.UndefinedTableError("relation does not exist"),
    asyncpg.InsufficientPrivilegeError("permission denied"),
    asyncpg.PostgresSyntaxError("syntax error"),
    asyncpg.InFailedSQLTransactionError("current transaction is aborted"),
    asyncpg.InternalServerError("cache lookup failed"),
    asyncpg.DataCorruptedError("invalid page"),
    asyncpg.RaiseError("raised"),
]
CAUSED_BY_ITEMS = [
    asyncpg.NumericValueOutOfRangeError("out of range"),
    asyncpg.UniqueViolationError("duplicate key"),
    asyncpg.CardinalityViolationError("cannot affect row a second time"),
    asyncpg.ProgramLimitExceededError("index row size exceeds maximum"),
    asyncpg.StatementTooComplexError("stack depth limit exceeded"),
    RecursionError(),
    ValueError("from our own code"),
]


@pytest.mark.parametrize(
    ("errors", "trouble"),
    [
        (AWAY, Trouble.AWAY),
        ([asyncpg.ReadOnlySQLTransactionError("read-only")], Trouble.READ_ONLY),
        (EXHAUSTED, Trouble.EXHAUSTED),
        (BUSY, Trouble.BUSY),
        (OURS, None),
        (CAUSED_BY_ITEMS, None),
    ],
)
def test_each_error_has_one_trouble(errors: list[Exception], trouble: Trouble | None) -> None:
    assert {repr(error): trouble_of(error) for error in errors} == {repr(error): trouble for error in errors}


def test_only_what_an_item_can_cause_blames_the_work() -> None:
    others = [*AWAY, *EXHAUSTED, *BUSY, *OURS, asyncio.CancelledError(), Unavailable("away")]
    others += [asyncpg.ReadOnlySQLTransactionError("read-only"), redis.exceptions.ConnectionError("away")]
    assert [error for error in others if blames_work(error)] == []
    assert [error for error in CAUSED_BY_ITEMS if not blames_work(error)] == []


def test_only_an_error_of_ours_is_worth_a_traceback() -> None:
    assert all(is_ours(error) for error in [*OURS, *CAUSED_BY_ITEMS])
    troubles: list[Exception] = [*AWAY, *EXHAUSTED, *BUSY, redis.exceptions.ConnectionError("away")]
    assert not any(is_ours(error) for error in troubles)
