"""The models of the queries of requests."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from schemas.ids import MAX_NUMBER, JobId, Prefix, read_id, read_job_id, show_job_id
from schemas.operations import Operation
from schemas.states import JobState
from schemas.webhooks.event_types import DeliveryState
from schemas.webhooks.urls import WebhookId
from schemas.wire.resource_bodies import PropertyName, TeamId


class Query(BaseModel):
    """The query parameters of a request; unknown parameters are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class NoQuery(Query):
    """A query without parameters."""


TEXT = WithJsonSchema({"type": "string"})  # in a query, the value is text


def cursor_of(prefix: Prefix) -> Callable[[object], int]:
    """Return the function for a BeforeValidator that reads the number in a cursor."""

    def read(cursor: object) -> int:
        number = read_id(prefix, cursor)
        if number is None:
            raise PydanticCustomError("no_cursor", "is not a cursor: send the next_cursor of another page")
        return number

    return read


def _searchable(text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise PydanticCustomError("not_text", "has a NUL character, or is not UTF-8: send valid text")
    return text.strip()


def _history_place(text: object) -> tuple[JobId, int, int, int]:
    """Read a job, the index of an item, and the numbers of two changes, as in `job_….1000.7.12`."""
    name, *digits = str(text).split(".")
    job_id = read_job_id(name)
    numbers = [int(part) for part in digits if part.isascii() and part.isdigit() and len(part) <= 19]
    if job_id is None or len(digits) != 3 or len(numbers) != 3 or max(numbers) > MAX_NUMBER:
        raise PydanticCustomError("no_cursor", "is not a cursor: send the next_cursor of another page")
    return job_id, min(numbers[0], 2**31), numbers[1], numbers[2]


SearchText = Annotated[str, Field(max_length=255), AfterValidator(_searchable)]
JobName = Annotated[
    str,
    AfterValidator(_searchable),
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
]
JobTag = Annotated[
    str,
    AfterValidator(_searchable),
    StringConstraints(strip_whitespace=True, min_length=1, max_length=50),
]

MAX_WAIT_SECONDS = 60
MAX_CURSOR = 999_999_999  # larger than any index


def _moment(text: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text).replace(" ", "+"))  # an unescaped plus sign
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise PydanticCustomError("moment", "is not a time: write one with its zone, like 2026-11-21T10:00:00Z")


@dataclass(frozen=True, slots=True)
class JobCursor:
    """A cursor of a list of jobs: the page is beside a job, on the side of the older or the newer ones."""

    beside: JobId
    newer: bool

    def __str__(self) -> str:
        return f"{NEWER if self.newer else ''}{show_job_id(self.beside)}"


NEWER = "newer_"  # before the id of the job in a cursor


def _job_cursor(text: object) -> JobCursor:
    job_id = read_job_id(str(text).removeprefix(NEWER))
    if job_id is None:
        raise PydanticCustomError("cursor", "is not a cursor: send next_cursor or previous_cursor of a page")
    return JobCursor(job_id, str(text).startswith(NEWER))


def listed(value: object) -> object:
    """Split a text at its commas; return any other value as it is."""
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


Moment = Annotated[datetime, PlainValidator(_moment, json_schema_input_type=AwareDatetime)]
Cursor = Annotated[JobCursor, PlainValidator(_job_cursor, json_schema_input_type=str)]
States = Annotated[tuple[JobState, ...], BeforeValidator(listed)]


class JobFilterQuery(Query):
    """The filters of jobs. A job must match all that are given."""

    state: States = Field((), description="Only jobs in one of these states, separated by commas.")
    operation: Operation | None = Field(None, description="Only jobs of this operation.")
    name: JobName | None = Field(
        None, description="Only jobs with this name; `import*` finds all names that begin with `import`."
    )
    tag: JobTag | None = Field(None, description="Only jobs with this tag.")
    since: Moment | None = Field(
        None, description="Only jobs received at or after this time.", examples=["2026-11-21T10:00:00Z"]
    )
    until: Moment | None = Field(
        None, description="Only jobs received before this time.", examples=["2026-11-22T10:00:00Z"]
    )


class JobsQuery(JobFilterQuery):
    """The filters and the page of a list of jobs."""

    limit: int = Field(20, ge=1, le=100)
    cursor: Cursor | None = None


