"""The parameters of a bulk request, and the filters of jobs. A test compares them with the service."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict

from bulklane.models import JobState, Operation


class BulkParameters(TypedDict, total=False):
    """The parameters of `submit` that go to the service as they are. None counts as not given."""

    list_id: str | int | None
    label_id: str | int | None
    audience_id: str | int | None
    preference: str | None
    match_on: Literal["auto", "phone", "external_id"] | None
    opt_in_to: Sequence[str] | None
    opt_in_to_all_channels: bool | None
    override_opt_outs: bool | None
    dry_run: bool | None
    max_errors: int | str | None
    name: str | None
    tags: Sequence[str] | None
    region: str | None
    parallel: int | None
    sheet: str | None
    date_format: Literal["dmy", "mdy", "ymd"] | None
    unknown_columns: Literal["refuse", "ignore", "keep"] | None


class JobFilter(TypedDict, total=False):
    """Which jobs: those that match every given field. `name` may end with `*`."""

    state: JobState | Sequence[JobState] | None
    operation: Operation | None
    name: str | None
    tag: str | None
    since: datetime | str | None
    until: datetime | str | None


def column_map(columns: Mapping[str, str | None] | None) -> dict[str, str]:
    """Return the parameters that map columns to fields; None leaves a column out."""
    return {f"map.{column}": field or "" for column, field in (columns or {}).items()}


def json_filter(filters: JobFilter, ids: Sequence[str] | None) -> dict[str, Any]:
    """Return the filters as the body of an action on many jobs."""
    found: dict[str, Any] = {name: value for name, value in filters.items() if value is not None}
    if isinstance(found.get("state"), str):
        found["state"] = [found["state"]]
    for name in ("since", "until"):
        if isinstance(found.get(name), datetime):
            found[name] = found[name].astimezone().isoformat()
    return found if ids is None else {**found, "ids": [*ids]}
