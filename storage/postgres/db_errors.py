"""What an error of PostgreSQL means: the one classification, and the one translation of rejected rows.

    LOST_CONNECTION   the server went away, or was never reached: the work may be done again
    SERVER_TROUBLE    the server is short of something, or was told to stop: no row is to blame
    LOCKED_OUT        another transaction was in the way: nothing is wrong, nothing was done
    BUSY              LOCKED_OUT, or a statement that ran into its time limit
    ROW_REJECTED      a row cannot be stored as it is: `rejection_of` says why

Nothing outside `storage` names an error class of asyncpg.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from pydantic_core import PydanticSerializationError

from schemas.item_errors import ItemCode
from schemas.items.faults import Fault

# After the death of the postmaster asyncpg raises InternalClientError, too.
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

# Disk full, out of memory, a statement that was cancelled, a server that is read-only.
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
    """Whether the work itself may have caused the error, so that its chunk counts a death.

    False: the worker was stopped, or the database was away, in trouble or busy; the same work can succeed.
    """
    return not isinstance(error, (asyncio.CancelledError, *LOST_CONNECTION, *SERVER_TROUBLE, *LOCKED_OUT))


def rejection_of(error: Exception) -> Fault:
    """Translate the rejection of a single row (ROW_REJECTED) into the fault of its item."""
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
        case asyncpg.InvalidTextRepresentationError():  # the only text that the server parses is JSON
            message = "contains a number that JSON cannot express (NaN or Infinity): remove it"
            return Fault(None, ItemCode.INVALID_JSON, message, None)
        case asyncpg.UniqueViolationError():
            message = f"another contact already has this value: {error.detail}"
            return Fault(None, ItemCode.CONFLICT, message, None)
        case _:
            return Fault(None, ItemCode.REJECTED_BY_DATABASE, f"the database rejected the row: {error}", None)


@contextmanager
def violations_as(**errors: Exception) -> Iterator[None]:
    """Raise `errors[name]` where the body violates the constraint `name`; other violations pass through."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as violation:
        name = violation.constraint_name
        if name is None or name not in errors:
            raise
        raise errors[name] from violation
