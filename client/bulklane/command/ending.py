"""Follow a job to its end, say how it ended, and the exit status that belongs to it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Annotated

import typer

from bulklane._sync.job import FileFormat, Job
from bulklane.command.output import STATES, output_console, print_json, printable, tell
from bulklane.command.progress import Display
from bulklane.command.reporting import INTERRUPTED, NOT_DONE, fail, say
from bulklane.decode import document
from bulklane.errors import ConfigurationError, WaitTimeout
from bulklane.models import JobProgress, JobSnapshot
from bulklane.server_events import JobEvent

SOME_FAILED = 1
LOOK_SECONDS = 0.5  # in which Ctrl-C is noticed where a wait for a queue cannot be interrupted
NDJSON = {".ndjson", ".jsonl"}
OUTCOMES = ("created", "updated", "unchanged", "merged", "skipped", "failed", "cancelled")

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would happen, and change nothing.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end of the job.")]
ErrorsTo = Annotated[
    Path | None,
    typer.Option(
        help="Write the failed rows into this file (.csv or .ndjson), to correct and send them.",
        dir_okay=False,
        show_default=False,
    ),
]
ResultsTo = Annotated[
    Path | None,
    typer.Option(help="Write the result of each row into this file.", dir_okay=False, show_default=False),
]
JobAsJson = Annotated[
    bool, typer.Option("--json", help="Print the job as JSON to standard output, and nothing else there.")
]
Timeout = Annotated[
    float | None,
    typer.Option(
        min=0, metavar="SECONDS", help="The longest time to wait for the end of the job.", show_default=False
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Afterwards:
    """What follows when a job is accepted."""

    wait: bool = True
    timeout: float | None = None
    errors_to: Path | None = None
    results_to: Path | None = None
    as_json: bool = False

    def __post_init__(self) -> None:
        """Raise ConfigurationError for options that contradict each other."""
        if not self.wait and (self.errors_to or self.results_to or self.timeout is not None):
            raise ConfigurationError(
                "--errors-to, --results-to and --timeout need the end of the job: leave --no-wait out"
            )
        for path in self.files:  # to find out when the job has ended would be too late
            if not path.parent.is_dir():
                raise ConfigurationError(f"{path} cannot be written: there is no folder {path.parent}")

    @property
    def files(self) -> list[Path]:
        """The files that are written at the end."""
        return [path for path in (self.errors_to, self.results_to) if path]


def wait_for(job: Job, display: Display, timeout: float | None) -> None:
    """Show a job until its end. Ends the command if Ctrl-C is pressed."""
    try:
        display.changed(job)
        follow(job, display.changed, timeout)
        display.changed(job)
    except KeyboardInterrupt:
        message = f"{job.id} goes on: bulklane jobs watch {job.id}, or bulklane jobs cancel {job.id}"
        raise fail(message, status=INTERRUPTED) from None


def conclude(job: Job, then: Afterwards) -> int:
    """Print how the job ended, or that it was accepted, and write the files; return the exit status."""
    if then.as_json:
        print_json(document(job))
    elif then.wait:
        show_end(job)
    else:
        tell(job.id)
    if then.errors_to:
        job.save_errors(then.errors_to, format=file_format(then.errors_to))
    if then.results_to:
        job.save_results(then.results_to, format=file_format(then.results_to))
    if not then.wait:
        return 0
    _show_next(job, then.errors_to)
    return status_of(job)


def file_format(path: Path) -> FileFormat:
    """Return the format of a file of errors or results, by its name."""
    return "ndjson" if path.suffix.lower() in NDJSON else "csv"


def follow(job: Job, show: Callable[[JobProgress], None], timeout: float | None) -> Job:
    """Show each change of a job until its end; return it.

    Raises WaitTimeout after `timeout` seconds, and what the stream of events raises.
    """
    found: SimpleQueue[JobEvent | Exception | None] = SimpleQueue()
    # a thread, because a read of a socket knows no deadline; it ends with the client or the process
    Thread(target=_read_events, args=(job, found), daemon=True).start()
    end = None if timeout is None else monotonic() + timeout
    while True:
        left = LOOK_SECONDS if end is None else min(LOOK_SECONDS, end - monotonic())
        try:
            event = found.get(timeout=max(left, 0))
        except Empty:
            if end is not None and monotonic() >= end:
                raise WaitTimeout(job, timeout or 0) from None
            continue
        match event:
            case None:
                break
            case Exception():
                raise event
            case JobEvent(job=None):  # the service cannot resume there
                show(job.refresh())
            case JobEvent(job=JobProgress() as changed):
                show(changed)
    return job.refresh()


def status_of(job: JobProgress) -> int:
    """Return the exit status: 0 all rows were applied, 1 some failed, 2 the job did not come to its end."""
    return {"completed": 0, "completed_with_errors": SOME_FAILED}.get(job.state, NOT_DONE)


def show_end(job: JobSnapshot) -> None:
    """Print how a job ended: the counts, and the errors by their kind."""
    from rich.text import Text

    console = output_console()
    line = Text(printable(f"{job.id} "))
    line.append(job.state.replace("_", " "), STATES.get(job.state, ""))
    line.append(f": {amounts(job)}")
    if job.dry_run:
        line.append(" (dry run: nothing was changed)")
    console.print(line, soft_wrap=True)
    if job.error is not None:
        console.print(Text(printable(f"{job.error.code}: {job.error.message}"), "red"), soft_wrap=True)
    for group in job.error_summary or ():
        first = group.examples[0] if group.examples else None
        example = f", first at index {first.index}: {first.message}" if first else ""
        field = f" ({group.field})" if group.field else ""
        console.print(Text(printable(f"  {group.count:,} {group.code}{field}{example}")), soft_wrap=True)


def _show_next(job: Job, errors_to: Path | None) -> None:
    if not job.counts.failed:
        return
    if errors_to:
        say(f"correct the rows in {errors_to}, and send that file")
    else:
        say(f"the rows that failed: bulklane jobs errors {job.id} --to bad.csv")


def amounts(job: JobProgress) -> str:
    """Return the number of rows by outcome, as a text."""
    counts = [f"{number:,} {name}" for name in OUTCOMES if (number := getattr(job.counts, name))]
    total = "no rows" if job.total is None else f"{job.total:,} row{'' if job.total == 1 else 's'}"
    return ", ".join([total, *counts])


def _read_events(job: Job, found: "SimpleQueue[JobEvent | Exception | None]") -> None:
    try:
        with job.events() as events:
            for event in events:
                found.put(event)
        found.put(None)
    except Exception as error:  # raised in the thread that waits
        found.put(error)
