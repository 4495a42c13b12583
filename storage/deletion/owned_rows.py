"""The rows that an account owns: every table that has them, and how they are deleted in batches."""

import json
from typing import Any

from schemas.ids import AccountId
from storage.postgres.named_queries import Db, load
from storage.postgres.pool import Conn

SMALLEST: dict[str, Any] = {  # values of the types of keys
    "bigint": -(2**63),
    "integer": -(2**31),
    "text": "",
    "time": "-infinity",
    "bytes": "\\x",
    "uuid": "00000000-0000-0000-0000-000000000000",
}
ROWS = 2_000  # in one batch
LARGE_ROWS = 32  # of up to a megabyte


class OwnedRows:
    """The rows of accounts in one table. `key`: its primary key after account_id, with types."""

    def __init__(self, table: str, *, rows: int = ROWS, **key: str) -> None:
        self.table = table
        self.key = tuple(key)
        self.rows = rows  # in one batch
        self._first = json.dumps({column: SMALLEST[type_] for column, type_ in key.items()})
        self._queries = load(f"{__package__}.owned_rows", _names(table, self.key))

    async def delete(self, conn: Conn, account_id: AccountId, after: str | None) -> tuple[int, str | None]:
        """Delete a batch of rows after `after`, None for the first. Return their number and the next `after`.

        That is None if there are no more rows.
        """
        row = await self._queries.delete(
            conn, account_id=account_id, after=after or self._first, rows=self.rows
        )
        return row["rows"], row["last"]

    async def any_left(self, db: Db, account_id: AccountId) -> bool:
        """Return whether the account has a row."""
        found: bool = await self._queries.any_left(db, account_id=account_id)
        return found

    async def count(self, db: Db, account_id: AccountId) -> int:
        """Return the number of rows of the account. Reads all of them."""
        count: int = await self._queries.count(db, account_id=account_id)
        return count


def _names(table: str, key: tuple[str, ...]) -> dict[str, str]:
    return {
        "table": table,
        "key": ", ".join(f"t.{column}" for column in key),
        "edge": ", ".join(f"edge.{column}" for column in key),
        "order": ", ".join(f"t.{column} DESC" for column in key),
    }


# In this order: what makes others work comes first, so that they stop with it; a job comes before its chunks,
# because a job without chunks would end; what the triggers of a table write comes after it.
OWNED = (
    OwnedRows("api_keys", key_hash="bytes"),
    OwnedRows("webhook_deliveries", webhook_id="text", number="bigint"),
    OwnedRows("webhooks", id="text"),
    OwnedRows("resumable_uploads", id="uuid"),
    OwnedRows("jobs", rows=500, id="uuid"),
    OwnedRows("chunks", job_id="uuid", first_index="integer"),
    OwnedRows("parts", rows=LARGE_ROWS, job_id="uuid", part="integer"),
    OwnedRows("kept_parts", rows=LARGE_ROWS, job_id="uuid", part="integer"),
    OwnedRows("upload_pieces", rows=LARGE_ROWS, upload_id="uuid", start="bigint"),
    OwnedRows("outcomes", job_id="uuid", first_index="integer"),
    OwnedRows("outcome_changes", job_id="uuid", item_index="integer"),
    OwnedRows("item_errors", job_id="uuid", item_index="integer"),
    OwnedRows("error_groups", job_id="uuid", first_index="integer"),
    OwnedRows("error_counts", job_id="uuid"),
    OwnedRows("streams", stream="text"),
    OwnedRows("contact_changes", contact_id="bigint", applied="bigint"),
    OwnedRows("memberships", kind="text", owner_id="bigint", contact_id="bigint"),
    OwnedRows("opt_ins", contact_id="bigint", channel_id="uuid"),
    OwnedRows("erasures", id="uuid"),
    OwnedRows("contacts", id="bigint"),
    OwnedRows("contact_counts", slot="integer"),
    OwnedRows("before_images", rows=LARGE_ROWS, job_id="uuid", number="bigint"),
    OwnedRows("single_changes", contact_id="bigint", number="bigint"),
    OwnedRows("labels", id="bigint"),
    OwnedRows("teams", id="bigint"),
    OwnedRows("contact_lists", id="bigint"),
    OwnedRows("audiences", id="bigint"),
    OwnedRows("channels", id="uuid"),
    OwnedRows("property_definitions", name="text"),
    OwnedRows(
        "job_history",
        tag="text", name="text", operation="text", state="text", received_at="time", job_id="uuid",
    ),
    OwnedRows("job_count_changes", tag="text", name="text", number="bigint"),
    OwnedRows(
        "job_counts",
        tag="text", name="text", hour="time", operation="text", state="text",
    ),
    OwnedRows("grants", at="time"),
    OwnedRows("admissions", at="time"),
    OwnedRows("account_turns", account_id="bigint"),
)  # fmt: skip
