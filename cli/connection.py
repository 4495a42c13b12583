"""How a command finds the database and the Redis of the service."""

from dataclasses import dataclass

import typer

from embedded.supervisor import dev_file
from schemas.settings import get_settings


@dataclass(frozen=True, kw_only=True)
class Connection:
    """The URLs of one service."""

    database_url: str
    redis_url: str


def find() -> Connection:
    """DATABASE_URL and REDIS_URL; what is not set is taken from the service that runs in BULKLANE_HOME.

    Ends the command with what to do if there is neither.
    """
    settings = get_settings()
    running = dev_file.load(settings.bulklane_home)
    database_url = settings.database_url or (running.database_url if running else None)
    redis_url = settings.redis_url or (running.redis_url if running else None)
    if database_url and redis_url:
        return Connection(database_url=database_url, redis_url=redis_url)
    raise _nothing_runs("DATABASE_URL and REDIS_URL")


def find_database() -> str:
    """DATABASE_URL, or the database of the service that runs; for commands that need no Redis."""
    settings = get_settings()
    if settings.database_url:
        return settings.database_url
    running = dev_file.load(settings.bulklane_home)
    if running:
        return running.database_url
    raise _nothing_runs("DATABASE_URL")


def _nothing_runs(variables: str) -> typer.Exit:
    home = get_settings().bulklane_home.absolute()
    typer.secho(
        f"bulklane: no service runs in {home}. Start it with ./run, or set {variables}.", fg="red", err=True
    )
    return typer.Exit(1)
