"""The registry of operations: one entry each, with everything that is fixed for the operation.

`worker.operations` applies them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.formats.csv_header import UnknownColumns
from schemas.ids import show_id
from schemas.items import contacts, references, undone
from schemas.items.dates import DateFormat
from schemas.items.reader import Reader


class Operation(StrEnum):
    """What a job does to each of its items."""

    CONTACTS_UPSERT = "contacts.upsert"
    CONTACTS_DELETE = "contacts.delete"
    PREFERENCES_SET = "preferences.set"
    LABELS_ATTACH = "labels.attach"
    LABELS_DETACH = "labels.detach"
    LISTS_ADD = "lists.add"
    LISTS_REMOVE = "lists.remove"
    LISTS_OVERWRITE = "lists.overwrite"
    AUDIENCES_ADD = "audiences.add"
    JOBS_UNDO = "jobs.undo"  # made by POST /v1/jobs/{id}/undo alone


MatchOn = Literal["auto", "phone", "external_id"]


class NewerJob(Exception):
    """This release does not know the operation of a job, or one of its parameters: a newer one stored it."""


class JobParams(BaseModel):
    """The parameters of a job, as stored with it: every id is resolved and belongs to the account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str | None = None  # ISO 3166 region of bare phone numbers
    match_on: MatchOn = "auto"  # how an upsert finds its contact: see worker.operations.resolve
    date_format: DateFormat | None = None  # the order of day, month and year in dates of text
    required: tuple[str, ...] = ()  # fields that every item must have besides those that its type requires
    preference: str | None = None
    default_preference: str | None = None  # of a contact that has none
    label_id: int | None = None
    list_id: int | None = None
    audience_id: int | None = None
    channels: tuple[UUID, ...] = ()  # to opt the contacts in to
    override_opt_outs: bool = False
    max_errors: str | None = None  # see schemas.error_limit
    unknown_columns: UnknownColumns = "refuse"  # of CSV only if they are kept: its layout leaves them out
    undoes: UUID | None = None  # the job that this one undoes
    force: bool = False  # an undo overrides what somebody else has changed since
    stream: str | None = None  # of the job that is undone

    def to_json(self) -> str:
        """Return the JSON to store; defaults are left out."""
        return self.model_dump_json(exclude_defaults=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemKind:
    """The items of an operation: their type, the columns of a CSV file, and their reader."""

    type: Any
    columns: tuple[str, ...]
    known_column: Callable[[str], str | None]
    reader: Reader


def _kind(type_: Any, columns: tuple[str, ...], known_column: Callable[[str], str | None]) -> ItemKind:
    return ItemKind(
        type=type_, columns=columns, known_column=known_column, reader=Reader(type_, known_column)
    )


CONTACT = _kind(contacts.ContactItem, contacts.FIELDS, contacts.known_column)
BY_ID = _kind(references.ById, references.NAMES, references.known_column)
BY_PHONE = _kind(references.ByPhone, references.NAMES, references.known_column)
UNDONE = _kind(undone.UndoItem, undone.COLUMNS, undone.known_column)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """The entry of one operation in the registry.

    `summary` and `example` (a few items) are for the documentation. `stream` is the template of the stream's
    name, with the parameters of the job as `{params.label_id}`: the jobs of a stream change the same data and
    take effect in the order of acceptance. `needs` is the required parameter, `takes` are the optional ones.
    `in_order`: chunks of a job must not run in parallel. `whole`: the window never splits a chunk.
    `internal`: no client sends its items.
    """

    summary: str
    items: ItemKind
    example: list[Any]
    stream: str
    needs: str | None = None
    takes: tuple[str, ...] = ()
    in_order: bool = False
    whole: bool = False
    internal: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of all parameters, the required one first."""
        return (*((self.needs,) if self.needs else ()), *self.takes, *ALWAYS)


# parameters that every operation takes
ALWAYS = ("name", "tags", "region", "parallel", "dry_run", "max_errors", "unknown_columns", "sheet")
OPT_IN = ("opt_in_to", "opt_in_to_all_channels", "override_opt_outs")

CONTACTS_EXAMPLE = [{"phone": "+919876543210", "name": "Priya Sharma", "metadata": {"city": "Mumbai"}}]
REFERENCES_EXAMPLE = [show_id("ctc", 1), {"external_id": "crm-17"}]

OPERATIONS: dict[Operation, Traits] = {
    Operation.CONTACTS_UPSERT: Traits(
        summary="Create or update contacts, any number of them",
        items=CONTACT,
        example=CONTACTS_EXAMPLE,
        stream="contacts",
        takes=("match_on", "date_format"),
    ),
    Operation.CONTACTS_DELETE: Traits(
        summary="Delete contacts",
        items=BY_ID,
        example=[show_id("ctc", 7), {"external_id": "crm-17"}],
        stream="contacts",
        in_order=True,
        whole=True,
    ),
    Operation.PREFERENCES_SET: Traits(
        summary="Set the communication preference of contacts",
        items=BY_PHONE,
        example=["+919876543210", {"external_id": "crm-17"}],
        stream="preferences",
        needs="preference",
    ),
    Operation.LABELS_ATTACH: Traits(
        summary="Attach a label to contacts",
        items=BY_ID,
        example=REFERENCES_EXAMPLE,
        stream="label:{params.label_id}",
        needs="label_id",
        whole=True,
    ),
    Operation.LABELS_DETACH: Traits(
        summary="Detach a label from contacts",
        items=BY_ID,
        example=REFERENCES_EXAMPLE,
        stream="label:{params.label_id}",
        needs="label_id",
        whole=True,
    ),
    Operation.LISTS_ADD: Traits(
        summary="Create or update contacts, and add them to a list",
        items=CONTACT,
        example=CONTACTS_EXAMPLE,
        stream="contacts",
        needs="list_id",
        takes=("match_on", "date_format", *OPT_IN),
    ),
    Operation.LISTS_REMOVE: Traits(
        summary="Create or update contacts, and remove them from a list",
        items=CONTACT,
        example=CONTACTS_EXAMPLE,
        stream="contacts",
        needs="list_id",
        takes=("match_on", "date_format"),
    ),
    Operation.LISTS_OVERWRITE: Traits(
        summary="Create or update contacts, and make them all that is in a list",
        items=CONTACT,
        example=CONTACTS_EXAMPLE,
        stream="contacts",
        needs="list_id",
        takes=("match_on", "date_format", *OPT_IN),
    ),
    Operation.AUDIENCES_ADD: Traits(
        summary="Add contacts to an audience",
        items=BY_ID,
        example=REFERENCES_EXAMPLE,
        stream="audience:{params.audience_id}",
        needs="audience_id",
    ),
    Operation.JOBS_UNDO: Traits(
        summary="Undo a job",
        items=UNDONE,
        example=[],
        stream="{params.stream}",
        whole=True,
        internal=True,
    ),
}
# the operations of POST /v1/bulk/{operation}
BULK_OPERATIONS = tuple(operation for operation, traits in OPERATIONS.items() if not traits.internal)


def stream_of(operation: Operation, params: JobParams) -> str:
    """Return the name of a job's stream."""
    return OPERATIONS[operation].stream.format(params=params)


def facts_of(operation: str, params: str) -> dict[str, Any]:
    """Return the `operation` of a stored job, and its `params`, which are given as JSON.

    If one of them is unknown, the operation is no Operation. This raises no NewerJob, because one such job
    among several that are claimed at once must not affect the others.
    """
    try:
        return {"operation": operation, "params": JobParams.model_validate_json(params)}
    except ValidationError:
        return {"operation": f"{operation} with the parameters {params}", "params": JobParams()}
