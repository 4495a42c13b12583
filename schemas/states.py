"""The states of a job and the outcomes of an item, with the moves between them."""

from enum import IntEnum, StrEnum
from typing import Literal, assert_never


class JobState(StrEnum):
    """The state of a job."""

    RECEIVING = "receiving"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the state is terminal."""
        return not MOVES[self]


ENDS = frozenset({JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS, JobState.FAILED, JobState.CANCELLED})
# The table of legal moves; each SQL statement that moves a job guards the move in its WHERE.
MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.RECEIVING: frozenset({JobState.QUEUED, JobState.FAILED, JobState.CANCELLED}),
    JobState.QUEUED: frozenset({JobState.RUNNING, *ENDS}),
    JobState.RUNNING: ENDS,
    JobState.COMPLETED: frozenset(),
    JobState.COMPLETED_WITH_ERRORS: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}


class Outcome(IntEnum):
    """The kind of a result; the numbers are stored and never change their meaning."""

    CREATED = 1
    UPDATED = 2
    UNCHANGED = 3
    MERGED = 4
    SKIPPED = 5
    FAILED = 6
    CANCELLED = 7

    @property
    def word(self) -> str:
        """The outcome as a client reads it."""
        return self.name.lower()


class Note(IntEnum):
    """A note on a result, besides its outcome; the numbers are stored and never change their meaning."""

    KEPT_OPTED_OUT = 1
    SKIPPED_CROSS_ORG = 2
    SKIPPED_TEAM_MISMATCH = 3
    KEPT_CHANGED_SINCE = 4

    @property
    def word(self) -> str:
        """The note as a client reads it, as the `code` of a result."""
        return self.name.lower()

    @property
    def message(self) -> str:
        """The note in a sentence, as the `message` of a result."""
        match self:
            case Note.KEPT_OPTED_OUT:
                return "the contact itself opted out of a channel and stays opted out: see override_opt_outs"
            case Note.SKIPPED_CROSS_ORG:
                return "the account has no such contact"
            case Note.SKIPPED_TEAM_MISMATCH:
                return "the label belongs to one team and the contact to another"
            case Note.KEPT_CHANGED_SINCE:
                return "somebody else has changed this since the job, so it was kept: see fields"
            case _:
                assert_never(self)


ErasureState = Literal["waiting", "running", "completed"]  # of the erasure of a contact
