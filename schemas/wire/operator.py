"""The views of the operator: accounts with their load, keys, jobs of all accounts, workers, servers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, StringConstraints
from pydantic_core import PydanticCustomError

from schemas.ids import AccountId, read_account_id
from schemas.items.phone import is_region
from schemas.operations import Operation
from schemas.states import JobState
from schemas.wire.base import Wire
from schemas.wire.jobs import Job
from schemas.wire.query_models import PageQuery, Query
from schemas.wire.resource_bodies import Change, JsonBody, Name
from schemas.wire.resources import AccountLimits

MAX_LIMIT = 2**31 - 1


class AccountLoad(Wire):
    """What an account has to do, and what it used of its windows in the last `window_seconds`."""

    receiving: int  # jobs
    queued: int
    running: int
    items: int  # of these jobs, not applied yet
    oldest_waiting_at: datetime | None  # when the queued job that waits longest was accepted
    throttled_until: datetime | None  # the items wait for their window
    requests_used: int | None  # null: no limit
    items_used: int | None  # null: no limit


class OperatorAccount(Wire):
    """An account with its limits and its load."""

    id: str  # org_ and a number
    name: str
    region: str | None
    phone_number_id: str | None
    default_wait: int  # seconds that bulk requests wait for their job
    keep_jobs_days: int | None  # of ended jobs; null: KEEP_JOBS_DAYS of the service
    limits: AccountLimits
    contacts: int
    load: AccountLoad
    created_at: datetime
    deleting_at: datetime | None  # the account is being deleted since then


class OperatorJob(Job):
    """A job with its account."""

    account_id: str  # org_ and a number
    account_name: str


class WorkerChunk(Wire):
    """A chunk that a worker is applying."""

    account_id: str
    account_name: str
    job_id: str
    first_index: int
    items: int
    deaths: int  # workers that died with it before
    claimed_at: datetime | None


class WorkerView(Wire):
    """A worker process. `silent`: it gave no sign of life for 15 seconds."""

    id: str
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime
    silent: bool
    metrics_port: int | None  # where it serves its metrics; null: it does not
    chunks: list[WorkerChunk]


class BellCounts(Wire):
    """The bells: all of the queue, those whose time has come, those that no worker has taken yet."""

    queued: int
    due: int
    waiting: int


class QueueView(Wire):
    """What waits. `bells` is null while Redis does not respond; work goes on without it."""

    bells: BellCounts | None
    oldest_waiting_job: OperatorJob | None  # of the queued jobs, the one that was received first


class PostgresView(Wire):
    """The state of PostgreSQL; the sessions are those of our database."""

    version: str
    up_seconds: float
    standby: bool
    bytes: int  # of the database
    max_connections: int
    connections: int
    active: int
    idle_in_transaction: int
    waiting_for_locks: int
    oldest_transaction_seconds: float
    fsync: bool
    full_page_writes: bool
    synchronous_commit: str
    replicas: int
    synchronous_replicas: str
    transaction_age: int  # PostgreSQL stops before it reaches 2,147,483,647


class TableView(Wire):
    """A table with its dead rows, as estimated by PostgreSQL."""

    name: str
    live_rows: int
    dead_rows: int
    bytes: int  # with its indexes
    vacuumed_at: datetime | None


class RedisView(Wire):
    """The state of Redis or Valkey. `policy` must be `noeviction`; `max_memory` 0: no limit."""

    software: str
    version: str
    up_seconds: int
    ping_milliseconds: float
    memory: int
    max_memory: int
    policy: str
    clients: int
    evicted_keys: int


class HealthView(Wire):
    """The health of the servers. `postgres` or `redis` is null while it does not respond."""

    status: Literal["ready", "degraded", "not ready"]
    migrated: bool
    failing_jobs: int | None  # are repeated after an error of ours; null: unknown
    redis_paused: bool  # this api process makes no calls to Redis, because one failed
    postgres: PostgresView | None
    tables: list[TableView]  # with the most dead rows
    redis: RedisView | None


class SlowAccount(Wire):
    """An account with jobs among those that wait longest."""

    account_id: str
    account_name: str
    waiting_jobs: int  # among the looked at
    oldest_job_id: str
    oldest_waiting_at: datetime | None
    throttled_until: datetime | None


class FailingJobView(Wire):
    """A job that had errors of ours since its last success."""

    failures: int
    retry_at: datetime
    job: OperatorJob


class LockView(Wire):
    """A session of PostgreSQL that waits for a lock; `blocked_by` are the pids that hold it."""

    pid: int
    name: str
    query: str
    blocked_by: list[int]
    wait_seconds: float


class SlowView(Wire):
    """What is slow: the accounts of the jobs that wait longest, failing jobs, waits for locks."""

    accounts: list[SlowAccount]
    jobs: list[FailingJobView]
    locks: list[LockView]


def _region(code: str) -> str:
    if not is_region(code.upper()):
        raise PydanticCustomError(
            "no_region", "is not a region: write two letters of ISO 3166, like IN or US"
        )
    return code.upper()


Region = Annotated[str, AfterValidator(_region)]
PhoneNumberId = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00]*$")
]
Limit = Annotated[int, Field(ge=0, le=MAX_LIMIT)]
WindowSeconds = Annotated[int, Field(ge=1, le=86_400)]
DefaultWait = Annotated[int, Field(ge=0, le=60)]
KeepDays = Annotated[int, Field(ge=1, le=36_500)]


class NewAccount(JsonBody):
    """A new account. Limits that are not given have their defaults; 0: no limit."""

    name: Name
    region: Region | None = None
    phone_number_id: PhoneNumberId | None = None
    request_limit: Limit | None = None
    item_limit: Limit | None = None
    window_seconds: WindowSeconds | None = None
    default_wait: DefaultWait | None = None
    keep_jobs_days: KeepDays | None = None


class AccountSettings(Change):
    """Null removes the region, the phone_number_id, or the days for which jobs are kept."""

    region: Region | None = None
    phone_number_id: PhoneNumberId | None = None
    request_limit: Limit = 0
    item_limit: Limit = 0
    window_seconds: WindowSeconds = 1
    default_wait: DefaultWait = 0
    keep_jobs_days: KeepDays | None = None

    def changed(self) -> dict[str, Any]:
        """Return the given fields; the empty text, or 0 days, clears one."""
        given = {name: "" if value is None else value for name, value in self.given().items()}
        return {name: value or 0 if name == "keep_jobs_days" else value for name, value in given.items()}


def _account_cursor(text: object) -> AccountId:
    account_id = read_account_id(str(text))
    if account_id is None:
        raise PydanticCustomError("no_cursor", "is not a cursor: send the next_cursor of another page")
    return account_id


class OperatorAccountsQuery(PageQuery):
    """The page of accounts in the order of names."""

    cursor: Annotated[AccountId, PlainValidator(_account_cursor, json_schema_input_type=str)] | None = None
    search: Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")] = Field(
        "", description="How the name begins, in any case."
    )


class OperatorJobsQuery(Query):
    """The filters and the page of the jobs of all accounts: unfinished ones first, then the newest."""

    limit: int = Field(20, ge=1, le=100)
    cursor: str | None = Field(None, max_length=60)
    account: Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")] | None = Field(
        None, description="Only jobs of this account: its id, or its name."
    )
    state: JobState | None = Field(None, description="Only jobs in this state.")
    operation: Operation | None = Field(None, description="Only jobs of this operation.")
