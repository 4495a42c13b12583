"""The classification of errors: who is to blame, and whether the same work can succeed later."""

import asyncio

import asyncpg
import pytest
import redis.exceptions
from asyncpg.exceptions._base import PostgresMessageMeta

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

# By the class of the SQLSTATE, its first two characters; None: our fault, or that of an item.
TROUBLE_OF_CLASS: dict[str, Trouble | None] = {
    # connection, password, name of the database; an operator or a crash has ended the session
    **dict.fromkeys(["08", "28", "3D", "57"], Trouble.AWAY),
    **dict.fromkeys(["53", "58"], Trouble.EXHAUSTED),
    # a value, a constraint, a limit
    **dict.fromkeys(["21", "22", "23", "44", "54"], None),
    # our SQL, schema or privileges; our use of transactions, cursors and objects
    **dict.fromkeys(
        ["03", "0A", "0L", "0P", "26", "34", "3F", "42", "72", "24", "25", "2D", "3B", "40", "55"], None
    ),
    # an internal error, a damaged file: repeating the work does not help
    **dict.fromkeys(["0B", "F0", "XX"], None),
    # what Bulklane does not use
    **dict.fromkeys(["09", "0F", "0Z", "10", "20", "27", "2B", "2F", "38", "39", "HV", "P0"], None),
}
TROUBLE_OF_CODE = {
    "25006": Trouble.READ_ONLY,
    "25P03": Trouble.AWAY,  # the session is over
    "25P04": Trouble.AWAY,
    "40001": Trouble.BUSY,
    "40P01": Trouble.BUSY,
    "53300": Trouble.AWAY,  # too many connections
    "55P03": Trouble.BUSY,
    "57000": None,  # PostgreSQL does not raise the code of the class itself
    "57014": Trouble.BUSY,
}


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


def test_each_sqlstate_that_asyncpg_knows_is_decided_on_purpose() -> None:
    known = {
        code: kind
        for code, kind in PostgresMessageMeta._message_map.items()  # type: ignore[attr-defined]
        if code and issubclass(kind, asyncpg.PostgresError)
    }
    decided = {code: TROUBLE_OF_CODE.get(code, TROUBLE_OF_CLASS.get(code[:2], "undecided")) for code in known}
    assert {code: trouble_of(kind("text")) for code, kind in known.items()} == decided
    assert set(TROUBLE_OF_CODE) <= set(known)
    assert set(TROUBLE_OF_CLASS) == {code[:2] for code in known}


def test_only_what_an_item_can_cause_blames_the_work() -> None:
    others = [*AWAY, *EXHAUSTED, *BUSY, *OURS, asyncio.CancelledError(), Unavailable("away")]
    others += [asyncpg.ReadOnlySQLTransactionError("read-only"), redis.exceptions.ConnectionError("away")]
    assert [error for error in others if blames_work(error)] == []
    assert [error for error in CAUSED_BY_ITEMS if not blames_work(error)] == []


def test_only_an_error_of_ours_is_worth_a_traceback() -> None:
    assert all(is_ours(error) for error in [*OURS, *CAUSED_BY_ITEMS])
    troubles: list[Exception] = [*AWAY, *EXHAUSTED, *BUSY, redis.exceptions.ConnectionError("away")]
    assert not any(is_ours(error) for error in troubles)
