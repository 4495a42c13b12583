"""The models of the queries of pages. A form sends a field that was left empty as an empty text."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from schemas.formats.file_name import MAX_FILE_NAME
from schemas.operations import Operation
from schemas.wire.query_models import MAX_CURSOR, JobName, JobsQuery, JobTag, Moment, Query, SearchText


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
    """Which errors or results of a job a page shows: the matching ones from an index on."""

    show: Literal["errors", "results"] = "errors"
    index: Annotated[int | None, BLANK] = Field(None, ge=0, le=MAX_CURSOR)
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


class UploadQuery(Query):
    """`check` is the id of the dry run whose result the page of an upload shows."""

    check: Text = None


class PreviewQuery(Query):
    """What is known of the file whose first bytes are the body; `size` is that of the whole file."""

    operation: Operation
    size: int = Field(ge=0)
    file_name: str = Field(default="", max_length=MAX_FILE_NAME)
    charset: str | None = Field(default=None, max_length=40)
