"""Create resumable uploads, and find them again."""

import hashlib
from collections.abc import Mapping
from typing import Unpack

from bulklane import upload_calls
from bulklane._sync.body import Body
from bulklane._sync.listing import Listing
from bulklane._sync.transport import Transport
from bulklane._sync.upload import APPEND_BYTES, Upload
from bulklane.calls import value_of
from bulklane.models import Operation, UploadSnapshot
from bulklane.parameters import BulkParameters, column_map
from bulklane.rows import Format
from bulklane.sources import Submittable, open_source


class Uploads:
    """`client.uploads`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        source: Submittable,
        *,
        operation: Operation = "contacts.upsert",
        columns: Mapping[str, str | None] | None = None,
        format: Format | None = None,
        charset: str | None = None,
        file_name: str | None = None,
        idempotency_key: str | None = None,
        **parameters: Unpack[BulkParameters],
    ) -> Upload:
        """Create an upload of a source, with the arguments of `jobs.submit`; `send` sends it.

        The parameters are checked now. The bytes are sent as they are, without compression, so that they are
        the same ones after a cut; a file that is compressed stays so. Raises SourceError, APIError or
        ConnectionLost.
        """
        opened = open_source(source, format, charset)
        body = Body(opened, "none")
        call = upload_calls.create(
            {"operation": operation, **parameters, **column_map(columns)},
            body.headers,
            file_name=file_name or opened.file_name,
            idempotency_key=idempotency_key,
            length=body.size,
        )
        return Upload.made(self._transport, self._transport.send(call), body)

    def resume(
        self,
        upload_id: str,
        source: Submittable,
        *,
        format: Format | None = None,
        charset: str | None = None,
    ) -> Upload:
        """Return an upload that was begun before, also by another process; `send` goes on with it.

        The source must be the same: its length, and the digest of what has arrived, are compared. `format`
        and `charset` say what a file without a telling name is. Raises SourceError if the source differs,
        NotFoundError if the upload has expired.
        """
        body = Body(open_source(source, format, charset), "none")
        response = self._transport.fetch(upload_calls.ask_digest(upload_id))
        upload = Upload.made(self._transport, value_of(response.content), body)
        upload_calls.check_length(upload, body.size)
        theirs = upload_calls.digest_in(response.headers)
        upload_calls.check_digest(upload, _digest(body, upload.offset) if theirs else b"", theirs)
        return upload

    def cancel(self, upload_id: str) -> None:
        """Give an upload up, for which its source is not needed."""
        self._transport.send(upload_calls.cancel(upload_id))

    def list(self, *, limit: int = 100) -> Listing[UploadSnapshot]:
        """List the unfinished uploads, the newest first. `limit` is the size of a page, at most 100."""
        return Listing(self._transport, "/v1/uploads", UploadSnapshot, limit=limit)


def _digest(body: Body, size: int) -> bytes:
    """Return the SHA-256 of the first bytes."""
    digest = hashlib.sha256()
    at = 0
    while at < size and (piece := body.read(at, min(APPEND_BYTES, size - at))):
        digest.update(piece)
        at += len(piece)
    return digest.digest()
