"""Read the file of a form, as a browser sends it: multipart/form-data (RFC 7578)."""

from collections.abc import AsyncIterator
from pathlib import PurePosixPath

from aiohttp import web

from schemas.errors import UnsupportedFormat
from schemas.formats.file_name import base_name
from schemas.formats.multipart import FormReader, boundary_of

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


async def open_form(
    request: web.Request, source: AsyncIterator[bytes]
) -> tuple[AsyncIterator[bytes], str | None, str | None]:
    """Open the file of the form whose bytes arrive in `source`: return its bytes, content type and name.

    Raises UnsupportedFormat, MalformedBody and what the source raises. The iterator raises them too, and
    NotAcceptable for a second file.
    """
    if request.headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}:
        raise UnsupportedFormat(
            "a form cannot be compressed: send the file itself as the body, with its Content-Encoding",
            code="unsupported_encoding",
            param="Content-Encoding",
        )
    form = FormReader(boundary_of(request.headers.get("Content-Type", "")))
    begin: list[bytes] = []
    while form.filename is None:
        data = await anext(source, None)
        begin += form.flush() if data is None else form.feed(data)
    return _file(form, begin, source), _content_type(form), base_name(form.filename)


async def _file(form: FormReader, begin: list[bytes], source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for piece in begin:
        yield piece
    async for data in source:
        for piece in form.feed(data):
            yield piece
    for piece in form.flush():
        yield piece


def _content_type(form: FormReader) -> str | None:
    """Return the declared type, or the type for the file name if the declared one is vague."""
    essence, mark, parameters = form.content_type.partition(";")
    if essence.strip().lower() not in VAGUE:
        return form.content_type
    known = BY_SUFFIX.get(PurePosixPath(form.filename or "").suffix.lower())
    return f"{known}{mark}{parameters}" if known else form.content_type
