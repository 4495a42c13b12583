"""Pages of a list of jobs: from the query of a request to ids and the cursors of the pages beside it."""

from dataclasses import dataclass

from schemas.ids import AccountId, JobId
from schemas.wire.query_models import JobCursor, JobFilterQuery, JobsQuery
from storage.pipeline import job_search
from storage.pipeline.job_search import JobFilter, ListPlace
from storage.postgres.pool import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """The ids of a page, newest first, and the cursors of the pages beside it; None: there is none."""

    ids: list[JobId]
    older: JobCursor | None
    newer: JobCursor | None


def job_filter(query: JobFilterQuery) -> JobFilter:
    """Return the filter of a query. A name that ends with `*` is a prefix."""
    is_prefix = query.name is not None and query.name.endswith("*")
    return JobFilter(
        states=tuple(dict.fromkeys(query.state)),
        operation=query.operation,
        name=None if is_prefix else query.name,
        prefix=query.name[:-1] if query.name is not None and is_prefix else None,
        tag=query.tag,
        since=query.since,
        until=query.until,
    )


async def page_of_jobs(pool: Pool, account_id: AccountId, query: JobsQuery) -> JobPage:
    """Find the page that a query asks for."""
    cursor, limit = query.cursor, query.limit
    place = ListPlace(beside=cursor.beside, newer=cursor.newer) if cursor else ListPlace()
    ids = await job_search.page(pool, account_id, job_filter(query), size=limit + 1, place=place)
    more = len(ids) > limit
    ids = ids[-limit:] if place.newer else ids[:limit]
    has_older, has_newer = (True, more) if place.newer else (more, cursor is not None)
    return JobPage(
        ids=ids,
        older=JobCursor(ids[-1], newer=False) if ids and has_older else None,
        newer=JobCursor(ids[0], newer=True) if ids and has_newer else None,
    )
