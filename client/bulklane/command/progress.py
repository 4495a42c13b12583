"""The progress of an upload and of its job, in one display on a terminal, or as lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from bulklane.command.reporting import error_console, say, told_above
from bulklane.models import JobProgress

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_SECONDS = 5.0  # between two lines about the same thing


class Display(Protocol):
    """Shows what has been done."""

    def sent(self, done: int, total: int | None) -> None:
        """Show the bytes that the service has; without a total, their number is not known yet."""

    def changed(self, job: JobProgress) -> None:
        """Show a job."""


@contextmanager
def displayed() -> Iterator[Display]:
    """Show the progress on stderr."""
    console = error_console()
    if not console.is_terminal:
        yield Lines()
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24, complete_style="cyan", finished_style="green", pulse_style="cyan"),
        TextColumn("{task.fields[amount]}", markup=False),
    )
    with Progress(*columns, console=console) as progress, told_above(console):
        yield Bars(progress)


class Bars:
    """Two bars: what was sent, and what was applied."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._start = (0.0, 0)  # when the first bytes were shown, and how many
        self._upload: TaskID | None = None
        self._job: TaskID | None = None

    def sent(self, done: int, total: int | None) -> None:
        """Show the bytes that the service has."""
        if self._upload is None:
            self._upload = self._progress.add_task("upload", total=total, amount="")
            self._start = monotonic(), done
        since, before = self._start
        rate = (done - before) / max(monotonic() - since, 1)
        amount = f"{size(done)} sent" if done == total else f"{share(done, total)}  {size(rate)}/s"
        self._progress.update(self._upload, completed=done, total=total, amount=amount)

    def changed(self, job: JobProgress) -> None:
        """Show a job."""
        if self._job is None:
            if self._upload is not None:  # above the bars: a narrow terminal cuts what is in them
                say(f"accepted as {job.id}")
            self._job = self._progress.add_task("job", total=None, amount="")
        self._progress.update(self._job, completed=done_rows(job), total=job.total, amount=described(job))


class Lines:
    """Lines on stderr: when something changes, and every few seconds."""

    def __init__(self) -> None:
        self._said_at = monotonic()
        self._last = ""
        self._state = ""

    def sent(self, done: int, total: int | None) -> None:
        """Say it at the end, and sometimes before."""
        if done == total:
            self._say(f"{size(done)} sent")
        elif self._is_time():
            self._say(f"{share(done, total)} sent")

    def changed(self, job: JobProgress) -> None:
        """Say it when the state changes, and sometimes before."""
        if job.state != self._state or self._is_time():
            self._state = job.state
            self._say(f"{job.id}: {described(job)}")

    def _is_time(self) -> bool:
        return monotonic() - self._said_at >= LINE_SECONDS

    def _say(self, line: str) -> None:
        self._said_at = monotonic()
        if line != self._last:
            self._last = line
            say(line)


def described(job: JobProgress) -> str:
    """Return the state of a job in a few words."""
    if job.state == "receiving" or (job.state == "queued" and job.position == 0):
        return "waits for a worker"
    if job.state == "queued":
        return f"waits for {job.position:,} earlier job{'' if job.position == 1 else 's'}"
    rows = f"{done_rows(job):,} rows" if job.total is None else f"{done_rows(job):,} of {job.total:,} rows"
    failed = f", {job.counts.failed:,} failed" if job.counts.failed else ""
    held = f", over the limit until {job.throttled_until:%H:%M:%S} UTC" if job.throttled_until else ""
    return f"{job.state.replace('_', ' ')}, {rows}{failed}{held}"


def done_rows(job: JobProgress) -> int:
    """Return the number of rows that have an outcome."""
    counts = vars(job.counts)
    return sum(number for name, number in counts.items() if name != "pending")


def share(done: int, total: int | None) -> str:
    """Return a number of bytes, and of how many."""
    return size(done) if total is None else f"{size(done)} of {size(total)}"


def size(count: float) -> str:
    """Return a number of bytes in the unit that people use for so many."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.2f} GB"
