"""The states of a job and the outcomes of an item, with the moves between them."""

from enum import IntEnum, StrEnum


class JobState(StrEnum):
    """Where a job stands."""

    RECEIVING = "receiving"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the job will never change again."""
        return not MOVES[self]


# The table of legal moves; each SQL statement that moves a job guards the move in its WHERE.
MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.RECEIVING: frozenset({JobState.QUEUED, JobState.FAILED}),
    JobState.QUEUED: frozenset(
        {JobState.RUNNING, JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS, JobState.CANCELLED}
    ),
    JobState.RUNNING: frozenset({JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS, JobState.CANCELLED}),
    JobState.COMPLETED: frozenset(),
    JobState.COMPLETED_WITH_ERRORS: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}


class Outcome(IntEnum):
    """What became of one item; the numbers are stored and never change their meaning."""

    CREATED = 1
    UPDATED = 2
    UNCHANGED = 3
    MERGED = 4
    SKIPPED = 5
    FAILED = 6
    CANCELLED = 7

    @property
    def word(self) -> str:
        """As a client reads it."""
        return self.name.lower()


class Operation(StrEnum):
    """What a job does to each of its items."""

    CONTACTS_UPSERT = "contacts.upsert"
