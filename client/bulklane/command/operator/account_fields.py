"""The settings of an account, as options, and the columns that show accounts and keys.

The commands over HTTP and those of the machine have them in common.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from bulklane.command.output import Columns, Document

AccountName = Annotated[
    str, typer.Argument(metavar="ACCOUNT", help="The account's name.", show_default=False)
]
Region = Annotated[
    str | None,
    typer.Option(
        help="Region of phone numbers without a prefix (ISO 3166, e.g. IN); '' for none.", show_default=False
    ),
]
PhoneNumberId = Annotated[
    str | None, typer.Option(help="The account's own phone_number_id; '' for none.", show_default=False)
]
RequestLimit = Annotated[
    int | None, typer.Option(min=0, help="Bulk requests per window; 0: no limit.", show_default="30")
]
ItemLimit = Annotated[
    int | None, typer.Option(min=0, help="Items applied per window; 0: no limit.", show_default="30000")
]
WindowSeconds = Annotated[
    int | None, typer.Option(min=1, max=86_400, help="Length of both windows in seconds.", show_default="60")
]
DefaultWait = Annotated[
    int | None,
    typer.Option(
        min=0, max=60, help="Default seconds that a bulk request waits for its job.", show_default="0"
    ),
]
KeepJobsDays = Annotated[
    int | None,
    typer.Option(
        min=0, max=36_500, help="Days that ended jobs are kept; 0: as KEEP_JOBS_DAYS.", show_default="0"
    ),
]
Search = Annotated[str, typer.Option(help="How the name begins, in any case.", show_default=False)]
KeyName = Annotated[
    str | None, typer.Option(help="A name that no other live key of the account has.", show_default=False)
]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The key's id or name.", show_default=False)]


class KeyScope(StrEnum):
    """What a key may do."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


Scopes = Annotated[
    list[KeyScope] | None,
    typer.Option("--scope", help="What the key may do; can be repeated.", show_default="all"),
]
Days = Annotated[
    int | None, typer.Option(min=1, max=36_500, help="Days until the key expires.", show_default="never")
]
Grace = Annotated[float, typer.Option("--grace-hours", min=0, max=720, help="How long the old key works on.")]
GRACE_HOURS = 24.0
KEEP_KEY = "keep the key, it cannot be shown again"

ACCOUNT_COLUMNS: Columns = {
    "name": "name",
    "id": "id",
    "region": "region",
    "phone_number_id": "phone_number_id",
    "requests": lambda account: account["limits"]["requests"] or "no limit",
    "items": lambda account: account["limits"]["items"] or "no limit",
    "window": lambda account: f"{account['limits']['window_seconds']} s",
    "default wait": lambda account: f"{account['default_wait']} s",
    "keep jobs": lambda account: f"{account['keep_jobs_days']} d" if account["keep_jobs_days"] else "default",
    "jobs waiting": "load.queued",
    "running": "load.running",
    "items waiting": "load.items",
    "deleting since": "deleting_at",
}
KEY_COLUMNS: Columns = {
    "id": "id",
    "name": "name",
    "scopes": lambda key: ", ".join(key["scopes"]),
    "status": "status",
    "used": "last_used_at",
    "expires": "expires_at",
    "created": "created_at",
    "replaced by": "replaced_by",
}


def end_after(days: int | None) -> datetime | None:
    """Return the time so many days from now; None: never."""
    return None if days is None else datetime.now(UTC) + timedelta(days=days)


def _chunk(worker: Document, name: str) -> object:
    """Return a field of the first chunk that a worker is applying."""
    return worker["chunks"][0][name] if worker["chunks"] else None


WORKER_COLUMNS: Columns = {
    "host": "host",
    "pid": "pid",
    "version": "version",
    "started": "started_at",
    "seen": "seen_at",
    "silent": "silent",
    "chunks": lambda worker: len(worker["chunks"]),
    "job": lambda worker: _chunk(worker, "job_id"),
    "account": lambda worker: _chunk(worker, "account_name"),
}
