"""Types of ids, and how ids look to a client: a prefix, and a ULID or a number."""

from typing import NewType
from uuid import UUID

from ulid import ULID

AccountId = NewType("AccountId", int)
ContactId = NewType("ContactId", int)
JobId = NewType("JobId", UUID)
WorkerId = NewType("WorkerId", UUID)


def new_job_id() -> JobId:
    """A fresh id; ids made later are greater."""
    return JobId(ULID().to_uuid())


def show_job_id(job_id: JobId) -> str:
    """`job_` and the 26 characters of the ULID."""
    return f"job_{ULID.from_uuid(job_id)}"


def read_job_id(text: str) -> JobId | None:
    """The job id in `text`, or None where it is none."""
    prefix, _, rest = text.partition("_")
    if prefix != "job":
        return None
    try:
        return JobId(ULID.from_str(rest.upper()).to_uuid())
    except ValueError:
        return None


def new_request_id() -> str:
    """`req_` and a fresh ULID."""
    return f"req_{ULID()}"
