"""Read the file of a form, as a browser sends it: multipart/form-data (RFC 7578)."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from api.http.body_stream import arrival
from schemas.errors import MalformedBody, NotAcceptable, UnsupportedFormat

READ_BYTES = 64 * 1024

# The types that a browser declares if its system has no type for the file name, or that of a spreadsheet.
VAGUE = frozenset({"", "application/octet-stream", "application/vnd.ms-excel", "text/plain"})
BY_SUFFIX = {
    ".csv": "text/csv",
    ".tsv": "text/csv",
    ".tab": "text/csv",
    ".txt": "text/csv",  # a spreadsheet's "Unicode text"
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
}


async def open_form(request: web.Request, idle_seconds: float) -> tuple[AsyncIterator[bytes], str | None]:
    """Open the file of a form: return its bytes and its content type.

    Raises UnsupportedFormat, MalformedBody and UploadCut. The iterator raises them too, and NotAcceptable for
    a second file.
    """
    if request.headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}:
        raise UnsupportedFormat(
            "a form cannot be compressed: send the file itself as the body, with its Content-Encoding",
            code="unsupported_encoding",
            param="Content-Encoding",
        )
    with _malformed():
        form = await request.multipart()
        file = await _next_file(form, idle_seconds)
    if file is None:
        raise UnsupportedFormat("the form has no file: send one file as multipart/form-data")
    return _pieces(form, file, idle_seconds), _content_type(file)


async def _next_file(form: MultipartReader, idle_seconds: float) -> BodyPartReader | None:
    while True:
        async with arrival(idle_seconds):
            part = await form.next()
        if part is None or (isinstance(part, BodyPartReader) and part.filename):
            return part


async def _pieces(form: MultipartReader, file: BodyPartReader, idle_seconds: float) -> AsyncIterator[bytes]:
    with _malformed():
        while True:
            async with arrival(idle_seconds):
                data = await file.read_chunk(READ_BYTES)
            if not data:
                break
            yield data
        if not file.at_eof():
            raise ValueError("the form ends within its file")
        if await _next_file(form, idle_seconds) is not None:
            raise NotAcceptable("the form has a second file: send one at a time", code="too_many_files")


def _content_type(file: BodyPartReader) -> str | None:
    """Return the declared type, or the type for the file name if the declared one is vague."""
    declared = file.headers.get("Content-Type", "")
    essence, mark, parameters = declared.partition(";")
    if essence.strip().lower() not in VAGUE:
        return declared
    known = BY_SUFFIX.get(PurePosixPath(file.filename or "").suffix.lower())
    return f"{known}{mark}{parameters}" if known else declared


@contextmanager
def _malformed() -> Iterator[None]:
    """Translate aiohttp's errors about a malformed form to MalformedBody."""
    try:
        yield
    except (ValueError, RuntimeError, AssertionError, HttpProcessingError) as error:
        raise MalformedBody(f"the body is not valid multipart/form-data: {error}") from error
