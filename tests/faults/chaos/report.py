"""The report of a run, and whether it is good."""

from collections import Counter
from dataclasses import dataclass, field

MOST_LINES = 20  # of one kind of damage
PROMISED_SECONDS = 10.0


@dataclass(slots=True)
class Report:
    """What a run did, and the damage that was found. Each line of damage is one case."""

    seed: str
    minutes: float
    faults: Counter[str] = field(default_factory=Counter)
    jobs: int = 0
    items: int = 0
    requests: int = 0  # changes over REST
    stopped: int = 0  # jobs that `max_errors` stopped
    retried: int = 0  # jobs that a request for many jobs retried
    events: int = 0  # that the clients have read
    messages: int = 0  # to webhooks
    attempts: int = 0  # to deliver them, as the endpoint saw them
    recoveries: list[tuple[float, str]] = field(default_factory=list)  # seconds, and the fault
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    window: list[str] = field(default_factory=list)
    state: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)  # a broken invariant, a false answer, an error of the run

    @property
    def damage(self) -> dict[str, list[str]]:
        """All lines of damage by kind."""
        return {
            "lost": self.lost,
            "doubled": self.doubled,
            "stuck": self.stuck,
            "window violations": self.window,
            "wrong final state": self.state,
            "other": self.other,
        }

    @property
    def good(self) -> bool:
        """Whether nothing is damaged. A long recovery is only reported: the machine may be busy."""
        return not any(self.damage.values())

    def lines(self) -> list[str]:
        """Return the report."""
        kinds = (f"| {name} | {number} |" for name, number in sorted(self.faults.items()))
        longest = max(self.recoveries, default=(0.0, "no fault"))
        slow = sum(seconds > PROMISED_SECONDS for seconds, _ in self.recoveries)
        details = [f"{kind}: {line}" for kind, found in self.damage.items() for line in found[:MOST_LINES]]
        return [
            f"seed {self.seed}, {self.minutes:g} minutes",
            "",
            "| fault | times |",
            "|---|---|",
            *kinds,
            "",
            "| figure | |",
            "|---|---|",
            f"| faults | {self.faults.total()} |",
            f"| jobs | {self.jobs:,} |",
            f"| items | {self.items:,} |",
            f"| changes over REST | {self.requests:,} |",
            f"| jobs stopped by `max_errors` | {self.stopped:,} |",
            f"| jobs retried by tag | {self.retried:,} |",
            f"| events | {self.events:,} |",
            f"| messages to webhooks | {self.messages:,}, in {self.attempts:,} attempts |",
            *(f"| {kind} | {len(found)} |" for kind, found in self.damage.items()),
            f"| longest recovery | {longest[0]:.1f} s, after {longest[1]} |",
            f"| recoveries over {PROMISED_SECONDS:g} s | {slow} of {len(self.recoveries)} |",
            "",
            *details,
        ]
