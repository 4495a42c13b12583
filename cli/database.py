"""The database of a command: its address, a connection, and one-line error messages."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from storage.postgres.pool import Conn

T = TypeVar("T")


def fail(message: str) -> typer.Exit:
    """Print the message to stderr and return the exception that ends the command with exit code 1."""
    typer.secho(f"bulklane: {message}", fg="red", err=True)
    return typer.Exit(1)


def find_database() -> str:
    """Return DATABASE_URL, or the database of the service that runs in BULKLANE_HOME.

    Ends the command if there is neither.
    """
    from embedded.supervisor import dev_file
    from schemas.settings import get_settings

    settings = get_settings()
    if settings.database_url:
        return settings.database_url
    running = dev_file.load(settings.bulklane_home)
    if running:
        return running.database_url
    home = settings.bulklane_home.absolute()
    raise fail(f"no service runs in {home}: start it with ./run, or set DATABASE_URL")


def run(work: Callable[["Conn"], Awaitable[T]]) -> T:
    """Return what `work` returns for a connection. Ends the command if it fails."""
    from storage.entities.accounts import NameTaken
    from storage.postgres.connection import NoTables, Unreachable, connect

    database_url = find_database()

    async def connected() -> T:
        async with connect(database_url) as conn:
            return await work(conn)

    try:
        return asyncio.run(connected())
    except NameTaken as error:
        raise fail(f"already taken: {error}") from error
    except NoTables as error:
        raise fail("the database has no tables yet: run `bulklane migrate`") from error
    except Unreachable as error:
        raise fail(f"no connection to the database: {error}") from error
