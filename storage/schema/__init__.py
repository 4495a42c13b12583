"""The current schema: `tables.sql` for reading, the functions and views for reading and running.

- `tables.sql` holds all tables, indexes and triggers. The migrations create them; a test compares the two.
- `functions/` and `views/` hold one file for each function and view. A migration never repeats their text:
  `migrate` runs all of these files after the migrations whenever one of them has changed.

`CREATE OR REPLACE` cannot change the arguments of a function or remove columns of a view, and a column that
a view uses cannot change its type. A migration that needs this drops the function or the view first; its file
then creates it again.
"""

import hashlib
from pathlib import Path

from schemas.formats.records import PART_BYTES
from schemas.ids import MAX_NUMBER
from storage.pipeline.job_search import RETRYABLE
from storage.pipeline.jobs import EXAMPLES, FIRST_ERRORS, LARGE_BYTES, MAX_GROUPS
from storage.pipeline.leases import LONGEST_DELAY_SECONDS, LONGEST_LEASE_SECONDS
from storage.pipeline.uploads import ONLY_RETRY
from storage.postgres.templates import render
from storage.schema.image_parts import block, changed_contacts_parts
from storage.webhooks.sending import (
    CLOCK_LOOK_SECONDS,
    DOUBTFUL_FAILURES,
    FAILING_DAYS,
    KEPT_ATTEMPTS,
    LEAST_FAILURES,
    LEAST_STEP_SECONDS,
    PARALLEL,
    TAKEN_IN_SHARE,
)

HERE = Path(__file__).parent

# In the order of creation: each object may use those above it.
OBJECTS = (
    "functions/count_members.sql",  # down to queue_throttling.sql: used only by triggers
    "functions/count_contacts.sql",
    "functions/count_jobs.sql",
    "functions/count_retry.sql",
    "functions/forget_errors.sql",
    "functions/group_errors.sql",
    "functions/keep_changed_contacts.sql",
    "functions/keep_changed_opt_ins.sql",
    "functions/keep_memberships.sql",
    "functions/keep_opt_ins.sql",
    "functions/keep_whole_contacts.sql",
    "functions/note_change.sql",
    "functions/queue_job_end.sql",
    "functions/queue_throttling.sql",
    "functions/opt_in_state.sql",
    "functions/deletion_key.sql",
    "functions/job_facets.sql",
    "functions/leased.sql",
    "functions/delayed.sql",
    "functions/enter_stream.sql",
    "views/running_dry_runs.sql",
    "views/ready_dry_runs.sql",
    "views/claimable.sql",
    "functions/wake_turns.sql",
    "functions/choose_chunks.sql",
    "functions/lease_chunks.sql",
    "views/job_views.sql",
    "views/job_numbers.sql",
    "views/unended_jobs.sql",
    "functions/claim_chunks.sql",
    "functions/leave_jobs.sql",
    "functions/end_small_jobs.sql",
    "functions/next_delivery.sql",
    "functions/wake_webhooks.sql",
    "functions/take_in_deliveries.sql",
    "functions/claim_deliveries.sql",
    "functions/record_attempt.sql",
    "functions/free_deliveries.sql",
    "functions/follow_clock.sql",
    "functions/search_contacts.sql",
    "functions/summarise_errors.sql",
)


# The placeholders of a file, and their values.
NUMBERS: dict[str, dict[str, str | int]] = {
    "functions/leased.sql": {"twice_the_longest_lease": 2 * LONGEST_LEASE_SECONDS},
    "functions/choose_chunks.sql": {"claim_bytes": PART_BYTES},
    "functions/search_contacts.sql": {"longer_look": 20, "max_id": MAX_NUMBER},  # 20 times as many
    "functions/delayed.sql": {"twice_the_longest_delay": 2 * LONGEST_DELAY_SECONDS},
    "functions/count_jobs.sql": {"retryable": RETRYABLE},
    "functions/count_retry.sql": {"retryable": RETRYABLE, "only_retry": ONLY_RETRY},
    "functions/job_facets.sql": {"retryable": RETRYABLE},
    "functions/group_errors.sql": {"examples": EXAMPLES},
    "functions/summarise_errors.sql": {"examples": EXAMPLES, "max_groups": MAX_GROUPS},
    "functions/keep_changed_contacts.sql": changed_contacts_parts(),
    "functions/keep_changed_opt_ins.sql": {"block": block(partition="channel_id")},
    "functions/keep_memberships.sql": {"block": block(partition="account_id, kind, owner_id")},
    "functions/keep_opt_ins.sql": {"block": block(partition="channel_id")},
    "functions/keep_whole_contacts.sql": {"block": block("old")},
    "functions/take_in_deliveries.sql": {"taken_in_share": TAKEN_IN_SHARE},
    "functions/next_delivery.sql": {"parallel": PARALLEL, "doubtful_failures": DOUBTFUL_FAILURES},
    "functions/claim_deliveries.sql": {"parallel": PARALLEL, "doubtful_failures": DOUBTFUL_FAILURES},
    "functions/follow_clock.sql": {
        "look_seconds": CLOCK_LOOK_SECONDS,
        "least_step_seconds": LEAST_STEP_SECONDS,
    },
    "functions/record_attempt.sql": {
        "failing_days": FAILING_DAYS,
        "least_failures": LEAST_FAILURES,
        "kept_attempts": KEPT_ATTEMPTS,
    },
    "views/job_views.sql": {"first_errors": FIRST_ERRORS, "large_bytes": LARGE_BYTES},
}


def objects() -> list[str]:
    """Return the text of each function and view, in the order in which to run them."""
    return [render((HERE / name).read_text("utf-8"), NUMBERS.get(name, {})) for name in OBJECTS]


def views() -> list[str]:
    """Return the names of the views. Each view comes before the views that it uses."""
    return [Path(name).stem for name in reversed(OBJECTS) if name.startswith("views/")]


def fingerprint() -> str:
    """Return a hash of the text of all functions and views."""
    return hashlib.sha256("\0".join(objects()).encode()).hexdigest()
