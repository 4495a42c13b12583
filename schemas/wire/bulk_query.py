"""The query of a native bulk request, before its ids are resolved."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from schemas.error_limit import read_max_errors
from schemas.formats.csv_header import UnknownColumns
from schemas.items.dates import DateFormat
from schemas.items.phone import is_region
from schemas.operations import MatchOn
from schemas.wire.query_models import JobName, JobTag, Query, listed

MAX_PARALLEL = 64
MAX_TAGS = 20  # of a job


def _region(code: str | None) -> str | None:
    if code is not None and not is_region(code.upper()):
        raise ValueError("is not a region: write two letters of ISO 3166, like IN or US")
    return code and code.upper()


def _max_errors(text: str | None) -> str | None:
    return None if text is None else read_max_errors(text)


def _distinct(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))


def _no_prefix(name: str) -> str:
    if name.endswith("*"):
        raise ValueError("ends with *, which marks the beginning of a name in a filter: leave it out")
    return name


class NewJobQuery(Query):
    """The parameters of every request that makes a job."""

    name: Annotated[JobName, AfterValidator(_no_prefix)] | None = Field(
        default=None, description="a name for the job, by which it can be found", examples=["spring import"]
    )
    tags: Annotated[
        tuple[JobTag, ...], Field(max_length=MAX_TAGS), BeforeValidator(listed), AfterValidator(_distinct)
    ] = Field(default=(), description=f"at most {MAX_TAGS} tags for the job, separated by commas")
    parallel: int | None = Field(default=None, ge=1, le=MAX_PARALLEL, description="the most chunks in flight")
    dry_run: bool = Field(default=False, description="report the result of each item, and change nothing")


class UndoQuery(NewJobQuery):
    """The parameters of `POST /v1/jobs/{id}/undo`."""

    force: bool = Field(default=False, description="also undo what somebody else has changed since the job")


class BulkQuery(NewJobQuery):
    """The parameters of `POST /v1/bulk/{operation}`; which of them an operation takes is in OPERATIONS."""

    region: Annotated[str | None, AfterValidator(_region)] = Field(
        default=None, description="ISO 3166 region of phone numbers without a country code", examples=["IN"]
    )
    max_errors: Annotated[str | None, AfterValidator(_max_errors)] = Field(
        default=None,
        description="stop the job when more items fail: a number, or a percentage of the applied items",
        examples=["100", "5%"],
    )
    unknown_columns: UnknownColumns = Field(
        default="refuse",
        description="columns that are no fields, and such members of JSON items: `ignore` leaves them out, "
        "`keep` also returns them with the results",
    )
    sheet: str | None = Field(
        default=None, min_length=1, max_length=100, description="Excel: the sheet; by default the first one"
    )
    match_on: MatchOn = Field(default="auto", description="how an item finds its contact")
    date_format: DateFormat | None = Field(
        default=None, description="the order of day, month and year in dates such as 05/06/1990"
    )
    list_id: str | None = Field(
        default=None, description="the contact list", examples=["lst_00000000000000000000000001"]
    )
    label_id: str | None = Field(
        default=None, description="the label", examples=["lbl_00000000000000000000000001"]
    )
    audience_id: str | None = Field(
        default=None, description="the audience", examples=["aud_00000000000000000000000001"]
    )
    preference: str | None = Field(
        default=None, description="the communication preference", examples=["mute_all"]
    )
    opt_in_to: Annotated[tuple[str, ...] | None, BeforeValidator(listed)] = Field(
        default=None, description="channels to opt the contacts in to: ids or phones, separated by commas"
    )
    opt_in_to_all_channels: bool | None = Field(default=None, description="true unless opt_in_to is given")
    override_opt_outs: bool = Field(
        default=False, description="also opt in contacts that have opted out of a channel"
    )
