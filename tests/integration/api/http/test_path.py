"""The files on the path of a bulk upsert, as docs/contributing.md lists them, are those whose code runs."""

import re
import sys
from pathlib import Path
from types import FrameType

import pytest

from storage.context import Context
from tests.factories import contact
from tests.integration.api.service import Client
from tests.integration.api.work import work

REPOSITORY = Path(__file__).parents[4]
PAGE = REPOSITORY / "docs" / "contributing.md"
HEADING = "## How does one bulk upsert get from the socket to its row?"
PACKAGES = ("api", "worker", "storage", "schemas")
TABLES = {
    "api/routes.py",
    "api/middleware/__init__.py",
    "worker/bells/arq_app.py",
}  # no function of these is called

# Files that run as well but need not be opened: the call says what they do.
HELPERS = {
    "api/accept/targets.py",  # the request names no list, label, audience or channel
    "api/http/identity/caller.py",  # who is noted, and from where
    "api/http/connections.py",
    "api/http/context.py",
    "api/http/memory.py",
    "api/http/validation.py",
    "api/http/workbook_room.py",  # the body is no workbook
    "api/http/views/limits_view.py",  # what the limits of an account are
    "api/middleware/errors.py",
    "api/middleware/measure.py",
    "api/middleware/refused.py",
    "api/middleware/request_id.py",
    "api/middleware/security_headers.py",
    "api/middleware/trace.py",  # passes the request on: traces are off
    "api/resumable/upload_fields.py",  # the request is no resumable upload
    "schemas/callers.py",
    "schemas/error_limit.py",
    "schemas/formats/encodings.py",  # the body is not compressed
    "schemas/formats/file_name.py",  # the request names no file
    "schemas/formats/json_array.py",
    "schemas/formats/json_text.py",
    "schemas/formats/records.py",
    "schemas/formats/undeclared_charset.py",  # the body is UTF-8
    "schemas/formats/files/kinds.py",  # the body is text
    "api/http/file_pipe.py",
    "schemas/ids.py",
    "schemas/metrics.py",
    "schemas/noted_metrics.py",
    "schemas/items/phone_patterns.py",
    "schemas/settings.py",
    "schemas/states.py",
    "schemas/trace_context.py",  # the request is in no trace
    "schemas/traces.py",  # traces are off
    "storage/access/key_uses.py",  # writes nothing before the response
    "storage/background.py",
    "storage/breaker.py",
    "storage/context.py",
    "storage/failpoints.py",
    "storage/group_commit.py",  # the only job at this moment
    "storage/pipeline/leases.py",
    "storage/pipeline/results.py",
    "storage/postgres/array_texts.py",
    "storage/postgres/db_errors.py",
    "storage/postgres/named_queries.py",
    "storage/postgres/pool.py",
    "storage/postgres/transactions.py",
    "storage/watch.py",
    "storage/queue.py",
    "storage/repeated_log.py",
    "storage/slots.py",
    "worker/operations/base.py",
    "worker/operations/registry.py",
    "worker/operations/upsert_rows.py",
    "worker/job_spans.py",  # traces are off
}
# The response, and what happens after the row is written.
AFTERWARDS = {
    "schemas/wire/jobs.py",
    "api/feeds/event_feed.py",
    "api/http/access_log.py",
    "api/http/hearing.py",
    "api/http/job_view.py",
    "api/http/waiting.py",
    "storage/announcements.py",
    "storage/entities/contacts.py",
    "storage/images/before_images.py",  # the contact is new
    "storage/pipeline/dry_runs.py",
    "storage/pipeline/finish.py",
    "storage/pipeline/jobs.py",
    "storage/pipeline/turns.py",
    "storage/pruning.py",
    "worker/dry_run.py",
    "worker/finish.py",
    "storage/pipeline/split.py",
    "worker/attempt.py",
}


def listed() -> list[str]:
    """Return the files of the page's numbered list, in its order."""
    _, _, section = PAGE.read_text().partition(HEADING)
    section, _, _ = section.partition("\n## ")
    return re.findall(r"^\d+\. `([\w/]+\.py)`", section, re.MULTILINE)


async def test_the_documented_path_of_an_upsert_is_the_code_that_runs(ctx: Context, client: Client) -> None:
    ran: set[str] = set()

    def look(frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(REPOSITORY):
            ran.add(path.relative_to(REPOSITORY).as_posix())

    sys.setprofile(look)
    try:
        await client.submit_items([contact(1)])
        await work(ctx)
    finally:
        sys.setprofile(None)
    ours = {file for file in ran if file.startswith(PACKAGES)}
    assert ours - HELPERS - AFTERWARDS <= set(listed()), "add the file to the list, or say why not to open it"
    assert set(listed()) - TABLES <= ours, "remove the file from the list: none of its code runs"


@pytest.mark.parametrize("file", [*sorted(HELPERS | AFTERWARDS), *sorted(TABLES)])
def test_every_file_that_is_named_exists(file: str) -> None:
    assert (REPOSITORY / file).is_file()


def test_the_path_has_at_most_thirty_files() -> None:
    assert len(listed()) <= 30
