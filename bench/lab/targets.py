"""What the benchmarks are to reach: the goal, and the least that is accepted."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Target:
    """A goal. Unless `goal` is above `least`, a smaller value is better."""

    what: str
    unit: str
    goal: float
    least: float

    def reached(self, value: float) -> bool:
        """Return whether a value is at least as good as `least`."""
        return value >= self.least if self.goal > self.least else value <= self.least


def _target(what: str, unit: str, goal: float, least: float) -> Target:
    return Target(what=what, unit=unit, goal=goal, least=least)


TARGETS = {
    "new": _target("new rows, against plain SQL", "x", 0.95, 0.85),
    "changed": _target("changed rows, against plain SQL", "x", 1.0, 0.9),
    "unchanged": _target("unchanged rows, against plain SQL of changed rows", "x", 1.5, 1.2),
    "in_order": _target("changed rows with parallel=1, against plain SQL", "x", 0.8, 0.65),
    "large": _target("new rows into a large table, against plain SQL into the same table", "x", 0.9, 0.8),
    "lists.add": _target("lists.add, against the rate of new rows", "x", 1.2, 1.0),
    "preferences.set": _target("preferences.set, against the rate of new rows", "x", 1.2, 1.0),
    "contacts.delete": _target("contacts.delete, against the rate of new rows", "x", 1.2, 1.0),
    "dry_run": _target("dry run, against the real run", "x", 1.0, 0.8),
    "duplicates": _target("each contact twice, against the rate without duplicates", "x", 0.7, 0.5),
    "growth": _target("time an item, against a quarter of the items", "x", 1.0, 1.25),
    "latency_10": _target("job of 10 items, POST to answer, p50", "ms", 6, 10),
    "latency_1000": _target("job of 1,000 items, POST to answer, p50", "ms", 25, 30),
    "jobs": _target("jobs of 10 items ended a second, 16 connections", "/s", 1_000, 500),
    "queue": _target("queued jobs of 10 items drained a second", "/s", 2_000, 1_000),
    "fair": _target("another account's small job beside a large one, p95 against idle", "x", 2, 3),
    "idle": _target("idle processor time of two workers, of one core", "%", 1, 2),
    "page": _target("GET /v1/contacts?limit=20, p50", "ms", 20, 50),
    "search": _target("GET /v1/contacts?search=, with the index, slowest p50", "ms", 50, 150),
    "claim_throttled": _target("claim behind throttled accounts", "ms", 0.3, 1),
    "claim_streams": _target("claim of an account with many label streams", "ms", 0.3, 1),
    "claim_queued": _target("claim and lease with many queued jobs", "ms", 0.25, 0.35),
    "reconciler": _target("a round of the reconciler with many queued jobs", "ms", 5, 10),
    "memory_api": _target("peak memory of the api during a large upload", "MB", 81, 120),
    "memory_worker": _target("peak memory of a worker during a large upload", "MB", 101, 150),
    "scale": _target("rate of 8 workers, against 8 times one", "x", 1.0, 0.85),
    "phone": _target("phones on which the normaliser and phonenumbers disagree", "", 0, 0),
    "peers": _target("new rows, against a hand-written worker", "x", 3, 1.9),
}
