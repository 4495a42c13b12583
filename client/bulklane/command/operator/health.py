"""`bulklane operator workers`, `queue`, `health` and `slow`: what runs, and what waits."""

from bulklane.command.operator.account_fields import WORKER_COLUMNS
from bulklane.command.operator.api import OperatorApi, administered
from bulklane.command.output import AsJson, Columns, print_json, show_list, show_one
from bulklane.command.progress import size

QUEUE: Columns = {
    "bells": "bells.queued",
    "bells due": "bells.due",
    "bells waiting": "bells.waiting",
    "oldest waiting job": "oldest_waiting_job.id",
    "of account": "oldest_waiting_job.account_name",
    "received": "oldest_waiting_job.received_at",
}
HEALTH: Columns = {
    "status": "status",
    "migrated": "migrated",
    "jobs that fail by an error of ours": "failing_jobs",
    "postgresql": "postgres.version",
    "database": lambda health: health["postgres"] and size(health["postgres"]["bytes"]),
    "sessions": "postgres.connections",
    "sessions at most": "postgres.max_connections",
    "waiting for locks": "postgres.waiting_for_locks",
    "oldest transaction": lambda health: (
        health["postgres"] and f"{health['postgres']['oldest_transaction_seconds']:.1f} s"
    ),
    "fsync": "postgres.fsync",
    "redis": lambda health: health["redis"] and " ".join(_software(health["redis"])),
    "redis memory": lambda health: health["redis"] and size(health["redis"]["memory"]),
    "redis policy": "redis.policy",
}
SLOW: dict[str, Columns] = {
    "accounts": {
        "account": "account_name",
        "waiting jobs": "waiting_jobs",
        "oldest job": "oldest_job_id",
        "waiting since": "oldest_waiting_at",
        "throttled until": "throttled_until",
    },
    "jobs": {
        "failing job": "job.id",
        "account": "job.account_name",
        "failures": "failures",
        "retry at": "retry_at",
    },
    "locks": {
        "pid": "pid",
        "session": "name",
        "query": "query",
        "blocked by": lambda lock: ", ".join(map(str, lock["blocked_by"])),
        "waits": lambda lock: f"{lock['wait_seconds']:.1f} s",
    },
}


@administered
def workers(api: OperatorApi, *, as_json: AsJson = False) -> None:
    """List the worker processes, when each gave its last sign of life, and the chunks that it applies."""
    show_list(api.get("workers")["data"], WORKER_COLUMNS, as_json=as_json)


@administered
def queue(api: OperatorApi, *, as_json: AsJson = False) -> None:
    """Show the bells in Redis, and the queued job that was received first."""
    show_one(api.get("queue"), QUEUE, as_json=as_json)


@administered
def health(api: OperatorApi, *, as_json: AsJson = False) -> None:
    """Show the health of PostgreSQL and Redis. Answers also while one of them is away."""
    show_one(api.get("health"), HEALTH, as_json=as_json)


@administered
def slow(api: OperatorApi, *, as_json: AsJson = False) -> None:
    """Show the accounts whose jobs wait longest, the jobs that fail by an error of ours, waits for locks."""
    found = api.get("slow")
    if as_json:
        print_json(found)
        return
    for name, columns in SLOW.items():
        show_list(found[name], columns, as_json=False)


def _software(redis: dict[str, str]) -> tuple[str, str]:
    return redis["software"], redis["version"]
