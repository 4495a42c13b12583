"""Words that the shell proposes."""

from contextlib import suppress
from itertools import islice
from typing import get_args

import typer

from bulklane._sync.client import Bulklane
from bulklane.command.connection import account_offers, choose
from bulklane.models import JobState, Operation
from bulklane.retries import RetryPolicy

PROPOSED = 20
OPERATIONS: tuple[str, ...] = get_args(Operation)
STATES: tuple[str, ...] = get_args(JobState)


def complete_job(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the newest jobs that begin so, with what they are. Nothing if the service does not respond."""
    given = context.params
    with suppress(Exception):  # a message would stand in the middle of the command line
        access = choose(account_offers(given.get("url"), given.get("key"), given.get("profile")))
        with Bulklane(key=access.key, url=access.url, retry=RetryPolicy(retries=0)) as client:
            return [
                (job.id, f"{job.state} {job.name or job.file_name or job.operation}")
                for job in islice(client.jobs.list(limit=PROPOSED), PROPOSED)
                if job.id.startswith(incomplete)
            ]
    return []


def complete_operation(incomplete: str) -> list[str]:
    """Return the operations that begin so."""
    return [name for name in OPERATIONS if name.startswith(incomplete)]


def complete_state(incomplete: str) -> list[str]:
    """Return the states that begin so."""
    return [name for name in STATES if name.startswith(incomplete)]
