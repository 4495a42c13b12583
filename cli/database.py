"""What the commands on accounts and keys share: one connection, clear failures, tables."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from cli.connection import find_database
from storage.entities.accounts import Account, NameTaken
from storage.postgres.pool import LOST_CONNECTION, Conn

T = TypeVar("T")


def run(work: Callable[[Conn], Awaitable[T]]) -> T:
    """Do some work on a connection; ends the command with one line if it fails."""
    database_url = find_database()

    async def connected() -> T:
        conn = await asyncpg.connect(database_url, timeout=10)
        try:
            return await work(conn)
        finally:
            await conn.close()

    try:
        return asyncio.run(connected())
    except NameTaken as error:
        raise fail(f"taken already: {error}") from error
    except asyncpg.UndefinedTableError as error:
        raise fail("the database has no tables yet: run `bulklane migrate`") from error
    except LOST_CONNECTION as error:
        raise fail(f"no connection to the database: {error}") from error


def fail(message: str) -> typer.Exit:
    """Say what is wrong; raise the answer."""
    typer.secho(f"bulklane: {message}", fg="red", err=True)
    return typer.Exit(1)


def show_accounts(accounts: Sequence[Account]) -> None:
    """A table of accounts."""
    table = Table("name", "region", "phone_number_id", "requests", "items", "window", "default wait")
    for account in accounts:
        table.add_row(
            account.name,
            account.region or "-",
            account.phone_number_id or "-",
            str(account.request_limit or "no limit"),
            str(account.item_limit or "no limit"),
            f"{account.window_seconds} s",
            f"{account.default_wait} s",
        )
    Console().print(table)
