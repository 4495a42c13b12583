"""Rows of each kind that a request can name, for two accounts, and snapshots of all rows of an account."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from schemas.ids import (
    JobId,
    Prefix,
    UploadId,
    new_job_id,
    show_erasure_id,
    show_id,
    show_job_id,
    show_message_id,
    show_upload_id,
)
from storage.context import Context
from storage.entities.accounts import Account
from storage.postgres.named_queries import Db
from storage.postgres.pool import Pool
from tests.factories import make_job, phone
from tests.integration.api.work import work

PREFIXES: dict[str, Prefix] = {
    "contact": "ctc",
    "list": "lst",
    "label": "lbl",
    "audience": "aud",
    "team": "team",
}
USED = re.compile(r', "last_used_at": (?:null|"[^"]+")')
FIRST_NEW = 5_000_000  # the first id of rows that requests create; no other number is near it

POPULATE = """
WITH it AS (
    SELECT $1::bigint AS account_id, $2::bigint AS number, $3::text AS word, $4::text AS phone,
        $5::uuid AS channel_id, $6::text AS channel_phone, $7::text AS key,
        $8::bigint AS team_id, $9::uuid AS second_channel_id,
        $10::bigint AS also_in_list
), a_team AS (
    INSERT INTO teams (account_id, id, name) OVERRIDING SYSTEM VALUE SELECT account_id, number, word FROM it
), a_label AS (
    INSERT INTO labels (account_id, id, name, team_id, colour) OVERRIDING SYSTEM VALUE
    SELECT account_id, number, word, team_id, '#123456' FROM it
), a_list AS (
    INSERT INTO contact_lists (account_id, id, name) OVERRIDING SYSTEM VALUE
    SELECT account_id, number, word FROM it
), an_audience AS (
    INSERT INTO audiences (account_id, id, name) OVERRIDING SYSTEM VALUE
    SELECT account_id, number, word FROM it
), a_channel AS (
    INSERT INTO channels (account_id, id, name, phone)
    SELECT account_id, channel_id, word, channel_phone FROM it
    UNION ALL
    SELECT account_id, second_channel_id, word || ' second', NULL FROM it
), a_property AS (
    INSERT INTO property_definitions (account_id, name, type, options)
    SELECT account_id, key || '_key', 'enum', ARRAY['x', 'y', word] FROM it
), some_contacts AS (
    INSERT INTO contacts (account_id, id, phone, external_id, name, email, team_id, default_channel_id,
        metadata, properties) OVERRIDING SYSTEM VALUE
    SELECT account_id, number, phone, key || '-1', word, 'someone@example.com', team_id, channel_id,
        jsonb_build_object('secret', word), jsonb_build_object(key || '_key', 'x')
    FROM it
), an_upload AS (
    INSERT INTO resumable_uploads (account_id, id, operation, query, headers, arrived, token, expires_at)
    SELECT account_id, channel_id, 'contacts.upsert', '', jsonb_build_object('Content-Type', 'text/csv',
        'Content-Disposition', 'inline; filename="' || word || '.csv"'), 11, 1, now() + interval '1 d'
    FROM it
), an_erasure AS (
    INSERT INTO erasures (account_id, id, contact_id, state, step, finished_at)
    SELECT account_id, channel_id, number + 1, 'completed', 6, now() FROM it
), a_piece AS (
    INSERT INTO upload_pieces (account_id, upload_id, start, body)
    SELECT account_id, channel_id, 0, convert_to('phone,name' || chr(10), 'UTF8') FROM it
), members AS (
    INSERT INTO memberships (account_id, kind, owner_id, contact_id)
    SELECT account_id, kind, number, number FROM it, unnest('{list, label, audience}'::text[]) AS kind
    UNION ALL
    SELECT account_id, 'list', also_in_list, number FROM it WHERE also_in_list IS NOT NULL
), a_webhook AS (
    INSERT INTO webhooks (account_id, id, url, events, description, secret)
    SELECT account_id, key || '-hook', 'https://a.example/' || key, '{job.throttled}', word,
        sha256(word::bytea)
    FROM it
), a_key AS (
    INSERT INTO api_keys (account_id, id, name, key_hash)
    SELECT account_id, key || '-id', word, sha256(word::bytea) FROM it
), a_delivery AS (
    INSERT INTO webhook_deliveries (account_id, webhook_id, number, id, event, state, attempts)
    OVERRIDING SYSTEM VALUE
    SELECT account_id, key || '-hook', number, channel_id, 'webhook.test', 'failed', jsonb_build_array(
        jsonb_build_object('at', now(), 'status', 500, 'error', NULL, 'milliseconds', 5, 'answer', word))
    FROM it
)
INSERT INTO opt_ins (account_id, contact_id, channel_id, opted_in, by_contact)
SELECT account_id, number, channel_id, false, true FROM it
"""

# Copies a row of a job to another account: the ids are equal, but a field differs.
TWIN_OF_A_ROW = """
INSERT INTO {table}
SELECT (jsonb_populate_record(
    NULL::{table}, to_jsonb(t) || jsonb_build_object('account_id', $2::bigint) || $3::jsonb)).*
