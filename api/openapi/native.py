"""The native entrance in the document: one operation each, with the items and parameters that it takes."""

from typing import Any

from api.openapi.describe import Description, Items
from api.openapi.examples import NATIVE
from api.openapi.parts import FILES
from schemas.operations import OPERATIONS
from schemas.states import Operation
from schemas.wire.bulk_query import BulkQuery
from schemas.wire.jobs import Job

MOST = 50_000  # items of a JSON body, by default; the other formats have no such limit

SUMMARIES = {
    Operation.CONTACTS_UPSERT: "Create or update contacts, any number of them",
    Operation.CONTACTS_DELETE: "Delete contacts",
    Operation.PREFERENCES_SET: "Set the communication preference of contacts",
    Operation.LABELS_ATTACH: "Attach a label to contacts",
    Operation.LABELS_DETACH: "Detach a label from contacts",
    Operation.LISTS_ADD: "Create or update contacts, and add them to a list",
    Operation.LISTS_REMOVE: "Create or update contacts, and remove them from a list",
    Operation.LISTS_OVERWRITE: "Create or update contacts, and make them all that is in a list",
    Operation.AUDIENCES_ADD: "Add contacts to an audience",
}
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
        summary=SUMMARIES[operation],
        text=TEXT,
        query=BulkQuery,
        only=traits.parameters,
        needs=(traits.needs,) if traits.needs else (),
        renames=True,
        items=Items(key="items", model=traits.items.type, most=MOST, bare=True),
        files=tuple(FILES),
        examples={"some items": NATIVE[operation]},
        responses={200: Job, 202: Job, 207: Job},
        errors=(404,),
    )
