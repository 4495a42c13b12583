"""Every metric of our processes, on one page. A test compares it with `docs/reference/metrics.md`.

The names follow the guide of Prometheus: base units, `_total` for what only grows. No label has the name of
an account, a job or a client, so the number of series is bounded by what the code names: routes, operations,
states. Every label whose values are known has all of them from the start: `increase()` in an alert does not
see the step of a series that begins with it.

Counters and histograms belong to the process. What counts once a chunk or a request, or more often, notes it
with `count` and `observe` of `schemas.noted_metrics`. A `State` is read when the metrics are asked for.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas import traces
from schemas.noted_metrics import NotedRegistry, observe
from schemas.operations import Operation
from schemas.states import JobState, Outcome
from schemas.webhooks.event_types import ENDED as DELIVERY_ENDED
from schemas.webhooks.event_types import DeliveryState, OffReason

disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the number of series

ENDED = [state for state in JobState if state.ended]
STAGES = ("claim", "prepare", "stage", "upsert", "record", "commit")
LEASES = ("chunk", "delivery", "finish", "upload")
RECOVERIES = ("disown_claim", "end_session", "ring_finish", "ring_split", "ring_work")
ACQUIRE_SECONDS = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 5)
REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
STAGE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
WAIT_SECONDS = (0.01, 0.05, 0.25, 1, 5, 15, 60, 300, 900, 3600)

Labelled = TypeVar("Labelled", Counter, Histogram)


def _counter(name: str, text: str, **labels: Sequence[str]) -> Counter:
    """Return a counter. Its series exist from the start, if the values of all labels are given."""
    return _filled(Counter(name, text, list(labels), registry=None), labels)


def _histogram(name: str, text: str, buckets: Sequence[float], **labels: Sequence[str]) -> Histogram:
    """Return a histogram. For its series see `_counter`."""
    return _filled(Histogram(name, text, list(labels), buckets=buckets, registry=None), labels)


def _filled(metric: Labelled, labels: Mapping[str, Sequence[str]]) -> Labelled:
    if labels and all(labels.values()):
        for chosen in product(*labels.values()):
            metric.labels(*chosen)
    return metric


@dataclass(frozen=True, slots=True)
class State:
    """A gauge whose values are read when the metrics are asked for."""

    name: str
    text: str
    labels: tuple[str, ...] = ()

    def family(self, *values: tuple[float, Sequence[str]]) -> Metric:
        """Return the gauge with these values, each with the values of its labels."""
        family = GaugeMetricFamily(self.name, self.text, labels=self.labels)
        for value, labels in values:
            family.add_metric(labels, value)
        return family

    def value(self, value: float) -> Metric:
        """Return the gauge, which has no labels, with this value."""
        return self.family((value, ()))


# Of apis and workers
PROCESS = State("bulklane_build_info", "The release and the role of the process.", ("version", "role"))
POOL_MOST = State("bulklane_postgres_pool_max_connections", "Connections that the pool may open.")
POOL_OPEN = State("bulklane_postgres_pool_connections", "Connections of the pool, by state.", ("state",))
POOL_WAITING = State("bulklane_postgres_pool_waiting", "Acquisitions of a connection in progress.")
REDIS_UP = State("bulklane_redis_up", "1: the last call or probe of Redis succeeded.")
POOL_ACQUIRE = _histogram(
    "bulklane_postgres_pool_acquire_duration_seconds",
    "Time to acquire a connection of the pool.",
    ACQUIRE_SECONDS,
)
REDIS_LOST = _counter(
    "bulklane_redis_calls_lost_total", "Calls of Redis that failed, or were not made after a failure."
)
ANNOUNCEMENTS_LOST = _counter(
    "bulklane_announcements_lost_total", "Announcements of changed or ended jobs that Redis did not take."
)
JOBS_ENDED = _counter(
    "bulklane_jobs_ended_total",
    "Jobs that this process has ended.",
    operation=list(Operation),
    state=ENDED,
)

# Of apis
REQUESTS = _counter(
    "bulklane_http_requests_total", "Requests that were answered.", method=(), route=(), status=()
)
REQUEST_DURATION = _histogram(
    "bulklane_http_request_duration_seconds",
    "Time from the headers of a request to its response.",
    REQUEST_SECONDS,
    method=(),
    route=(),
)
UNEXPECTED_ERRORS = _counter("bulklane_unexpected_errors_total", "Requests that met an error of ours.")
UPLOAD_BYTES = _counter("bulklane_upload_bytes_total", "Bytes of bulk bodies, as they arrived.")
JOBS_ACCEPTED = _counter("bulklane_jobs_accepted_total", "Accepted jobs.", operation=list(Operation))
CONNECTIONS = State("bulklane_http_connections", "Open connections of clients.")
EVENT_STREAMS = State("bulklane_event_streams", "Open streams of events.")
REQUEST_MEMORY = State("bulklane_request_memory_bytes", "Bytes of bodies and downloads in memory.")
POSTGRES_UP = State(
    "bulklane_postgres_up", "1: PostgreSQL answered this process, and has the schema of its release."
)
UNFINISHED_JOBS = State(
    "bulklane_unfinished_jobs",
    "Jobs of all accounts that have not ended, of at most 10000 streams.",
    ("state",),
)
OLDEST_WAITING = State(
    "bulklane_oldest_waiting_job_age_seconds",
    "Time since the acceptance of the queued job that was received first; 0: none waits.",
)
FAILING_JOBS = State(
    "bulklane_failing_jobs", "Jobs that had an error of ours since their last success and are tried again."
)
THROTTLED_ACCOUNTS = State("bulklane_throttled_accounts", "Accounts whose items wait for their window.")
WORKERS = State("bulklane_workers", "Worker processes, by sign of life.", ("state",))

DUE_WEBHOOKS = State(
    "bulklane_due_webhooks", "Webhooks with a delivery that is due and not being sent, at most 10000."
)
OLDEST_DUE_DELIVERY = State(
    "bulklane_oldest_due_delivery_age_seconds",
    "Time since the delivery to a webhook was due that is due longest; 0: none is due.",
)

# Of workers
ITEMS_APPLIED = _counter(
    "bulklane_items_applied_total",
    "Items of committed chunks, by outcome. Not those of dry runs.",
    outcome=[outcome.word for outcome in Outcome if outcome is not Outcome.CANCELLED],
)
STAGE_DURATION = _histogram(
    "bulklane_chunk_stage_duration_seconds",
    "Time of a stage of a chunk, or of small jobs that are applied together.",
    STAGE_SECONDS,
    stage=STAGES,
)
QUEUE_WAIT = _histogram(
    "bulklane_queue_wait_seconds", "Time from the acceptance of a job to its first claim.", WAIT_SECONDS
)
THROTTLES = _counter("bulklane_throttles_total", "Times that an account had to wait for its window.")
THROTTLE_WAIT = _histogram(
    "bulklane_throttle_wait_seconds", "Time that a throttled account is told to wait.", WAIT_SECONDS
)
EXPIRED_LEASES = _counter(
    "bulklane_expired_leases_total", "Leases of dead processes that this process has freed.", kind=LEASES
)
DEATHS = _counter(
    "bulklane_chunk_deaths_total", "Deaths of chunks: a worker died, or an item may have caused an error."
)
JOB_FAILURES = _counter("bulklane_job_failures_total", "Errors of ours that delayed a job.")
POSTPONED = _counter("bulklane_job_postponements_total", "Delays of a job by a lock of another transaction.")
RETRIES = _counter(
    "bulklane_chunk_retries_total",
    "Transactions of a chunk that were rolled back and made again.",
    reason=("deadlock", "row_rejected", "together"),
)
RECOVERED = _counter(
    "bulklane_recovery_actions_total", "What the reconciler did, besides freed leases.", action=RECOVERIES
)
WEBHOOK_ATTEMPTS = _counter(
    "bulklane_webhook_attempts_total",
    "Attempts to deliver a message to a webhook, by the state of the delivery afterwards.",
    state=[DeliveryState.WAITING, *DELIVERY_ENDED],
)
DELIVERY_FAULTS = _counter(
    "bulklane_delivery_faults_total", "Errors of ours that delayed a delivery to a webhook, or ended it."
)
WEBHOOK_DURATION = _histogram(
    "bulklane_webhook_attempt_duration_seconds",
    "Time until an endpoint answered, or did not.",
    REQUEST_SECONDS,
)
WEBHOOKS_OFF = _counter(
    "bulklane_webhooks_switched_off_total",
    "Webhooks that were switched off because of their endpoint.",
    reason=[OffReason.GONE, OffReason.FAILING],
)

Definition = Counter | Histogram | State

OF_BOTH: tuple[Definition, ...] = (
    PROCESS, POOL_MOST, POOL_OPEN, POOL_WAITING, POOL_ACQUIRE, REDIS_UP, REDIS_LOST, ANNOUNCEMENTS_LOST,
    JOBS_ENDED,
)  # fmt: skip
OF_API: tuple[Definition, ...] = (
    REQUESTS, REQUEST_DURATION, UNEXPECTED_ERRORS, UPLOAD_BYTES, JOBS_ACCEPTED, CONNECTIONS, EVENT_STREAMS,
    REQUEST_MEMORY, POSTGRES_UP, UNFINISHED_JOBS, OLDEST_WAITING, FAILING_JOBS, THROTTLED_ACCOUNTS, WORKERS,
    DUE_WEBHOOKS, OLDEST_DUE_DELIVERY,
)  # fmt: skip
OF_WORKER: tuple[Definition, ...] = (
    ITEMS_APPLIED, STAGE_DURATION, QUEUE_WAIT, THROTTLES, THROTTLE_WAIT, EXPIRED_LEASES, DEATHS, JOB_FAILURES,
    POSTPONED, RETRIES, RECOVERED, WEBHOOK_ATTEMPTS, DELIVERY_FAULTS, WEBHOOK_DURATION,
    WEBHOOKS_OFF,
)  # fmt: skip
ROLES: Mapping[str, tuple[Definition, ...]] = {"api": OF_BOTH + OF_API, "worker": OF_BOTH + OF_WORKER}


def timed(stage: str) -> "_Timed":
    """Measure a stage of a chunk while the body runs."""
    return _Timed(stage)


class _Timed:
    __slots__ = ("_stage", "_started")

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        note_stage(self._stage, time.perf_counter() - self._started)


def note_stage(stage: str, seconds: float) -> None:
    """Count the time of a stage of a chunk, and add it to the present span, which is that of the chunk."""
    observe(STAGE_DURATION, seconds, stage)
    if traces.are_on():
        traces.present().set({f"bulklane.stage.{stage}_seconds": round(seconds, 6)})


def registry_of(role: str, state: Collector) -> CollectorRegistry:
    """Return what a process shows: its counters and histograms, `state`, and memory and processor time."""
    registry = NotedRegistry(auto_describe=False)
    for metric in ROLES[role]:
        if not isinstance(metric, State):
            registry.register(metric)
    registry.register(state)
    ProcessCollector(registry=registry)
    return registry


def build_of(role: str) -> Metric:
    """Return the release of this process."""
    return PROCESS.family((1, (version("bulklane"), role)))
