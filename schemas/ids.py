"""The types of ids, and ids as text: a prefix, then a ULID or a number written as a ULID."""

from datetime import datetime
from typing import Literal, NewType
from uuid import UUID

from ulid import ULID

AccountId = NewType("AccountId", int)
ContactId = NewType("ContactId", int)
JobId = NewType("JobId", UUID)
UploadId = NewType("UploadId", UUID)
WorkerId = NewType("WorkerId", UUID)

Prefix = Literal["ctc", "lbl", "lst", "aud", "team"]  # contacts, labels, contact lists, audiences, teams

MAX_NUMBER = 2**63 - 1  # the largest bigint


def show_id(prefix: Prefix, number: int) -> str:
    """Return the prefix and 26 characters, as in `ctc_0000000000000000000000001A`."""
    return f"{prefix}_{ULID.from_int(number)}"


def read_id(prefix: Prefix, value: object) -> int | None:
    """Return the number in `prefix_…`, a number or its digits; None if it is not an id of this kind.

    "007" is not an id: it may be a client's own id of something else than 7.
    """
    match value:
        case bool():
            return None
        case int(number):
            pass
        case str(text) if text.isascii() and text.isdigit() and len(text) <= 19 and text[0] != "0":
            number = int(text)
        case str(text) if text.startswith(f"{prefix}_"):
            number = _number(text.removeprefix(f"{prefix}_"))
        case _:
            return None
    return number if 0 < number <= MAX_NUMBER else None


def show_account_id(account_id: AccountId) -> str:
    """Return `org_` and the number, as in `org_1`."""
    return f"org_{account_id}"


def read_account_id(text: str) -> AccountId | None:
    """Return the number in `org_…`; None if the text is not the id of an account."""
    digits = text.removeprefix("org_")
    if digits == text or not digits.isascii() or not digits.isdigit() or len(digits) > 19:
        return None
    return AccountId(int(digits)) if 0 < int(digits) <= MAX_NUMBER else None


def read_channel_id(value: object) -> UUID | None:
    """Return the id of a channel; None if the value is not the text of a UUID."""
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def new_job_id() -> JobId:
    """Return a new id; ids made later are greater."""
    return JobId(ULID().to_uuid())


def last_job_id(at: datetime) -> JobId:
    """Return the greatest id that can be made in the millisecond of a time."""
    return JobId(UUID(int=int(ULID.from_datetime(at)) | (1 << 80) - 1))


def show_job_id(job_id: JobId) -> str:
    """Return `job_` and the 26 characters of the ULID."""
    return f"job_{ULID.from_uuid(job_id)}"


def read_job_id(text: str) -> JobId | None:
    """Return the job id in `text`; None if it is not a job id."""
    found = _ulid("job", text)
    return None if found is None else JobId(found)


def new_upload_id() -> UploadId:
    """Return a new id of a resumable upload; ids made later are greater."""
    return UploadId(ULID().to_uuid())


def show_upload_id(upload_id: UploadId) -> str:
    """Return `upl_` and the 26 characters of the ULID."""
    return f"upl_{ULID.from_uuid(upload_id)}"


def read_upload_id(text: str) -> UploadId | None:
    """Return the id of a resumable upload in `text`; None if it is not one."""
    found = _ulid("upl", text)
    return None if found is None else UploadId(found)


def new_erasure_id() -> UUID:
    """Return a new id of an erasure; ids made later are greater."""
    return ULID().to_uuid()


def show_erasure_id(erasure_id: UUID) -> str:
    """Return `ers_` and the 26 characters of the ULID."""
    return f"ers_{ULID.from_uuid(erasure_id)}"


def read_erasure_id(text: str) -> UUID | None:
    """Return the id of an erasure in `text`; None if it is not one."""
    return _ulid("ers", text)


def new_webhook_id() -> str:
    """Return `wh_` and a new ULID."""
    return f"wh_{ULID()}"


def show_message_id(message_id: UUID) -> str:
    """Return `msg_` and 26 characters: the id of a message to a webhook, the same in every attempt."""
    return f"msg_{ULID.from_uuid(message_id)}"


def read_message_id(text: str) -> UUID | None:
    """Return the message id in `text`; None if it is not one."""
    prefix, _, rest = text.partition("_")
    if prefix != "msg":
        return None
    try:
        return ULID.from_str(rest.upper()).to_uuid()
    except ValueError:
        return None


def new_request_id() -> str:
    """Return `req_` and a new ULID."""
    return f"req_{ULID()}"


def _ulid(prefix: str, text: str) -> UUID | None:
    """Return the UUID in `prefix_…`; None if the text is no such id."""
    found, _, rest = text.partition("_")
    if found != prefix:
        return None
    try:
        return ULID.from_str(rest.upper()).to_uuid()
    except ValueError:
        return None


def _number(text: str) -> int:
    try:
        return int(ULID.from_str(text.upper()))
    except ValueError:
        return 0
