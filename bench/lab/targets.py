"""What the benchmarks are to reach: the goal, and the least that is accepted."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Target:
    """A goal. Unless `goal` is above `least`, a smaller value is better.

    `section` of docs/performance.md shows what bounds the value.
    """

    what: str
    unit: str
    goal: float
    least: float
    section: str

    def reached(self, value: float) -> bool:
        """Return whether a value is at least as good as `least`."""
        return value >= self.least if self.goal > self.least else value <= self.least


def _target(section: str, what: str, unit: str, goal: float, least: float) -> Target:
    return Target(what=what, unit=unit, goal=goal, least=least, section=section)


ROWS = "Where does the time of a row go?"
ONE_AT_A_TIME = "Which jobs apply one chunk at a time?"
DUPLICATES = "What does a file with duplicates cost?"
JOBS = "Where does the time of a small job go?"
FAIR = "Does a large job delay another account?"
IDLE = "What does an idle service cost?"
PAGES = "How fast are pages and searches?"
VIEWS = "How fast is each view with a million jobs?"
CLAIMS = "What does a claim cost when much waits?"
MEMORY = "How much memory does a large upload need?"
STREAMS = "How many streams of events can an api hold?"
UNDO = "How long does an undo take?"
TELEMETRY = "What do metrics, logs and traces cost?"
IMAGES = "What does it cost to keep what jobs change?"
SCALE = "Does it scale?"
PHONES = "How fast is the validation of phones?"

TARGETS = {
    "new": _target(ROWS, "new rows, against plain SQL", "x", 0.95, 0.85),
    "changed": _target(ROWS, "changed rows, against plain SQL", "x", 1.0, 0.9),
    "unchanged": _target(ROWS, "unchanged rows, against plain SQL of changed rows", "x", 1.5, 1.2),
    "in_order": _target(ONE_AT_A_TIME, "changed rows with parallel=1, against plain SQL", "x", 0.8, 0.65),
    "large": _target(
        ROWS, "new rows into a large table, against plain SQL into the same table", "x", 0.9, 0.8
    ),
    "peers": _target(ROWS, "new rows, against hand-written workers", "x", 3, 1.9),
    "lists.add": _target(ROWS, "lists.add, against the rate of new rows", "x", 1.2, 1.0),
    "preferences.set": _target(ROWS, "preferences.set, against the rate of new rows", "x", 1.2, 1.0),
    "contacts.delete": _target(ONE_AT_A_TIME, "contacts.delete, against the rate of new rows", "x", 1.2, 1.0),
    "dry_run": _target(ONE_AT_A_TIME, "dry run, against the real run", "x", 1.0, 0.8),
    "duplicates": _target(
        DUPLICATES, "each contact twice, against the rate without duplicates", "x", 0.7, 0.5
    ),
    "growth": _target(
        DUPLICATES, "each contact twice: time an item, against a file of a quarter", "x", 1, 1.25
    ),
    "growth_large": _target(
        DUPLICATES, "each contact twice: processor time an item, very large against that file", "x", 1, 1.25
    ),
    "memory_settle": _target(
        DUPLICATES,
        "each contact twice: memory of a worker, very large against that file",
        "x",
        1,
        1.25,
    ),
    "latency_10": _target(JOBS, "job of 10 items, POST to answer, p50", "ms", 6, 10),
    "latency_1000": _target(JOBS, "job of 1,000 items, POST to answer, p50", "ms", 25, 30),
    "jobs": _target(JOBS, "jobs of 10 items ended a second, 16 connections", "/s", 1_000, 500),
    "queue": _target(JOBS, "queued jobs of 10 items drained a second", "/s", 2_000, 1_000),
    "fair": _target(FAIR, "another account's small job beside a large one, p95 against idle", "x", 2, 3),
    "idle": _target(IDLE, "idle processor time of two workers, of one core", "%", 1, 2),
    "page": _target(PAGES, "GET /v1/contacts?limit=20, p50", "ms", 20, 50),
    "search": _target(PAGES, "GET /v1/contacts?search=, with the index, slowest p50", "ms", 50, 150),
    "view": _target(VIEWS, "lists of the API and pages, slowest p95", "ms", 100, 200),
    "claim_throttled": _target(CLAIMS, "claim behind throttled accounts", "ms", 0.3, 1),
    "claim_streams": _target(CLAIMS, "claim of an account with many label streams", "ms", 0.3, 1),
    "reconciler": _target(CLAIMS, "a round of the reconciler with many queued jobs", "ms", 5, 10),
    "memory_api": _target(MEMORY, "peak memory of the api during a large upload", "MB", 81, 120),
    "memory_worker": _target(MEMORY, "peak memory of a worker during a large upload", "MB", 101, 150),
    "claim_queued": _target(CLAIMS, "claim and lease with many queued jobs", "ms", 0.25, 0.35),
    "streams_memory": _target(STREAMS, "memory of an api with 10,000 streams of events", "MB", 200, 300),
    "streams_delay": _target(STREAMS, "until 10,000 streams have an event", "ms", 500, 1_000),
    "telemetry": _target(
        TELEMETRY,
        "new rows with metrics, logs and traces, against none of them: processor time",
        "x",
        1.0,
        0.98,
    ),
    "images_new": _target(
        IMAGES, "new rows with before-images, against none: processor time", "x", 1.0, 0.97
    ),
    "images_changed": _target(
        IMAGES, "changed rows with before-images, against none: processor time", "x", 1.0, 0.9
    ),
    "undone": _target(UNDO, "time of the undo of changed rows, against that of the load", "x", 1.0, 2.0),
    "scale": _target(SCALE, "rate of 8 workers, against 8 times one", "x", 1.0, 0.85),
    "phone": _target(PHONES, "phones on which the normaliser and phonenumbers disagree", "", 0, 0),
}
