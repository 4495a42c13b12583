"""The models of the queries of pages. A form sends a field that was left empty as an empty text."""

import re
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator
from pydantic_core import PydanticCustomError

from schemas.formats.file_name import MAX_FILE_NAME
from schemas.ids import JobId, read_job_id
from schemas.operations import Operation
from schemas.wire.query_models import (
    MAX_CURSOR,
    DeliveriesQuery,
    JobName,
    JobsQuery,
    JobTag,
    Moment,
    Query,
    SearchText,
    cursor_of,
)


def _blank(text: object) -> object:
    return None if isinstance(text, str) and not text.strip() else text


def in_utc(text: object) -> object:
    """Complete a time that an input has written without its zone: pages show times in UTC."""
    return f"{text}Z" if isinstance(text, str) and WITHOUT_ZONE.fullmatch(text) else _blank(text)


WITHOUT_ZONE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")
BLANK = BeforeValidator(_blank)
Text = Annotated[SearchText | None, BLANK]


class JobsPageQuery(JobsQuery):
    """The filters and the page of the list of jobs, as its form sends them."""

    operation: Annotated[Operation | None, BLANK] = None
    name: Annotated[JobName | None, BLANK] = None
    tag: Annotated[JobTag | None, BLANK] = None
    since: Annotated[Moment | None, BeforeValidator(in_utc)] = None
    until: Annotated[Moment | None, BeforeValidator(in_utc)] = None


class JobPageQuery(Query):
    """Which errors or results of a job a page shows: the matching ones from an index on.

    `row` is a place as a person counts, in a spreadsheet for example. It becomes an index by `in_file`.
    """

    show: Literal["errors", "results"] = "errors"
    index: Annotated[int | None, BLANK] = Field(None, ge=0, le=MAX_CURSOR)
    row: Annotated[int | None, BLANK] = Field(None, ge=0, le=MAX_CURSOR)
    code: Text = None
    field: Text = None
    text: Text = None
    outcome: Annotated[
        Literal["created", "updated", "unchanged", "merged", "skipped", "failed", "cancelled"] | None, BLANK
    ] = None

    @property
    def after(self) -> int:
        """The index after which the page begins; -1 for the first page."""
        return -1 if self.index is None else self.index - 1

    def in_file(self, first_row: int) -> Self:
        """Return the query with an index in place of a row, in a file whose first item is in `first_row`."""
        if self.row is None:
            return self
        return self.model_copy(update={"index": max(self.row - first_row, 0), "row": None})


class WebhookPageQuery(DeliveriesQuery):
    """Which deliveries the page of a webhook shows. `replayed`: so many were just queued again."""

    replayed: int | None = Field(default=None, ge=0, le=MAX_CURSOR)


class UploadQuery(Query):
    """`check` is the id of the dry run whose result the page of an upload shows."""

    check: Text = None


class PreviewQuery(Query):
    """What is known of the file whose first bytes are the body; `size` is that of the whole file."""

    operation: Operation
    size: int = Field(ge=0)
    file_name: str = Field(default="", max_length=MAX_FILE_NAME)
    charset: str | None = Field(default=None, max_length=40)


def _place(text: object) -> tuple[JobId, int]:
    """Read a job and the index of an item, as in `job_….1000`."""
    name, _, digits = str(text).partition(".")
    job_id, is_number = read_job_id(name), digits.isascii() and digits.isdigit() and len(digits) < 10
    if job_id is None or not is_number or int(digits) > MAX_CURSOR:
        raise PydanticCustomError("no_cursor", "is not a place in the jobs: begin with the newest jobs")
    return job_id, int(digits)


class ContactsPageQuery(Query):
    """The search of the page of contacts; `cursor` is the last contact of the page before."""

    search: SearchText = ""
    cursor: Annotated[int, BeforeValidator(cursor_of("ctc"))] | None = None


class ContactPageQuery(Query):
    """Where the look for the jobs of a contact begins; absent: with the newest job."""

    jobs: Annotated[tuple[JobId, int], PlainValidator(_place)] | None = None


class OwnerPageQuery(Query):
    """The page of the members of a list, a label or an audience; `cursor` is the last of the page before."""

    cursor: Annotated[int, BeforeValidator(cursor_of("ctc"))] = 0