FROM {table} t WHERE {id} = $1 AND account_id <> $2
"""
TWINS_OF_A_JOB: tuple[tuple[str, dict[str, Any]], ...] = (
    ("jobs", {"request_id": "req_twin", "failed": 77}),
    ("parts", {}),
    ("chunks", {"state": "ready"}),
    ("chunks", {"state": "running", "first_index": 1}),
    ("outcomes", {}),
    ("item_errors", {"message": "twin"}),
)

# Only the twin has an opt-in for the second channel of the contact.
MORE_TWINS = """
WITH change AS (
    INSERT INTO outcome_changes (account_id, job_id, item_index, was, outcome) VALUES ($1, $2, 0, 1, 6)
), waiting AS (
    INSERT INTO streams (account_id, stream, last_position, pending) VALUES ($1, $2::text, 1, 1)
)
INSERT INTO opt_ins (account_id, contact_id, channel_id, opted_in, by_contact)
VALUES ($1, $3, $4, false, true)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """One row of each kind. All numeric ids are equal.

    `word` is the visible value of each row. The external id and the property's name start with `key`.
    """

    number: int
    word: str
    key: str
    phone: str
    channel_phone: str
    in_team: bool = True  # if False, nothing refers to the team, so it can be deleted
    also_in_list: int | None = None  # the id of a second list of the contact

    @property
    def channel_id(self) -> UUID:
        """The id of the channel that its contact has opted out of."""
        return UUID(int=self.number)

    @property
    def second_channel_id(self) -> UUID:
        """The id of the channel for which its contact has no opt-in."""
        return UUID(int=self.number + 1)

    def names(self, job_id: JobId, *, plain: bool = False) -> dict[str, str]:
        """Return the name of each row in requests. `plain`: numbers instead of ids with a prefix."""
        ids = {
            kind: str(self.number) if plain else show_id(prefix, self.number)
            for kind, prefix in PREFIXES.items()
        }
        return ids | {
            "channel": str(self.channel_id),
            "second_channel": str(self.second_channel_id),
            "channel_phone": self.channel_phone,
            "property": f"{self.key}_key",
            "webhook": f"{self.key}-hook",
            "key": f"{self.key}-id",
            "delivery": show_message_id(self.channel_id),
            "job": show_job_id(job_id),
            "upload": show_upload_id(UploadId(self.channel_id)),
            "erasure": show_erasure_id(self.channel_id),
            "phone_number_id": f"1{self.number}",
            "phone": self.phone,
            "external_id": f"{self.key}-1",
        }


OWN = Belongings(number=1001, word="Own", key="Own", phone=phone(1), channel_phone=phone(11))
SPARE = Belongings(
    number=2001,
    word="Spare",
    key="Spare",
    phone=phone(2),
    channel_phone=phone(12),
    in_team=False,
    also_in_list=OWN.number,
)
THEIRS = Belongings(
    number=7_000_000_001, word="Theirs", key="Theirs", phone=phone(3), channel_phone=phone(13)
)


async def populate(ctx: Context, account: Account, has: Belongings) -> JobId:
    """Write the rows, and return the id of an ended job with a failed item."""
    await _write(ctx.pool, account, has)
    items = [{"phone": phone(31), "name": has.word}, {"phone": "12"}]
    job_id = await make_job(ctx, account.id, items, name=has.word, tags=(has.word,))
    await work(ctx)
    return job_id


