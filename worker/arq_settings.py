"""arq's settings, with the reason for each that is not a default."""

from functools import lru_cache
from typing import Any, cast

from arq.typing import WorkerCoroutine
from arq.worker import func

from schemas.settings import get_settings
from storage import queue
from worker import tasks

LONG_SECONDS = 3600  # to split, and to settle, a job of many millions of items


@lru_cache(maxsize=1)
def worker_settings() -> type:
    """The class that `arq worker.WorkerSettings` reads; raises SettingsMissing without REDIS_URL."""
    return type("WorkerSettings", (), arq_options())


def arq_options() -> dict[str, Any]:
    """The options of an arq worker, with a fresh client."""
    settings = get_settings()
    database_url, redis_url = settings.required_urls()
    del database_url  # asked for here so that its absence shows before the first doorbell
    return {
        "functions": [
            tasks.work,
            tasks.dry_run,
            *(
                func(cast(WorkerCoroutine, task), timeout=LONG_SECONDS)
                for task in (tasks.split, tasks.finish)
            ),
        ],
        "on_startup": tasks.startup,
        "on_shutdown": tasks.shutdown,
        "queue_name": settings.queue_name,
        "redis_pool": queue.connect(redis_url, queue_name=settings.queue_name),  # time-outs, keepalive
        "redis_settings": queue.arq_settings(redis_url),  # `arq --check` looks at these only
        "job_serializer": queue.serialize,
        "job_deserializer": queue.deserialize,
        "max_jobs": settings.worker_turns,
        "poll_delay": 0.02,  # seconds; arq's 0.5 would be a mean latency of 250 ms
        "queue_read_limit": 1_000,  # the head of the queue holds the jobs in flight of all workers
        "keep_result": 0,  # a doorbell has no result
        "max_tries": 1,  # the reconciler rings again; arq need not
        "retry_jobs": False,
        "job_timeout": 120,  # seconds; a turn ends after 2, and a chunk more
        "job_completion_wait": 15,  # seconds; above a turn and one chunk more
        "health_check_interval": 5,
        "log_results": False,
    }
