"""The bodies and the responses of the actions on all jobs that match a filter."""

from typing import Annotated

from pydantic import Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from schemas.ids import JobId, read_job_id
from schemas.wire.base import Wire
from schemas.wire.query_models import JobFilterQuery
from schemas.wire.resource_bodies import JsonBody

MAX_IDS = 1_000


def _job_id(text: object) -> JobId:
    job_id = read_job_id(text) if isinstance(text, str) else None
    if job_id is None:
        raise PydanticCustomError(
            "no_job", "is not the id of a job: send ids like job_01KANP8S3V0000000000000000"
        )
    return job_id


class JobsFilter(JobFilterQuery):
    """Which jobs: those that match every given field. At least one must be given."""

    ids: (
        Annotated[
            list[Annotated[JobId, PlainValidator(_job_id, json_schema_input_type=str)]],
            Field(max_length=MAX_IDS),
        ]
        | None
    ) = Field(None, description=f"Only jobs with these ids, at most {MAX_IDS}.")

    @model_validator(mode="after")
    def _something(self) -> "JobsFilter":
        if self == JobsFilter.model_construct():
            raise PydanticCustomError(
                "empty_filter", "names no field, and would match all jobs: give at least one"
            )
        return self


class JobsAction(JsonBody):
    """An action on the jobs that match. It changes nothing unless `preview` is false."""

    filter: JobsFilter
    preview: bool = Field(True, strict=True, description="Count the jobs, and change nothing.")
    expected: int | None = Field(
        None, ge=0, strict=True, description="Do nothing unless so many jobs match, as a preview has shown."
    )


class SkippedJob(Wire):
    """A job that was left as it is, and why."""

    id: str
    code: str


class ActedJobs(Wire):
    """What an action did. `matched` is the number of jobs on which it can act."""

    preview: bool
    matched: int
    remaining: int  # jobs that were not reached: send the request again
    stopped: str | None  # why jobs remain: `time`, or the code of a limit
    skipped: list[SkippedJob]  # at most 1,000
    jobs: list[str]  # at most 1,000; in a preview, the 20 oldest jobs that match


class CancelledJobs(ActedJobs):
    """The jobs that were cancelled. A worker ends those that are queued or running within seconds."""

    cancelled: int


class RetriedJobs(ActedJobs):
    """The retries, one for each job, with its id as `parent_id`."""

    retried: int