async def populate_twin(ctx: Context, account: Account, of: Belongings, job_id: JobId) -> None:
    """Write rows with the ids and the phones of another account's rows: every key begins with the account.

    A query without the account then finds the rows of both. The twin also has a job in the state `receiving`.
    """
    await _write(ctx.pool, account, replace(of, word=f"Twin of {of.word}"))
    receiving = {"id": str(new_job_id()), "state": "receiving", "lease_until": "infinity"}
    for table, change in (*TWINS_OF_A_JOB, ("jobs", receiving | {"idempotency_key": None})):
        query = TWIN_OF_A_ROW.format(table=table, id="id" if table == "jobs" else "job_id")
        await ctx.pool.execute(query, job_id, account.id, json.dumps(change))
    await ctx.pool.execute(MORE_TWINS, account.id, job_id, of.number, of.second_channel_id)


async def _write(pool: Pool, account: Account, has: Belongings) -> None:
    team_id = has.number if has.in_team else None
    more = (has.channel_id, has.channel_phone, has.key, team_id, has.second_channel_id, has.also_in_list)
    await pool.execute(POPULATE, account.id, has.number, has.word, has.phone, *more)


async def number_from(pool: Pool, first: int) -> None:
    """Make the ids of new rows start at `first`."""
    for table in ("contacts", "contact_lists", "labels", "audiences", "teams"):
        await pool.execute(f"ALTER TABLE {table} ALTER id RESTART WITH {first}")
    for table in ("job_count_changes", "webhook_deliveries"):
        await pool.execute(f"ALTER TABLE {table} ALTER number RESTART WITH {first}")


class Rows:
    """The rows of one account in all tables, and a copy of them."""

    def __init__(self, pool: Pool, account: Account, tables: Sequence[str]) -> None:
        self._pool = pool
        self._account_id = account.id
        self._tables = tables
        self._kept = set[str]()
        self._seen = set[tuple[str, ...]]()

    async def versions(self) -> set[tuple[str, ...]]:
        """Return each row with its physical version, which changes with every write."""
        whose = dict.fromkeys(self._tables, "account_id") | {"accounts": "id"}
        query = " UNION ALL ".join(
            f"SELECT '{table}', ctid::text, xmin::text, to_jsonb(t)::text FROM {table} t WHERE {column} = $1"
            for table, column in whose.items()
        )
        return {tuple(row) for row in await self._pool.fetch(query, self._account_id)}

    async def compare_versions(self) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
        """Return the versions at the previous call, and those of now."""
        before, self._seen = self._seen, await self.versions()
        return before, self._seen

    async def texts(self) -> set[str]:
        """Return each row as JSON, except that of `accounts`, without the times when keys were used."""
        versions = await self.versions()
        return {f"{table} {USED.sub('', text)}" for table, _, _, text in versions if table != "accounts"}

    async def keep(self) -> None:
        """Copy the rows, so that `put_back` can restore them."""
        self._kept = await self.texts()
        await self._pool.execute("CREATE SCHEMA kept")
        for table in self._tables:
            await self._pool.execute(
                f"CREATE TABLE kept.{table} AS SELECT * FROM {table} WHERE account_id = {self._account_id}"
            )

    async def put_back(self) -> set[str]:
        """Restore the copied rows without triggers, and return the rows as they were before that."""
        texts = await self.texts()
        if texts != self._kept:
            await self._put_back()
        return texts

    async def _put_back(self) -> None:
        statements = "; ".join(
            f"DELETE FROM {table} WHERE account_id = {self._account_id};"
            f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM kept.{table}"
            for table in self._tables
        )
        async with self._pool.acquire() as conn, conn.transaction():
            await conn.execute(f"SET LOCAL session_replication_role = replica; {statements}")


async def tables_of(db: Db) -> list[str]:
    """Return all tables with a column `account_id`."""
    rows = await db.fetch(
        """SELECT table_name FROM information_schema.tables t
           JOIN information_schema.columns c USING (table_schema, table_name)
           WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND column_name = 'account_id'"""
    )
    return sorted(row["table_name"] for row in rows)
