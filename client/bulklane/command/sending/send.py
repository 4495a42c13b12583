"""`bulklane send`: send a file, follow its job, keep what failed."""

from typing import Annotated, cast, get_args

import typer

from bulklane._sync.client import Bulklane
from bulklane._sync.job import Job
from bulklane.command.connection import PATIENT, connected
from bulklane.command.ending import (
    Afterwards,
    DryRun,
    ErrorsTo,
    JobAsJson,
    ResultsTo,
    Timeout,
    Wait,
    conclude,
    wait_for,
)
from bulklane.command.progress import Display, displayed
from bulklane.command.sending.shipment import Shipment, check, read_columns, read_parameters
from bulklane.command.sending.unfinished import newest
from bulklane.command.sending.uploading import go_on, ship
from bulklane.errors import ConfigurationError
from bulklane.models import Operation
from bulklane.rows import Format

OPERATIONS = get_args(Operation)
EXAMPLES = r"""
[bold]Examples[/]

  Send a file, and keep the rows that failed:
  $ bulklane send contacts.csv --errors-to bad.csv

  Give columns their fields, and leave one out:
  $ bulklane send crm.xlsx --map 'Mobile No.=phone' --map Ort=address.city --drop Notes

  See first what would happen:
  $ bulklane send contacts.csv --dry-run

  Add the contacts of another program's output to a list:
  $ crm export | bulklane send - --format csv -o lists.add -p list_id=lst_…

  Go on after the connection, the terminal or the machine was lost:
  $ bulklane send --resume

  In a script:
  $ job=$(bulklane send contacts.csv --no-wait) && bulklane jobs watch "$job" --timeout 600

[bold]Exit status[/]

    0  every row was applied; with --no-wait: the file was accepted
    1  the job came to its end, and some rows failed
    2  not applied: wrong use, the service refused it or does not respond,
       the job failed or was cancelled, or --timeout is over (the job goes on)
  130  Ctrl-C
"""

File = Annotated[
    str | None,
    typer.Argument(
        metavar="FILE",
        help="CSV, NDJSON, JSON or a spreadsheet (.xlsx), also with .gz or .zst; - is standard input.",
        show_default=False,
    ),
]
OperationName = Annotated[
    str,
    typer.Option(
        "--operation",
        "-o",
        help=f"What is done with each row: {', '.join(OPERATIONS)}.",
        autocompletion=lambda: list(OPERATIONS),
        metavar="OPERATION",
    ),
]
Param = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        "-p",
        metavar="NAME=VALUE",
        help="A parameter of the operation, such as list_id=lst_… or region=IN. Repeatable.",
        show_default=False,
    ),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        "-m",
        metavar="COLUMN=FIELD",
        help="The field of a column, such as 'Mobile No.=phone'. Repeatable.",
        show_default=False,
    ),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="Leave a column out. Repeatable.", show_default=False),
]
FormatName = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="|".join(get_args(Format)),
        help="What the file is, if its name does not tell.",
        autocompletion=lambda: list(get_args(Format)),
        show_default=False,
    ),
]
Charset = Annotated[
    str | None,
    typer.Option(
        metavar="CHARSET",
        help="Of a CSV file that is not UTF-8, such as windows-1252; auto: find out.",
        show_default=False,
    ),
]
Name = Annotated[str | None, typer.Option(metavar="TEXT", help="A name for the job.", show_default=False)]
Tag = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TEXT", help="A tag for the job. Repeatable.", show_default=False),
]


Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with an upload that was interrupted: that of FILE, or the newest one. Its parameters are "
        "those of the first time.",
    ),
]
Restart = Annotated[
    bool, typer.Option("--restart", help="Begin anew, even if an upload of this file is unfinished.")
]


@connected(PATIENT)
def send(
    client: Bulklane,
    file: File = None,
    *,
    operation: OperationName = "contacts.upsert",
    param: Param = None,
    map_: Map = None,
    drop: Drop = None,
    format_: FormatName = None,
    charset: Charset = None,
    name: Name = None,
    tag: Tag = None,
    dry_run: DryRun = False,
    wait: Wait = True,
    timeout: Timeout = None,
    errors_to: ErrorsTo = None,
    results_to: ResultsTo = None,
    resume: Resume = False,
    restart: Restart = False,
    as_json: JobAsJson = False,
) -> None:
    """Send a file, and show what became of its rows.

    The exit status is 0 if every row was applied, 1 if some failed, 2 if the file was not applied.
    """
    shipment = Shipment(
        file=file or "",
        operation=_one_of(OPERATIONS, operation, "--operation"),
        columns=read_columns(map_ or (), drop or ()),
        format=cast("Format | None", format_ and _one_of(get_args(Format), format_, "--format")),
        charset=charset,
        parameters=read_parameters(param or (), name=name, tags=",".join(tag or ()), dry_run=dry_run),
    )
    then = Afterwards(wait=wait, timeout=timeout, errors_to=errors_to, results_to=results_to, as_json=as_json)
    if resume:
        _check_alone(shipment, restart=restart)
    with displayed() as display:
        job = _sent(client, shipment, then, display, resume=resume, restart=restart)
        if wait:
            wait_for(job, display, timeout)
    raise typer.Exit(conclude(job, then))


def _sent(
    client: Bulklane, shipment: Shipment, then: Afterwards, display: Display, *, resume: bool, restart: bool
) -> Job:
    if resume:
        found = newest(client.url, client.account().id, shipment.file or None)
        check(found.shipment, then.files)
        return go_on(client, found, display)
    check(shipment, then.files)
    return ship(client, shipment, display, restart=restart)


def _check_alone(shipment: Shipment, *, restart: bool) -> None:
    """Raise ConfigurationError for options that an upload has from its first time."""
    plain = Shipment(
        file=shipment.file,
        operation=OPERATIONS[0],
        columns={},
        format=None,
        charset=None,
        parameters={},
    )
    if restart or shipment != plain:
        raise ConfigurationError(
            "--resume goes on with the parameters of the first time: leave the others out"
        )


def _one_of(allowed: tuple[str, ...], given: str, option: str) -> str:
    if given not in allowed:
        raise ConfigurationError(f"{option} {given!r}: use one of {', '.join(allowed)}")
    return given
