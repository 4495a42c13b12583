"""What can be asked of jobs and of their answers, in the query of a request."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, PlainValidator
from pydantic_core import PydanticCustomError

from schemas.ids import JobId, read_job_id
from schemas.queries import Query
from schemas.states import JobState, Operation

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


Moment = Annotated[datetime, PlainValidator(_since, json_schema_input_type=AwareDatetime)]
Cursor = Annotated[JobId, PlainValidator(_before, json_schema_input_type=str)]


class JobsQuery(Query):
    """Which jobs, and how many of them."""

    limit: int = Field(20, ge=1, le=100)
    cursor: Cursor | None = None
    state: JobState | None = Field(None, description="Only jobs in this state.")
    operation: Operation | None = Field(None, description="Only jobs that do this.")
    since: Moment | None = Field(
        None, description="Only jobs received at or after this time.", examples=["2026-11-21T10:00:00Z"]
    )


class JobQuery(Query):
    """Whether to wait for the job's end."""

    wait: Annotated[int, AfterValidator(lambda seconds: min(seconds, MAX_WAIT_SECONDS))] = Field(
        0, ge=0, description=f"Seconds to wait for the end of the job, {MAX_WAIT_SECONDS} at the most."
    )


class AnswersQuery(Query):
    """Which page of the answers of a job's items."""

    limit: int = Field(100, ge=1, le=1000)
    cursor: int | None = Field(
        None, ge=0, le=MAX_CURSOR, description="The `next_cursor` of another page: an index."
    )

    @property
    def after(self) -> int:
        """The index after which to go on; -1 at the beginning."""
        return -1 if self.cursor is None else self.cursor
