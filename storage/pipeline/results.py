"""The results of a job's items: clients read them, the finish of the job corrects them."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, NamedTuple
from uuid import UUID

from schemas.error_limit import Tally
from schemas.ids import AccountId, JobId
from schemas.item_errors import ItemError
from schemas.items.reader import CHUNK_ITEMS
from schemas.states import Note, Outcome
from storage.pipeline.chunks import Claim, Members, Progress
from storage.postgres.array_texts import number_array
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool
from storage.postgres.templates import codes

MAX_INDEX = 2**31 - 1  # largest index of an item: PostgreSQL's largest integer
PAGE_BYTES = 1024**2  # item errors in one read
QUERIES = load(
    __name__,
    {
        "max_index": MAX_INDEX,
        "page_bytes": PAGE_BYTES,
        **codes(Outcome.MERGED, Outcome.SKIPPED, Outcome.FAILED),
    },
)
LONG_SECONDS = 3600.0  # for aggregates over all results of a job, possibly many millions
ERRORS_A_READ = 200
CHUNKS_A_READ = 2  # at most 2,000 results
COUNTED = [outcome for outcome in Outcome if outcome is not Outcome.CANCELLED]  # outcomes of applied items


@dataclass(slots=True, kw_only=True)
class ItemResults:
    """The results of items, by index. No object for each item, because a job has millions of them.

    An item without an outcome failed. `merged_into` holds the index of the item that one was merged into.
    `fields` holds what a note is about.
    """

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    contact_ids: dict[int, int] = field(default_factory=dict)
    merged_into: dict[int, int] = field(default_factory=dict)
    notes: dict[int, Note] = field(default_factory=dict)
    fields: dict[int, Sequence[str]] = field(default_factory=dict)

    def merge(self, index: int, last: int) -> None:
        """Merge an item into a later item of its contact, which has a result."""
        self.outcomes[index] = Outcome.MERGED
        self.contact_ids[index] = self.contact_ids[last]
        self.merged_into[index] = last
        self.notes.pop(index, None)

    def counts(self, items: int) -> dict[Outcome, int]:
        """Return how many of a number of items have each outcome."""
        stored = bytes(self.outcomes.values())
        counts = {Outcome(outcome): stored.count(outcome) for outcome in set(stored)}
        return counts | ({Outcome.FAILED: items - len(stored)} if items > len(stored) else {})

    def __or__(self, other: "ItemResults") -> "ItemResults":
        return ItemResults(
            outcomes=self.outcomes | other.outcomes,
            contact_ids=self.contact_ids | other.contact_ids,
            merged_into=self.merged_into | other.merged_into,
            notes=self.notes | other.notes,
            fields=self.fields | other.fields,
        )


class Done(NamedTuple):
    """A chunk with its results and item errors."""

    claim: Claim
    results: ItemResults
    errors: Sequence[ItemError]
    members: Members


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """The result of one item as a client sees it. A failed item or a note has a code and a message."""

    index: int
    outcome: Outcome
    contact_id: int | None
    merged_into: int | None
    code: str | None
    message: str | None
    fields: Sequence[str] | None = None


async def record(conn: Conn, done: Done) -> Progress:
    """Write the results of a chunk and mark it done."""
    (progress,) = await record_all(conn, [done])
    return progress


async def record_all(conn: Conn, done: Sequence[Done]) -> list[Progress]:
    """Write the results of several chunks and mark them done. Return the progress of each."""
    errors = [(chunk.claim, error) for chunk in done for error in chunk.errors]
    rows = await QUERIES.record(
        conn,
        **_columns_of(done),
        error_accounts=[claim.account_id for claim, _ in errors],
        error_jobs=[claim.job_id for claim, _ in errors],
        **error_columns([error for _, error in errors]),
    )
    progress = {
        (row["account_id"], row["job_id"], row["first_index"]): Progress(
            row["others_ready"], row["errors"], row["items"]
        )
        for row in rows
    }
    return [progress[claim.account_id, claim.job_id, claim.first_index] for claim, *_ in done]


def _columns_of(done: Sequence[Done]) -> dict[str, Sequence[Any]]:
    """Return the results of chunks as the parallel arrays that `record` takes."""
    columns: dict[str, Sequence[Any]] = {
        "account_ids": [chunk.claim.account_id for chunk in done],
        "ids": [chunk.claim.job_id for chunk in done],
        "first_indexes": [chunk.claim.first_index for chunk in done],
        "added": [chunk.members.added for chunk in done],
        "removed": [chunk.members.removed for chunk in done],
        "counted_items": [chunk.claim.items if chunk.claim.params.max_errors else 0 for chunk in done],
    }
    names = ("outcomes", "contact_ids", "merged_into", "notes", "noted_fields", "counts")
    return columns | dict(zip(names, zip(*map(texts_of, done), strict=True), strict=True))


def texts_of(chunk: Done) -> tuple[str | None, ...]:
    """Return the results of a chunk by column, and the number of each outcome, as texts of arrays."""
    results = chunk.results
    indexes = range(chunk.claim.first_index, chunk.claim.first_index + chunk.claim.items)
    outcomes = bytes(map(results.outcomes.get, indexes, repeat(Outcome.FAILED)))
    return (
        number_array(outcomes),
        number_array(map(results.contact_ids.get, indexes)),
        _array_or_none(results.merged_into, indexes),
        _array_or_none({index: int(note) for index, note in results.notes.items()}, indexes),
        _fields_or_none(results.fields, indexes.start),
        number_array(map(outcomes.count, COUNTED)),
    )


def _array_or_none(values: Mapping[int, int], indexes: Iterable[int]) -> str | None:
    return number_array(map(values.get, indexes)) if values else None


def _fields_or_none(fields: Mapping[int, Sequence[str]], first_index: int) -> str | None:
    """Return fields as a JSON object, by the place of the item in the chunk, from 1 as in an array."""
    return json.dumps({index - first_index + 1: names for index, names in fields.items()}) if fields else None


async def tally(db: Pool, account_id: AccountId, job_id: JobId) -> Tally:
    """Return the item errors of a job and, if it has `max_errors`, its applied items."""
    row = await QUERIES.tally(db, account_id=account_id, id=job_id)
    return Tally(*row) if row else Tally(0, 0)


async def any_repeated(conn: Conn, account_id: AccountId, job_id: JobId) -> bool:
    """Return whether the results of a job name a contact more than once.

    The caller has lifted the time limit of statements, because this reads all results, possibly millions.
    """
    repeated: bool = await QUERIES.any_repeated(conn, account_id=account_id, id=job_id)
    return repeated


async def merge_repeated(conn: Conn, account_id: AccountId, job_id: JobId) -> None:
    """Merge the results of contacts that several chunks name into the result of the last item.

    Does nothing if the chunks did not run in parallel. The caller has lifted the time limit of statements,
    because this reads all results, possibly many millions.
    """
    await QUERIES.merge_repeated(conn, within=LONG_SECONDS, account_id=account_id, id=job_id)


async def fail_last(
    conn: Conn, account_id: AccountId, job_id: JobId, contact_id: int, chunks: Sequence[int]
) -> int | None:
    """Let the last item of a contact fail, and merge the earlier ones into it.

    `chunks` are the first indexes of the chunks that name the contact. Returns the index of the failed item,
    which needs an item error, or None if it has already failed.
    """
    rows = await QUERIES.fail_last(
        conn, account_id=account_id, id=job_id, contact_id=contact_id, chunks=chunks
    )
    return rows[0]["item_index"] if rows else None


async def add_errors(conn: Conn, account_id: AccountId, job_id: JobId, errors: Sequence[ItemError]) -> None:
    """Store item errors that the finish of the job found."""
    await QUERIES.add_errors(conn, account_id=account_id, id=job_id, **error_columns(errors))


async def errors(
    db: Pool, account_id: AccountId, job_id: JobId, after: int, size: int
) -> tuple[list[ItemError], bool]:
    """Return up to `size` item errors after an index, and whether there are more.

    Returns fewer if they exceed PAGE_BYTES, but at least one if there is any.
    """
    rows = await QUERIES.errors(db, account_id=account_id, id=job_id, after=after, size=size + 1)
    more = bool(rows) and rows[0]["candidates"] > len(rows[:size])
    page = [
        ItemError(
            index=row["item_index"],
            ref=row["ref"],
            field=row["field"],
            code=row["code"],
            message=row["message"],
            value=json.loads(row["value"] or "null"),
            item=json.loads(row["item"] or "null"),
        )
        for row in rows[:size]
    ]
    return page, more


async def error_pages(db: Pool, account_id: AccountId, job_id: JobId) -> AsyncIterator[list[ItemError]]:
    """Yield all item errors of a job in order, in pages, because each may contain an item of a megabyte."""
    after, more = -1, True
    while more:
        page, more = await errors(db, account_id, job_id, after, ERRORS_A_READ)
        if page:
            yield page
            after = page[-1].index


async def results(
    db: Pool, account_id: AccountId, job_id: JobId, after: int = -1
) -> AsyncIterator[ResultRow]:
    """Yield the results of all items after an index, in order."""
    while page := await result_page(db, account_id, job_id, after):
        for row in page:
            yield row
        after = page[-1].index


async def result_page(
    db: Pool, account_id: AccountId, job_id: JobId, after: int, *, chunks: int = CHUNKS_A_READ
) -> list[ResultRow]:
    """Return the results of the items after an index in `chunks` chunks; empty: there are no more."""
    rows = await QUERIES.results(
        db, account_id=account_id, id=job_id, after=after, chunks=chunks, chunk_items=CHUNK_ITEMS
    )
    return [_result_row(row) for row in rows]


def _result_row(row: Any) -> ResultRow:
    note = Note(row["note"]) if row["note"] else None
    return ResultRow(
        index=row["item_index"],
        outcome=Outcome(row["outcome"]),
        contact_id=row["contact_id"],
        merged_into=row["merged_into"],
        code=row["code"] or (note.word if note else None),
        message=row["message"] or (note.message if note else None),
        fields=json.loads(row["fields"]) if row["fields"] else None,
    )


def error_columns(errors: Sequence[ItemError]) -> dict[str, list[Any]]:
    """Return item errors as the parallel arrays that the queries take."""
    return {
        "error_indexes": [error.index for error in errors],
        "refs": [_text(error.ref) for error in errors],
        "fields": [_text(error.field) for error in errors],
        "codes": [str(error.code) for error in errors],
        "messages": [_text(error.message) for error in errors],
        "values": [_json(error.value) for error in errors],
        "items": [_json(error.item) for error in errors],
    }


def _text(value: str | None) -> str | None:
    # A client's text may contain NUL and unpaired surrogates, which a text column rejects.
    return value and value.encode(errors="backslashreplace").decode().replace("\0", "\\0")


def _json(value: Any) -> str:
    # ASCII only: NUL and unpaired surrogates stay escaped, and a json column accepts these escapes.
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> str:
    return str(value) if isinstance(value, UUID) else repr(value)
