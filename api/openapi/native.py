"""The native entrance in the document: one operation each, with the items and parameters that it takes."""

from typing import Any

from api.openapi.components import FILES
from api.openapi.describe import Description, Items
from schemas.operations import OPERATIONS, Operation
from schemas.wire.bulk_query import BulkQuery
from schemas.wire.jobs import Job

TEXT = (
    "The body may also be a file of any size, NDJSON or CSV (with `Content-Encoding: gzip`, `deflate` or "
    "`zstd`, if you like), or a form with one file, as a browser sends it. Answers 202 with the job; with "
    "`Prefer: wait` 200, or 207 where an item failed, with the ended job. A bad item fails alone: see the "
    "job's errors."
)


def described() -> dict[str, Any]:
    """The parts of the description of `POST /v1/bulk/{operation}`."""
    return {"variants": {operation.value: _variant(operation) for operation in Operation}}


def _variant(operation: Operation) -> Description:
    traits = OPERATIONS[operation]
    return Description(
        summary=traits.summary,
        text=TEXT,
        query=BulkQuery,
        only=traits.parameters,
        needs=(traits.needs,) if traits.needs else (),
        renames=True,
        items=Items(key="items", model=traits.items.type, bare=True),
        files=tuple(FILES),
        examples={"some items": traits.example},
        responses={200: Job, 202: Job, 207: Job},
        errors=(404,),
    )
