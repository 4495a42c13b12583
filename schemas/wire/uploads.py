"""The models of resumable uploads."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

from schemas.ids import UploadId, read_upload_id
from schemas.operations import Operation
from schemas.wire.base import Wire
from schemas.wire.bulk_query import BulkQuery
from schemas.wire.jobs import JobError
from schemas.wire.query_models import PageQuery


class UploadView(Wire):
    """A resumable upload. `complete`: its job was accepted, or it was refused."""

    id: str
    operation: Operation
    offset: int  # bytes that have arrived
    length: int | None  # of all bytes; null: the client has not told yet
    complete: bool
    job_id: str | None
    error: JobError | None  # why its bytes can be no job
    content_type: str | None
    file_name: str | None
    created_at: datetime
    expires_at: datetime


def _upload_cursor(text: object) -> UploadId:
    upload_id = read_upload_id(str(text))
    if upload_id is None:
        raise PydanticCustomError("cursor", "is not a cursor: send the next_cursor of another page")
    return upload_id


class UploadsQuery(PageQuery):
    """The page of unfinished uploads."""

    cursor: Annotated[UploadId, PlainValidator(_upload_cursor, json_schema_input_type=str)] | None = None


class NewUploadQuery(BulkQuery):
    """The operation of a new upload, and the parameters that it takes."""

    operation: Operation = Field(description="the operation, as in `POST /v1/bulk/{operation}`")
