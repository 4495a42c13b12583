"""The id of a job in the path of a request."""

from typing import Annotated

from aiohttp import web

from api.http.context import scope
from api.http.path_id import PathId
from schemas.ids import JobId, read_job_id
from storage.pipeline import jobs


async def _known(request: web.Request, text: str) -> JobId | None:
    """Return the job that the path names; None if it does not exist."""
    job_id = read_job_id(text)
    known = job_id is not None and await jobs.state_of(*scope(request), job_id) is not None
    return job_id if known else None


JOB = PathId(name="job", param="job_id", read=read_job_id, code="unknown_job")
KNOWN_JOB = PathId(name="job", param="job_id", look_up=_known, code="unknown_job")
JobIdInPath = Annotated[JobId, JOB]
KnownJobId = Annotated[JobId, KNOWN_JOB]
