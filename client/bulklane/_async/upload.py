"""A resumable upload: send what the service lacks, whatever breaks meanwhile."""

from collections.abc import Callable
from typing import Any

from bulklane import upload_calls
from bulklane._async import io
from bulklane._async.body import AsyncBody
from bulklane._async.job import AsyncJob
from bulklane._async.transport import AsyncTransport
from bulklane.calls import value_of
from bulklane.decode import decode
from bulklane.errors import APIError, ConnectionLost
from bulklane.models import UploadSnapshot
from bulklane.retries import PROCESSING

APPEND_BYTES = 1024 * 1024  # of one request: the most that a cut costs
PATIENCE = 300.0  # seconds without any progress
Progress = Callable[[int, int | None], object]


class AsyncUpload(UploadSnapshot):
    """An upload. Its fields are those of the last response; `send` renews `offset`."""

    _transport: AsyncTransport
    _body: AsyncBody

    @classmethod
    def made(cls, transport: AsyncTransport, data: Any, body: AsyncBody) -> "AsyncUpload":
        """Return the upload of a response; `body` has the bytes."""
        upload = decode(cls, data)
        upload._transport, upload._body = transport, body
        return upload

    async def send(self, on_progress: Progress | None = None, *, patience: float = PATIENCE) -> AsyncJob:
        """Send the bytes that the service lacks; return their job as soon as it is accepted.

        `on_progress` is called with the number of bytes that have arrived, and that of all bytes (None: not
        known yet). After a lost connection, or while the service is away, the upload goes on from where it
        stands; a cut costs at most the last MiB. Raises what the service says of the bytes, the last error
        after `patience` seconds without progress, and what the source raises. Calling it again goes on.
        """
        attempts, deadline, known = self._fresh(), io.Deadline(patience), True
        _tell(on_progress, self)
        while True:
            before = self.offset
            try:
                if not known:
                    self.offset = await self._ask_offset()
                    known = True
                job = await self._append_next()
            except (APIError, ConnectionLost) as error:
                known = False
                if self.offset > before or _is_processing(error):
                    attempts, deadline = self._fresh(), io.Deadline(patience)
                try:
                    await self._transport.pause(error, attempts, deadline)
                except TimeoutError:
                    raise error from None
                continue
            _tell(on_progress, self)
            if job is not None:
                return job
            attempts, deadline = self._fresh(), io.Deadline(patience)

    async def cancel(self) -> None:
        """Give the upload up: the service deletes its bytes."""
        await self._transport.send(upload_calls.cancel(self.id))

    async def _append_next(self) -> AsyncJob | None:
        """Send the next piece. Return the job if it was the last one."""
        piece = await self._body.read(self.offset, APPEND_BYTES)
        end = self.offset + len(piece)
        complete = len(piece) < APPEND_BYTES or end == self.length
        call = upload_calls.append(self.id, self.offset, piece, complete=complete)
        async with self._transport.open(call) as response:
            data = value_of(await response.aread())
        self.offset = end
        if not complete:
            return None
        self.length, self.complete, self.job_id = end, True, data["id"]
        return AsyncJob.made(self._transport, data, self._body.rows)

    async def _ask_offset(self) -> int:
        async with self._transport.open(upload_calls.ask_offset(self.id)) as response:
            await response.aread()  # otherwise the connection is not used again
            return upload_calls.offset_in(response.headers)

    def _fresh(self) -> Any:
        return self._transport.attempts(repeatable=True, always=True, resuming=True)


def _is_processing(error: APIError | ConnectionLost) -> bool:
    """Return whether the service is making the job, for which it may need minutes."""
    return isinstance(error, APIError) and error.code == PROCESSING


def _tell(on_progress: Progress | None, upload: UploadSnapshot) -> None:
    if on_progress is not None:
        on_progress(upload.offset, upload.length)
