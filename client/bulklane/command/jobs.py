"""`bulklane jobs …`: the jobs of the account."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from bulklane._sync.client import Bulklane
from bulklane._sync.job import Job
from bulklane.command.completion import complete_job, complete_operation, complete_state
from bulklane.command.connection import PATIENT, connected
from bulklane.command.ending import (
    Afterwards,
    JobAsJson,
    Timeout,
    conclude,
    file_format,
    follow,
    status_of,
    wait_for,
)
from bulklane.command.output import AsJson, AsLines, Columns, print_json, show_list, show_one, tell
from bulklane.command.progress import displayed
from bulklane.command.reporting import say
from bulklane.decode import document
from bulklane.models import ItemError, ItemResult

SHOWN = 100  # errors or results on a terminal; a file has all of them
EXAMPLES = """
[bold]Examples[/]

  The jobs of a nightly import that have failed rows:
  $ bulklane jobs list --name 'nightly*' --state completed_with_errors

  Correct what failed, and send it again:
  $ bulklane jobs errors job_… --to bad.csv

  Take an import back, after a look at what that would do:
  $ bulklane jobs undo job_… --dry-run && bulklane jobs undo job_…

  For a program, each change on a line:
  $ bulklane jobs watch job_… --json | jq .counts.pending
"""
app = typer.Typer(
    no_args_is_help=True,
    help="The jobs of the account: list, show, watch, cancel, retry, undo, errors, results, audit.",
    epilog=EXAMPLES,
)

JobId = Annotated[
    str,
    typer.Argument(metavar="JOB", help="The job's id.", autocompletion=complete_job, show_default=False),
]
Limit = Annotated[int, typer.Option(min=1, help="The largest number to show.")]
To = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write all of them into this file, .csv or .ndjson.", show_default=False
    ),
]
State = Annotated[
    list[str] | None,
    typer.Option(
        help="Only jobs in this state. Repeatable.", autocompletion=complete_state, show_default=False
    ),
]
COLUMNS: Columns = {
    "id": "id",
    "operation": "operation",
    "name": "name",
    "state": "state",
    "total": "total",
    "pending": "counts.pending",
    "failed": "counts.failed",
    "received": "received_at",
    "finished": "finished_at",
}
DETAILS: Columns = {
    **COLUMNS,
    **{
        name: f"counts.{name}"
        for name in ("created", "updated", "unchanged", "merged", "skipped", "cancelled")
    },
    "file": "file_name",
    "tags": "tags",
    "dry run": "dry_run",
    "position": "position",
    "throttled until": "throttled_until",
    "expected end": "eta",
    "error": "error.message",
    "retry of": "parent_id",
    "undo of": "undoes",
    "request": "request_id",
}
ERROR_COLUMNS: Columns = {
    "index": "index",
    "field": "field",
    "code": "code",
    "message": "message",
    "value": "value",
}
RESULT_COLUMNS: Columns = {
    "index": "index",
    "outcome": "outcome",
    "contact": "contact_id",
    "merged into": "merged_into",
    "code": "code",
    "message": "message",
    "fields": "fields",
}
AUDIT_COLUMNS: Columns = {
    "at": "at",
    "action": "action",
    "job": "job_id",
    "by": "by.kind",
    "key": "by.key_id",
    "key name": "by.key_name",
    "session": "by.session",
    "address": "by.address",
    "program": "by.user_agent",
    "request": "by.request_id",
}


@app.command("list")
@connected()
def list_(
    client: Bulklane,
    *,
    state: State = None,
    operation: Annotated[
        str | None,
        typer.Option(help="Only this operation.", autocompletion=complete_operation, show_default=False),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Only this name, or its beginning: 'import*'.", show_default=False)
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Only with this tag.", show_default=False)] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Received at this time or later: 2026-05-17T08:00Z.", show_default=False),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Received before this time.", show_default=False)] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first. All filters that are given must match."""
    found = client.jobs.list(
        limit=min(limit, 100),
        state=cast("Any", state or None),
        operation=cast("Any", operation),
        name=name,
        tag=tag,
        since=since,
        until=until,
    )
    show_list([document(job) for job in islice(found, limit)], COLUMNS, as_json=as_json)


