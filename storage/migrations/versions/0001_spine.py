"""The spine: accounts, jobs, chunks, answers, turns, contacts."""

from storage.migrations import run_script

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table of the spine."""
    run_script("0001_spine.sql")
