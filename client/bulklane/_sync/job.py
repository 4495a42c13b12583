"""A job: wait for its end, follow it, read what became of each row, cancel it, retry what failed, undo it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, Self, TypeVar
from uuid import uuid4

from bulklane._sync import io
from bulklane._sync.events import Events
from bulklane._sync.listing import Listing
from bulklane._sync.transport import Transport
from bulklane.calls import Call, get, path
from bulklane.decode import decode
from bulklane.errors import NotFoundError, WaitTimeout
from bulklane.models import AuditEntry, ItemError, ItemResult, JobSnapshot
from bulklane.rows import Format, RowFinder, SentRows, is_sheet, json_lines
from bulklane.sources import Rows, sent_rows

MOST_WAIT = 30  # seconds, of one request; the service allows 60, proxies often less
LAST_PAUSE = 0.2  # seconds, between two looks in the last second before a deadline
MARGIN = 15.0  # seconds, in which a response must come after the service has stopped to wait
PAGE = 1_000
FileFormat = Literal["csv", "ndjson"]
Joined = TypeVar("Joined", ItemError, ItemResult)


class Job(JobSnapshot):
    """A job. Its fields are those of the last response; `refresh`, `wait` and `cancel` renew them."""

    _transport: Transport
    _rows: SentRows | None
    _parent: Self | None
    _keeps: bool

    @classmethod
    def made(
        cls,
        transport: Transport,
        data: Any,
        rows: SentRows | None = None,
        *,
        parent: Self | None = None,
        keeps: bool = False,
    ) -> "Job":
        """Return the job of a response.

        `rows` are those that were sent, `parent` is the job whose failed items they were, and `keeps` says
        whether the service keeps them for the results.
        """
        job = decode(cls, data)
        job._transport, job._rows, job._parent, job._keeps = transport, rows, parent, keeps
        return job

    def refresh(self) -> "Job":
        """Read the job again; return it."""
        return self._renewed(self._transport.send(get(self._path())))

    def wait(self, timeout: float | None = None) -> "Job":
        """Wait until the job has ended; return it.

        `timeout` is in seconds. Raises WaitTimeout then at the latest, also if the service is silent; the job
        goes on. A service that is away is asked again until then. Without a time-out, ConnectionLost or
        ServerError are raised after the attempts of the retry policy.
        """
        try:
            deadline = None if timeout is None else io.Deadline(timeout)
            while not self.ended:
                self._look(deadline)
        except TimeoutError:
            assert timeout is not None
            raise WaitTimeout(self, timeout) from None
        return self

    def events(self, *, last_event_id: str | None = None) -> Events:
        """Yield the changes of the job until its end. A connection that is lost is resumed without a gap."""
        return Events(self._transport, self._path("events"), last_event_id)

    def errors(
        self,
        *,
        rows: Rows | None = None,
        format: Format | None = None,
        charset: str | None = None,
    ) -> Iterator[ItemError]:
        """Yield the failed items by index, each with its `row`.

        The rows are those of `submit`, or of the job that this one retries. For a job that was submitted
        elsewhere, give a path or a list. The rows of a spreadsheet are as the service has read them.
        """
        return self._joined("errors", ItemError, self._sent(rows, format, charset))

    def results(
        self,
        *,
        rows: Rows | None = None,
        format: Format | None = None,
        charset: str | None = None,
    ) -> Iterator[ItemResult]:
        """Yield the result of each item by index, each with its `row`, as `errors` does.

        The rows of a spreadsheet are there if it was submitted with `unknown_columns="keep"`.
        """
        sent = self._sent(rows, format, charset)
        if self._keeps and is_sheet(sent):
            return self._kept()
        return self._joined("results", ItemResult, sent)

    def save_errors(
        self,
        file: str | os.PathLike[str],
        *,
        format: FileFormat = "csv",
        escape_formulas: bool = False,
    ) -> None:
        """Write all failed items into a file, as they came, with code and message: correct it and submit it.

        `escape_formulas` neutralises cells that a spreadsheet would run; such a file is for people only.
        """
        self._save("errors", Path(file), format, escape_formulas)

    def save_results(
        self,
        file: str | os.PathLike[str],
        *,
        format: FileFormat = "csv",
        escape_formulas: bool = False,
    ) -> None:
        """Write the results of all items into a file."""
        self._save("results", Path(file), format, escape_formulas)

    def audit(self) -> list[AuditEntry]:
        """Return what was done to the job, in the order of time, and who did it."""
        found = self._transport.send(get(self._path("audit")))
        return [decode(AuditEntry, entry) for entry in found["data"]]

    def cancel(self) -> "Job":
        """Cancel what is not applied yet; return the job, which may need some seconds to end."""
        call = Call(method="POST", path=self._path("cancel"), repeatable=True)
        return self._renewed(self._transport.send(call))

    def retry_failed(self, *, idempotency_key: str | None = None) -> "Job":
        """Send the failed items again, as a new job, which is returned. Its indexes begin at 0.

        Raises ConflictError with the code `nothing_to_retry` if no item failed.
        """
        headers = {"Idempotency-Key": idempotency_key or str(uuid4()), "Prefer": "respond-async"}
        call = Call(method="POST", path=self._path("retry"), headers=headers, repeatable=True)
        return Job.made(self._transport, self._transport.send(call), parent=self)

    def undo(
        self,
        *,
        dry_run: bool = False,
        force: bool = False,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        parallel: int | None = None,
        idempotency_key: str | None = None,
    ) -> "Job":
        """Give the contacts of the job back what they had before it, by a new job, which is returned.

        Values that were changed after the job are kept, unless `force`; the results name them. `name`, `tags`
        and `parallel` are those of the job if not given. Raises ConflictError if the job cannot be undone:
        its code says why.
        """
        headers = {"Idempotency-Key": idempotency_key or str(uuid4()), "Prefer": "respond-async"}
        query = {
            "dry_run": dry_run or None,
            "force": force or None,
            "name": name,
            "tags": tags,
            "parallel": parallel,
        }
        call = Call(method="POST", path=self._path("undo"), query=query, headers=headers, repeatable=True)
        return Job.made(self._transport, self._transport.send(call))

    def _look(self, deadline: io.Deadline | None) -> None:
        """Read the job once, when it has ended or after some seconds."""
        seconds = MOST_WAIT if deadline is None else int(min(MOST_WAIT, deadline.left()))
        call = Call(
            method="GET",
            path=self._path(),
            query={"wait": seconds},
            repeatable=True,
            seconds=seconds + MARGIN,
        )
        self._renewed(self._transport.send(call, deadline=deadline))
        if deadline and not (seconds or self.ended):
            io.sleep(min(LAST_PAUSE, deadline.left()))

    def _joined(self, what: str, model: type[Joined], sent: SentRows | None) -> Iterator[Joined]:
        finder, retried = RowFinder(sent), self._retried() if sent is None else None
        position, row = -1, None
        for one in Listing(self._transport, self._path(what), model, limit=PAGE):
            while retried is not None and position < one.index:
                row, position = next(retried, None), position + 1
            one.row = finder.find(one.index) if retried is None else row
            if is_sheet(sent) and isinstance(one, ItemError):
                one.row = one.item
            yield one

    def _retried(self) -> Iterator[Any]:
        """Yield the rows of the parent's failed items: those of this job; none if it was deleted."""
        if self._parent is None:
            return
        with suppress(NotFoundError):
            for error in self._parent.errors():
                yield error.item if error.row is None else error.row

    def _kept(self) -> Iterator[ItemResult]:
        """Yield the results with the rows that the service has kept."""
        with TemporaryDirectory(prefix="bulklane-") as folder:
            file = Path(folder, "results")
            self.save_results(file, format="ndjson")
            for found in json_lines(file):
                result = decode(ItemResult, found)
                result.row = found["item"]
                yield result

    def _save(self, what: str, file: Path, format_: FileFormat, escape: bool) -> None:
        query = {"format": format_, "formulas": "escape" if escape else None}
        call = Call(method="GET", path=self._path(what), query=query, repeatable=True)
        self._transport.download(call, file)

    def _sent(self, rows: Rows | None, format_: Format | None, charset: str | None) -> SentRows | None:
        return self._rows if rows is None else sent_rows(rows, format_, charset)

    def _path(self, *more: str) -> str:
        return path("v1", "jobs", self.id, *more)

    def _renewed(self, data: Any) -> "Job":
        self.__dict__.update(vars(decode(JobSnapshot, data)))
        return self
