"""The queries of requests."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from schemas.ids import JobId, Prefix, read_id, read_job_id
from schemas.operations import Operation
from schemas.states import JobState
from schemas.wire.resource_bodies import PropertyName, TeamId


class Query(BaseModel):
    """The parameters of a request; unknown parameters are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoQuery(Query):
    """There are no parameters."""


TEXT = WithJsonSchema({"type": "string"})  # as it stands in a query


def cursor_of(prefix: Prefix) -> Callable[[object], int]:
    """What reads the number behind a cursor, as a BeforeValidator."""

    def read(cursor: object) -> int:
        number = read_id(prefix, cursor)
        if number is None:
            raise PydanticCustomError("no_cursor", "write the next_cursor of another page")
        return number

    return read


MAX_WAIT_SECONDS = 60
MAX_CURSOR = 999_999_999  # an index


def _since(text: object) -> datetime:
    try:
        since = datetime.fromisoformat(str(text).replace(" ", "+"))  # a plus sign that was not escaped
        if since.tzinfo is not None:
            return since.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise PydanticCustomError("since", "write a time with its zone, like 2026-11-21T10:00:00Z")


def _before(text: object) -> JobId:
    job_id = read_job_id(str(text))
    if job_id is None:
        raise PydanticCustomError("cursor", "write the next_cursor of another page")
    return job_id


Since = Annotated[datetime, PlainValidator(_since, json_schema_input_type=AwareDatetime)]
Cursor = Annotated[JobId, PlainValidator(_before, json_schema_input_type=str)]


class JobsQuery(Query):
    """Which jobs, and how many of them."""

    limit: int = Field(20, ge=1, le=100)
    cursor: Cursor | None = None
    state: JobState | None = Field(None, description="Only jobs in this state.")
    operation: Operation | None = Field(None, description="Only jobs that do this.")
    since: Since | None = Field(
        None, description="Only jobs received at or after this time.", examples=["2026-11-21T10:00:00Z"]
    )


class JobQuery(Query):
    """Whether to wait for the job's end."""

    wait: Annotated[int, AfterValidator(lambda seconds: min(seconds, MAX_WAIT_SECONDS))] = Field(
        0, ge=0, description=f"Seconds to wait for the end of the job, {MAX_WAIT_SECONDS} at the most."
    )


class ResultsQuery(Query):
    """Which page of the results of a job's items, or of its item errors."""

    limit: int = Field(100, ge=1, le=1000)
    cursor: int | None = Field(
        None, ge=0, le=MAX_CURSOR, description="The `next_cursor` of another page: an index."
    )

    @property
    def after(self) -> int:
        """The index after which to go on; -1 at the beginning."""
        return -1 if self.cursor is None else self.cursor


class LongPageQuery(Query):
    """How many entries of a page that may be long."""

    limit: int = Field(100, ge=1, le=1000)


class MembersQuery(LongPageQuery):
    """Of contacts."""

    cursor: Annotated[int, BeforeValidator(cursor_of("ctc")), TEXT] = 0


class LabelsOfQuery(LongPageQuery):
    """Of a contact's labels."""

    cursor: Annotated[int, BeforeValidator(cursor_of("lbl")), TEXT] = 0


class ListsOfQuery(LongPageQuery):
    """Of a contact's lists."""

    cursor: Annotated[int, BeforeValidator(cursor_of("lst")), TEXT] = 0


class AudiencesOfQuery(LongPageQuery):
    """Of a contact's audiences."""

    cursor: Annotated[int, BeforeValidator(cursor_of("aud")), TEXT] = 0


class OptInsQuery(LongPageQuery):
    """Of a contact's opt-ins."""

    cursor: UUID | None = None


class PageQuery(Query):
    """How many entries; in the models below, after which one, and which."""

    limit: int = Field(default=20, ge=1, le=100)


class AccountsQuery(PageQuery):
    """The account of the key is the only one, so there is no cursor."""


class ListsQuery(PageQuery):
    """The archived lists, or else the active ones."""

    cursor: Annotated[int, BeforeValidator(cursor_of("lst")), TEXT] | None = None
    archived: bool = Field(default=False, description="The archived lists, in place of the active ones.")


class LabelsQuery(PageQuery):
    """All labels, or those of a team."""

    cursor: Annotated[int, BeforeValidator(cursor_of("lbl")), TEXT] | None = None
    team_id: Annotated[TeamId, TEXT] | None = Field(default=None, description="Only labels of this team.")


class TeamsQuery(PageQuery):
    """All teams."""

    cursor: Annotated[int, BeforeValidator(cursor_of("team")), TEXT] | None = None


class ChannelsQuery(PageQuery):
    """All channels."""

    cursor: UUID | None = None


class AudiencesQuery(PageQuery):
    """All audiences."""

    cursor: Annotated[int, BeforeValidator(cursor_of("aud")), TEXT] | None = None


class PropertiesQuery(PageQuery):
    """All properties, by name."""

    cursor: PropertyName | None = None


MAX_PAGE = 10**9  # with the largest limit, what is skipped is still a number for PostgreSQL


def _searchable(text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise PydanticCustomError("not_text", "holds a NUL character, or is not UTF-8: search for text")
    return text.strip()


class ContactsQuery(Query):
    """Which page of which contacts."""

    page: int = Field(1, ge=1, le=MAX_PAGE, description="Which page, from 1.")
    limit: int = Field(20, ge=1, le=100)
    search: Annotated[str, Field(max_length=255), AfterValidator(_searchable)] = Field(
        "", description="A part of the name, or of the phone number."
    )
