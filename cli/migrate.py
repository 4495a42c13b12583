"""`bulklane migrate`: bring the database to the newest schema."""

import asyncio
import os
import signal

import typer


def migrate() -> None:
    """Bring the database to the newest schema; safe to repeat, and for several at once."""
    from cli.connection import find_database
    from storage.migrations import migrate as apply_migrations

    revision = asyncio.run(apply_migrations(find_database()))
    typer.echo(f"the schema is at revision {revision}")
    if "HONCHO_PROCESS_NAME" in os.environ:
        _stay()


def _stay() -> None:
    """Wait for the end of the others: a bare `honcho start` ends everything when one process ends."""
    typer.echo("migrated; staying until SIGTERM, because honcho stops all processes when one ends")
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    signal.sigwait(ends)
