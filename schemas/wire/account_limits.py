"""The view of an account's limits: what they are, how much of them is used, and what waits for them."""

from datetime import datetime

from schemas.wire.base import Wire


class WindowUse(Wire):
    """A sliding window. Without a limit (0), or if the use is not known, the last three fields are null."""

    limit: int  # 0: no limit
    window_seconds: int
    used: int | None  # in the last `window_seconds`
    remaining: int | None  # that is allowed now
    empty_at: datetime | None  # when nothing counts as used any more; null: nothing does now


class JobsUse(Wire):
    """The jobs that have not ended. A bulk request beyond the limit gets 429 `too_many_jobs`."""

    limit: int
    used: int  # uploads included


class StreamQueue(Wire):
    """The accepted jobs of a stream that have not ended."""

    stream: str
    jobs: int
    items: int  # that have no result yet, of the jobs whose items are counted
    uncounted_jobs: int  # whose items are not counted yet
    throttled_until: datetime | None


class QueueUse(Wire):
    """What an account still has to do."""

    jobs: int
    items: int
    uncounted_jobs: int
    items_per_second: float | None  # of the running jobs, since they started; null: none has results yet
    estimated_end: datetime | None  # from the pace and the item window; null: nothing to do, or not known
    streams: list[StreamQueue]  # at most 20: those with most items


class LimitsView(Wire):
    """The windows of the account of a key, and its queue."""

    requests: WindowUse  # bulk requests
    items: WindowUse  # applied items
    reads: WindowUse  # all other requests
    unfinished_jobs: JobsUse
    queue: QueueUse
    degraded: bool  # Redis does not respond: `items` is read from PostgreSQL, and `reads` are not counted
