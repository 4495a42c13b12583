"""The database of a command: its address, a connection, and one-line error messages."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import typer

from bulklane.command import reporting

if TYPE_CHECKING:
    from schemas.settings import Settings
    from storage.postgres.pool import Conn

T = TypeVar("T")


def fail(message: str, *, status: int = 1) -> typer.Exit:
    """Print the message to stderr and return the exception that ends the command with this exit status."""
    return reporting.fail(message, status=status)


def unknown_account(name: str) -> typer.Exit:
    """Return the exception that ends a command because no account has this name."""
    return fail(f"there is no account {name!r}: see `bulklane accounts list`")


def read_settings() -> "Settings":
    """Return the settings. Ends the command if one is not valid."""
    from schemas.settings import WRONG_SETTINGS_STATUS, SettingsError, get_settings

    try:
        return get_settings()
    except SettingsError as error:
        raise fail(str(error), status=WRONG_SETTINGS_STATUS) from error


def find_database() -> str:
    """Return DATABASE_URL, or the database of the service that runs in BULKLANE_HOME.

    Ends the command if there is neither.
    """
    from embedded.supervisor import dev_file

    settings = read_settings()
    if settings.database_url:
        return settings.database_url
    running = dev_file.load(settings.bulklane_home)
    if running:
        return running.database_url
    home = settings.bulklane_home.absolute()
    raise fail(f"no service runs in {home}: start it with ./run, or set DATABASE_URL")


def run(work: Callable[["Conn"], Awaitable[T]]) -> T:
    """Return what `work` returns for a connection. Ends the command if it fails."""
    from storage.postgres.connection import connect

    database_url = find_database()

    async def connected() -> T:
        async with connect(database_url) as conn:
            return await work(conn)

    return _run(connected)


def _run(work: Callable[[], Awaitable[T]]) -> T:
    from schemas.errors import BulklaneError
    from storage.access.api_keys import KeyNameTaken
    from storage.entities.accounts import NameTaken
    from storage.postgres.connection import NoTables, Unreachable

    async def run_work() -> T:
        return await work()

    try:
        return asyncio.run(run_work())
    except (NameTaken, KeyNameTaken) as error:
        raise fail(f"already taken: {error}") from error
    except NoTables as error:
        raise fail("the database has no tables yet: run `bulklane migrate`") from error
    except Unreachable as error:
        raise fail(f"no connection to the database: {error}") from error
    except BulklaneError as error:
        raise fail(str(error)) from error
