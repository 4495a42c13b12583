"""Search the item errors of a job, a bounded number at a time.

A job may have millions of item errors, and an index for each search would cost every chunk more than a search
is worth. So one call looks at the next LOOKED errors, and says how far it came.
"""

import json
from dataclasses import dataclass
from typing import Any

from schemas.ids import AccountId, JobId
from schemas.item_errors import ItemError
from storage.pipeline.jobs import LARGE_BYTES
from storage.pipeline.results import MAX_INDEX
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

LOOKED = 20_000  # item errors that one call looks at
QUERIES = load(__name__, {"max_index": MAX_INDEX, "large_bytes": LARGE_BYTES})


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFilter:
    """The item errors to find. `text` is a part of the message, of the value, of the item or of its `ref`."""

    code: str | None = None
    field: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundErrors:
    """A page of item errors. A large value or item is None.

    `following`: continue after this index; None: there are no more. `whole`: the page is full; otherwise the
    call has looked at LOOKED errors, and more may match.
    """

    errors: list[ItemError]
    following: int | None
    whole: bool


async def search(
    db: Conn | Pool, account_id: AccountId, job_id: JobId, wanted: ErrorFilter, *, after: int, size: int
) -> FoundErrors:
    """Return up to `size` matching item errors after an index, in the order of the index.

    While the job runs, the list ends before the first item that has no result, like all lists of results.
    """
    rows = await QUERIES.search(
        db,
        account_id=account_id,
        id=job_id,
        after=after,
        looked=LOOKED,
        size=size + 1,
        code=wanted.code,
        field=wanted.field,
        text=wanted.text,
        # values and items are stored as JSON in ASCII
        json_text=wanted.text and json.dumps(wanted.text)[1:-1],
    )
    looked_up_to: int | None = rows[0]["looked_up_to"] if rows else None
    errors = [_error(row) for row in rows if row["item_index"] is not None]
    if len(errors) > size:
        return FoundErrors(errors=errors[:size], following=errors[size - 1].index, whole=True)
    return FoundErrors(errors=errors, following=looked_up_to, whole=False)


def _error(row: Any) -> ItemError:
    return ItemError(
        index=row["item_index"],
        ref=row["ref"],
        field=row["field"],
        code=row["code"],
        message=row["message"],
        value=json.loads(row["value"] or "null"),
        item=json.loads(row["item"] or "null"),
    )