class JobQuery(Query):
    """How long to wait for the end of the job."""

    wait: Annotated[int, AfterValidator(lambda seconds: min(seconds, MAX_WAIT_SECONDS))] = Field(
        0, ge=0, description=f"Seconds to wait for the end of the job, at most {MAX_WAIT_SECONDS}."
    )


class ResultsQuery(Query):
    """The page of the results or of the item errors of a job."""

    limit: int = Field(100, ge=1, le=1000)
    cursor: int | None = Field(
        None, ge=0, le=MAX_CURSOR, description="The `next_cursor` of another page: an index."
    )
    format: Literal["json", "csv", "ndjson"] | None = Field(
        None, description="The format of the response, in place of the `Accept` header: for links."
    )
    formulas: Literal["keep", "escape"] = Field(
        "keep", description="CSV: `escape` puts a ' before a cell that a spreadsheet would run as a formula."
    )
    bom: bool = Field(
        False, description="CSV: begin with a byte-order mark, by which Excel knows that the file is UTF-8."
    )

    @property
    def after(self) -> int:
        """The index after which the page begins; -1 for the first page."""
        return -1 if self.cursor is None else self.cursor


class LongPageQuery(Query):
    """The size of a page of at most 1,000 entries."""

    limit: int = Field(100, ge=1, le=1000)


class MembersQuery(LongPageQuery):
    """The page of the members of a list, a label or an audience."""

    cursor: Annotated[int, BeforeValidator(cursor_of("ctc")), TEXT] = 0


class LabelsOfQuery(LongPageQuery):
    """The page of a contact's labels."""

    cursor: Annotated[int, BeforeValidator(cursor_of("lbl")), TEXT] = 0


class ListsOfQuery(LongPageQuery):
    """The page of a contact's lists."""

    cursor: Annotated[int, BeforeValidator(cursor_of("lst")), TEXT] = 0


class AudiencesOfQuery(LongPageQuery):
    """The page of a contact's audiences."""

    cursor: Annotated[int, BeforeValidator(cursor_of("aud")), TEXT] = 0


class OptInsQuery(LongPageQuery):
    """The page of a contact's opt-ins."""

    cursor: UUID | None = None


class HistoryQuery(Query):
    """Where the history of a contact goes on."""

    cursor: Annotated[tuple[JobId, int, int, int] | None, PlainValidator(_history_place), TEXT] = None


class PageQuery(Query):
    """The size of a page of at most 100 entries; the models below add a cursor and filters."""

    limit: int = Field(default=20, ge=1, le=100)


class AccountsQuery(PageQuery):
    """The page of accounts; without a cursor, because a key has one account."""


class ListsQuery(PageQuery):
    """The page of the active lists, or of the archived ones."""

    cursor: Annotated[int, BeforeValidator(cursor_of("lst")), TEXT] | None = None
    archived: bool = Field(default=False, description="The archived lists instead of the active ones.")


class LabelsQuery(PageQuery):
    """The page of all labels, or of the labels of a team."""

    cursor: Annotated[int, BeforeValidator(cursor_of("lbl")), TEXT] | None = None
    team_id: Annotated[TeamId, TEXT] | None = Field(default=None, description="Only labels of this team.")


class TeamsQuery(PageQuery):
    """The page of teams."""

    cursor: Annotated[int, BeforeValidator(cursor_of("team")), TEXT] | None = None


class ChannelsQuery(PageQuery):
    """The page of channels."""

    cursor: UUID | None = None


class AudiencesQuery(PageQuery):
    """The page of audiences."""

    cursor: Annotated[int, BeforeValidator(cursor_of("aud")), TEXT] | None = None


class WebhooksQuery(PageQuery):
    """The page of webhooks."""

    cursor: WebhookId | None = None


class DeliveriesQuery(PageQuery):
    """The page of deliveries to a webhook, the newest first, all or those in one state."""

    cursor: int | None = Field(default=None, ge=1, le=MAX_NUMBER)
    state: DeliveryState | None = Field(default=None, description="Only deliveries in this state.")


class PropertiesQuery(PageQuery):
    """The page of properties, which are sorted by name."""

    cursor: PropertyName | None = None


MAX_PAGE = 10**9  # with the largest limit, the offset still fits a bigint


class ContactsQuery(Query):
    """The search and the page of a list of contacts."""

    page: int = Field(1, ge=1, le=MAX_PAGE, description="The number of the page, from 1.")
    limit: int = Field(20, ge=1, le=100)
    search: SearchText = Field("", description="A part of the name, or of the phone number.")
