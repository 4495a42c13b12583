"""The only classification of PostgreSQL errors, and the only translation of rejected rows.

    LOST_CONNECTION   the connection broke or could not be opened: the work can be repeated
    SERVER_TROUBLE    the server is read-only, or lacks disk or memory: the work can be repeated later
    DEADLOCKED        two transactions waited for each other: the work can be repeated at once
    LOCKED_OUT        DEADLOCKED, or a wait for a lock took too long: the work can be repeated
    BUSY              LOCKED_OUT, or a statement that was cancelled, mostly because it reached its time limit
    ROW_REJECTED      a row cannot be stored: `rejection_of` gives the reason

`trouble_of` sorts an error into the first four. Everything else is ours: an error in our code, schema or
configuration, such as a column that does not exist or a missing privilege.

Nothing outside `storage` names an error class of asyncpg.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import asyncpg
from pydantic_core import PydanticSerializationError
from redis.exceptions import RedisError

from schemas.errors import BulklaneError
from schemas.item_errors import ItemCode
from schemas.items.faults import Fault
from schemas.operations import NewerJob

# asyncpg also raises InternalClientError after the postmaster has died.
LOST_CONNECTION = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.DatabaseDroppedError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.IdleInTransactionSessionTimeoutError,  # this process was stopped, and the server hung up
    asyncpg.TransactionTimeoutError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,  # a password that was changed
    asyncpg.InvalidCatalogNameError,
    ConnectionError,
    OSError,
    TimeoutError,
)

READ_ONLY = (asyncpg.ReadOnlySQLTransactionError,)  # the other server of a failover, which is a standby
EXHAUSTED = (asyncpg.InsufficientResourcesError, asyncpg.PostgresSystemError, MemoryError)
SERVER_TROUBLE = (*READ_ONLY, *EXHAUSTED)

DEADLOCKED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
LOCKED_OUT = (*DEADLOCKED, asyncpg.LockNotAvailableError)
# A cached statement is invalid inside a transaction after a migration has changed its tables.
BUSY = (*LOCKED_OUT, asyncpg.QueryCanceledError, asyncpg.InvalidCachedStatementError)

# Rejected by the server, or by the client's encoder before the row is sent.
ROW_REJECTED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    UnicodeEncodeError,
    PydanticSerializationError,
)
UNSTORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError, UnicodeEncodeError)

# All errors of PostgreSQL that an item can cause.
CAUSED_BY_ITEMS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.CardinalityViolationError,  # one statement changes a row twice
    asyncpg.ProgramLimitExceededError,
)

TOO_LARGE = {
    "metadata_size": ItemCode.METADATA_TOO_LARGE,
    "properties_size": ItemCode.PROPERTIES_TOO_LARGE,
}


class Trouble(StrEnum):
    """Why PostgreSQL cannot serve at the moment. The value is the text for a client."""

    AWAY = "PostgreSQL does not respond"
    READ_ONLY = "PostgreSQL is read-only, as it is during a failover"
    EXHAUSTED = "PostgreSQL lacks disk space, memory or another resource"
    BUSY = "PostgreSQL is busy, or a concurrent change has locked what this request changes"


def trouble_of(error: BaseException) -> Trouble | None:
    """Return why PostgreSQL cannot serve at the moment, or None if the error has another cause."""
    match error:
        case _ if isinstance(error, LOST_CONNECTION):
            return Trouble.AWAY
        case _ if isinstance(error, READ_ONLY):
            return Trouble.READ_ONLY
        case _ if isinstance(error, EXHAUSTED):
            return Trouble.EXHAUSTED
        case _ if isinstance(error, BUSY):
            return Trouble.BUSY
        case _:
            return None


def is_ours(error: BaseException) -> bool:
    """Return whether the error shows a fault of our code, schema or configuration.

    Only such an error is worth a traceback. False: PostgreSQL or Redis was in trouble.
    """
    return trouble_of(error) is None and not isinstance(error, RedisError)


def blames_work(error: BaseException) -> bool:
    """Return whether an item may have caused the error. Its chunk then counts a death.

    False: the process was stopped, a server was in trouble, a newer release stored the job, or the database
    lacks what our code expects, such as a column or a privilege. The same work can succeed later, unchanged.
    An exception of our own Python code counts, because only the items differ between the chunks that succeed
    and the one that fails.
    """
    if isinstance(error, (asyncpg.PostgresError, RedisError, BulklaneError, NewerJob)):
        return isinstance(error, CAUSED_BY_ITEMS)
    return isinstance(error, Exception) and is_ours(error)


def rejection_of(error: Exception) -> Fault:
    """Return the fault of an item whose single row was rejected with `error`, one of ROW_REJECTED."""
    match error:
        case _ if isinstance(error, UNSTORABLE):
            return Fault(
                None,
                ItemCode.INVALID_CHARACTER,
                "contains a character that cannot be stored (NUL or an unpaired surrogate): remove it",
                None,
            )
        case PydanticSerializationError():
            message = "contains a JSON value that is nested too deeply to be stored: flatten it"
            return Fault(None, ItemCode.INVALID_JSON, message, None)
        case asyncpg.CheckViolationError(constraint_name=str(name)) if name in TOO_LARGE:
            field = name.removesuffix("_size")
            message = f"{field} of the contact would exceed 64 KiB: remove keys"
            return Fault(field, TOO_LARGE[name], message, None)
        case asyncpg.InvalidTextRepresentationError():  # JSON is the only text that the server parses
            message = "contains a number that JSON cannot express (NaN or Infinity): remove it"
            return Fault(None, ItemCode.INVALID_JSON, message, None)
        case asyncpg.UniqueViolationError():
            message = f"another contact already has this value: {error.detail}"
            return Fault(None, ItemCode.CONFLICT, message, None)
        case _:
            return Fault(None, ItemCode.REJECTED_BY_DATABASE, f"the database rejected the row: {error}", None)


@contextmanager
def violations_as(**errors: Exception) -> Iterator[None]:
    """Raise `errors[name]` if the body violates the constraint `name`. Other violations propagate."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as violation:
        name = violation.constraint_name
        if name is None or name not in errors:
            raise
        raise errors[name] from violation
