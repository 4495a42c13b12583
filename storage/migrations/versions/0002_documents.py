"""What the four documents speak of: lists, labels, audiences, channels, opt-ins, properties; job controls."""

from storage.migrations import run_script

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the script of the same name."""
    run_script("0002_documents.sql")
