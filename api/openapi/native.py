"""Describe the native endpoint: a variant for each operation, with its items and parameters."""

from typing import Any

from api.openapi.describe import Description, Items
from schemas.operations import BULK_OPERATIONS, OPERATIONS, Operation
from schemas.wire.bulk_query import BulkQuery
from schemas.wire.jobs import Job

# The schema has no array of items alone: beside a form, generators of clients make code of it that fails.
TEXT = (
    "The body may also be the array of the items alone, a file of any size, NDJSON or CSV (with "
    "`Content-Encoding: gzip`, `deflate` or `zstd`), an Excel workbook, or a form with one file, as a "
    "browser sends it. Returns 202 with the job; with `Prefer: wait` 200, or 207 if an item failed, with the "
    "ended job. A bad item fails alone: see the errors of the job."
)

NATIVE_FILES = ("application/x-ndjson", "text/csv", "multipart/form-data")


def described() -> dict[str, Any]:
    """Return the parts of the description of `POST /v1/bulk/{operation}`."""
    return {"variants": {operation.value: _variant(operation) for operation in BULK_OPERATIONS}}


def _variant(operation: Operation) -> Description:
    traits = OPERATIONS[operation]
    return Description(
        summary=traits.summary,
        text=TEXT,
        query=BulkQuery,
        only=traits.parameters,
        needs=(traits.needs,) if traits.needs else (),
        renames=True,
        items=Items(key="items", model=traits.items.type),
        files=NATIVE_FILES,
        examples={"some items": {"items": traits.example}},
        responses={200: Job, 202: Job, 207: Job},
        errors=(404,),
    )
