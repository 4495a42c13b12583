"""`bulklane migrate`: upgrade the database to the newest schema."""

import asyncio
import os
import signal

import typer

from cli.database import fail, find_database


def migrate() -> None:
    """Upgrade the database to the newest schema. Safe to repeat and to run concurrently."""
    from storage.migrations import SchemaNotReady
    from storage.migrations import migrate as apply_migrations
    from storage.postgres.connection import Unreachable

    try:
        version = asyncio.run(apply_migrations(find_database()))
    except SchemaNotReady as error:
        raise fail(str(error)) from error
    except Unreachable as error:
        raise fail(f"no connection to the database: {error}") from error
    typer.echo(f"the schema is at revision {version.revision}")
    if "HONCHO_PROCESS_NAME" in os.environ:
        _stay()


def _stay() -> None:
    """Wait for SIGTERM or SIGINT, because `honcho start` stops all processes when one ends."""
    typer.echo("migrated; waiting for SIGTERM, because honcho stops all processes when one ends")
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    signal.sigwait(signals)
