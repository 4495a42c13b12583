"""The only classification of PostgreSQL errors, and the only translation of rejected rows.

    LOST_CONNECTION   the connection broke or could not be opened: the work can be repeated
    SERVER_TROUBLE    the server lacks a resource or was asked to stop: no row is the cause
    LOCKED_OUT        a lock of another transaction prevented the statement: the work can be repeated
    BUSY              LOCKED_OUT, or a statement that reached its time limit
    ROW_REJECTED      a row cannot be stored: `rejection_of` gives the reason

Nothing outside `storage` names an error class of asyncpg.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from pydantic_core import PydanticSerializationError

from schemas.item_errors import ItemCode
from schemas.items.faults import Fault

# asyncpg also raises InternalClientError after the postmaster has died.
LOST_CONNECTION = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    ConnectionError,
    OSError,
    TimeoutError,
)

# Disk full, out of memory, a cancelled statement, a read-only server.
SERVER_TROUBLE = (
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidTransactionStateError,
    asyncpg.PostgresSystemError,
)

LOCKED_OUT = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
BUSY = (*LOCKED_OUT, asyncpg.QueryCanceledError)

# Rejected by the server, or by the client's encoder before the row is sent.
ROW_REJECTED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    UnicodeEncodeError,
    PydanticSerializationError,
)
UNSTORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError, UnicodeEncodeError)

TOO_LARGE = {
    "metadata_size": ItemCode.METADATA_TOO_LARGE,
    "properties_size": ItemCode.PROPERTIES_TOO_LARGE,
}


def blames_work(error: BaseException) -> bool:
    """Return whether the work itself may have caused the error. Its chunk then counts a death.

    False means that the worker was stopped, or that the database was unreachable, in trouble or busy. The
    same work can succeed later.
    """
    return not isinstance(error, (asyncio.CancelledError, *LOST_CONNECTION, *SERVER_TROUBLE, *LOCKED_OUT))


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