@app.command(no_args_is_help=True)
@connected()
def show(client: Bulklane, job: JobId, *, as_json: AsJson = False) -> None:
    """Show a job."""
    show_one(document(client.jobs.get(job)), DETAILS, as_json=as_json)


@app.command(no_args_is_help=True)
@connected(PATIENT)
def watch(client: Bulklane, job: JobId, *, timeout: Timeout = None, as_json: AsLines = False) -> None:
    """Show a job until it ends. With --json, print each change on a line.

    The exit status is that of `bulklane send`: 0, 1 if rows failed, 2 if the job failed or was cancelled.
    """
    found = client.jobs.get(job)
    if as_json:
        follow(found, lambda changed: print_json(document(changed)), timeout)
        raise typer.Exit(status_of(found))
    with displayed() as display:
        wait_for(found, display, timeout)
    raise typer.Exit(conclude(found, Afterwards()))


@app.command(no_args_is_help=True)
@connected()
def cancel(client: Bulklane, job: JobId, *, as_json: AsJson = False) -> None:
    """Cancel what is not applied yet of a job. Applied rows and their results are kept."""
    found = client.jobs.get(job).cancel()
    if as_json:
        print_json(document(found))
    else:
        tell(f"cancelled {found.id}: its state is {found.state}")


@app.command(no_args_is_help=True)
@connected(PATIENT)
def retry(
    client: Bulklane,
    job: JobId,
    *,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end of the new job.")] = True,
    timeout: Timeout = None,
    as_json: JobAsJson = False,
) -> None:
    """Send the failed rows of a job again, as a new job: for causes that are not in the rows."""
    found = client.jobs.get(job).retry_failed()
    raise typer.Exit(_end_of(found, Afterwards(wait=wait, timeout=timeout, as_json=as_json)))


@app.command(no_args_is_help=True)
@connected(PATIENT)
def undo(
    client: Bulklane,
    job: JobId,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be undone.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also undo what somebody else has changed since.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end of the new job.")] = True,
    timeout: Timeout = None,
    as_json: JobAsJson = False,
) -> None:
    """Give the contacts of a job back what they had before it, by a new job.

    What somebody else has changed since is kept: see `bulklane jobs results` of the new job.
    """
    found = client.jobs.get(job).undo(dry_run=dry_run, force=force)
    raise typer.Exit(_end_of(found, Afterwards(wait=wait, timeout=timeout, as_json=as_json)))


@app.command(no_args_is_help=True)
@connected()
def errors(
    client: Bulklane, job: JobId, *, to: To = None, limit: Limit = SHOWN, as_json: AsLines = False
) -> None:
    """Show the rows that failed, and why. With --to, write them as they came, to correct and send them."""
    found = client.jobs.get(job)
    if to:
        found.save_errors(to, format=file_format(to))
    else:
        _show(found.errors(), ERROR_COLUMNS, limit, as_json=as_json)


@app.command(no_args_is_help=True)
@connected()
def results(
    client: Bulklane, job: JobId, *, to: To = None, limit: Limit = SHOWN, as_json: AsLines = False
) -> None:
    """Show what became of each row. With --to, write all of them into a file."""
    found = client.jobs.get(job)
    if to:
        found.save_results(to, format=file_format(to))
    else:
        _show(found.results(), RESULT_COLUMNS, limit, as_json=as_json)


@app.command(no_args_is_help=True)
@connected()
def audit(client: Bulklane, job: JobId, *, as_json: AsJson = False) -> None:
    """Show who submitted, cancelled, retried and undid a job, when, with which key and from where."""
    done = client.jobs.get(job).audit()
    show_list([document(entry) for entry in done], AUDIT_COLUMNS, as_json=as_json)


def _end_of(found: Job, then: Afterwards) -> int:
    """Wait for the end of a new job if that is wanted. Return the exit status."""
    if then.wait:
        with displayed() as display:
            wait_for(found, display, then.timeout)
    return conclude(found, then)


def _show(found: Iterable[ItemError | ItemResult], columns: Columns, limit: int, *, as_json: bool) -> None:
    """Print items: the first ones as a table, or all of them as JSON, one a line."""
    documents = (document(one) for one in found)
    if as_json:
        for one in documents:
            print_json(one)
        return
    show_list(list(islice(documents, limit)), columns, as_json=False)
    if next(documents, None) is not None:
        say(f"there are more than {limit:,}: use --limit, --to FILE or --json")
