"""The API keys of accounts."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from schemas.callers import ALL_SCOPES, Scope
from schemas.ids import AccountId
from storage.entities.accounts import Account
from storage.postgres.db_errors import violations_as
from storage.postgres.named_queries import load, row_of, row_or_none, rows_of
from storage.postgres.pool import Conn, Pool

MOST_KEYS = 1_000  # in a list of keys
USE_SECONDS = 60.0  # the time of the last use is as exact as this
KEY = """id, name, scopes, created_at, LEAST(expires_at, grace_until) AS expires_at, last_used_at,
    replaced_by, revoked_at, CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
        WHEN LEAST(expires_at, grace_until) <= now() THEN 'expired' ELSE 'active' END AS status"""
EXPIRED_AT = """CASE WHEN LEAST(k.expires_at, k.grace_until) <= now()
    THEN LEAST(k.expires_at, k.grace_until) END AS expired_at"""
QUERIES = load(__name__, {"key": KEY, "expired_at": EXPIRED_AT})

KeyId = tuple[AccountId, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """An API key, without the key itself.

    The name is unique among the keys of its account that are not revoked and not replaced. `replaced_by` is
    the id of the key that has its name now, which ends this one after a grace. `last_used_at` is at most
    USE_SECONDS too early.
    """

    id: str
    name: str | None
    scopes: Collection[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str | None
    revoked_at: datetime | None
    status: Literal["active", "expired", "revoked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The account of a key, and what the key may do. `expired_at`: the key has expired at this time.

    `unfinished`: jobs of the account that have not ended, uploads included; 0 from `by_key`.
    """

    account: Account
    key_id: str
    scopes: frozenset[Scope]
    expired_at: datetime | None
    unfinished: int


class KeyNameTaken(Exception):
    """Another key of the account that is not revoked has this name."""


async def by_key(db: Conn | Pool, key: str) -> Holder | None:
    """Return the holder of an API key, or None if the key is malformed, unknown or revoked."""
    return await _holder(db, QUERIES.by_key, key)


async def by_key_with_jobs(db: Conn | Pool, key: str) -> Holder | None:
    """Return what `by_key` returns, and how many jobs of the account have not ended."""
    return await _holder(db, QUERIES.by_key_with_jobs, key)


async def create_key(db: Conn | Pool, account_id: AccountId, name: str | None = None) -> tuple[str, str]:
    """Create an API key with all scopes and return (id, key). Raises KeyNameTaken. See `add_key`."""
    row, key = await add_key(db, account_id, name)
    return row.id, key


async def add_key(
    db: Conn | Pool,
    account_id: AccountId,
    name: str | None,
    *,
    scopes: Collection[Scope] = ALL_SCOPES,
    expires_at: datetime | None = None,
) -> tuple[KeyRow, str]:
    """Create an API key. Only its hash is stored, so the key cannot be read again. Raises KeyNameTaken.

    The id of the account is part of the key, so that a look-up reads one partition.
    """
    key, columns = _new_key(account_id)
    with violations_as(api_keys_name=KeyNameTaken(name)):
        row = await QUERIES.add(db, name=name, scopes=_sorted(scopes), expires_at=expires_at, **columns)
    return row_of(KeyRow, row), key


async def rotate_key(
    db: Conn | Pool,
    account_id: AccountId,
    old_id: str,
    *,
    grace_seconds: float,
    expires_at: datetime | None = None,
    latest: datetime | None = None,
) -> tuple[KeyRow, str] | None:
    """Create a key with the name and scopes of another one, which works for `grace_seconds` more.

    Without `expires_at`, the new key expires when the old one would have; at `latest` at the latest. Returns
    None if the old key is not active, or was replaced before.
    """
    key, columns = _new_key(account_id)
    row = await QUERIES.rotate(
        db, old_id=old_id, grace_seconds=grace_seconds, expires_at=expires_at, latest=latest, **columns
    )
    return (row_of(KeyRow, row), key) if row else None


async def list_keys(db: Conn | Pool, account_id: AccountId) -> list[KeyRow]:
    """Return the account's keys, oldest first: at most MOST_KEYS, of more the live ones and the newest."""
    return rows_of(KeyRow, await QUERIES.list_all(db, account_id=account_id, most=MOST_KEYS))


async def find_key(db: Conn | Pool, account_id: AccountId, key: str) -> KeyRow | None:
    """Return a key, by its id or by the name that it has now. None: the account has no such key."""
    return row_or_none(KeyRow, await QUERIES.find(db, account_id=account_id, key=key))


async def revoke_key(db: Conn | Pool, account_id: AccountId, key: str) -> KeyRow | None:
    """Revoke the key with this id, or all keys with this name. Return the newest of them.

    None: the account has no such key that is not revoked.
    """
    return row_or_none(KeyRow, await QUERIES.revoke(db, account_id=account_id, key=key))


async def owners_of_key(db: Conn | Pool, key: str) -> list[Account]:
    """Return the accounts that have a key with this id or this name. Reads the keys of all accounts."""
    return rows_of(Account, await QUERIES.owners(db, key=key))


async def note_uses(db: Conn | Pool, used: Collection[KeyId]) -> None:
    """Record that keys were used, each at most once in USE_SECONDS. Waits for no lock."""
    await QUERIES.note_uses(db, every_seconds=USE_SECONDS, **_ids(used))


async def active_keys(db: Conn | Pool, keys: Collection[KeyId]) -> set[KeyId]:
    """Return those of the keys that are neither revoked nor expired."""
    return {(row["account_id"], row["id"]) for row in await QUERIES.active(db, **_ids(keys))}


async def _holder(db: Conn | Pool, query: Any, key: str) -> Holder | None:
    owner = _owner(key)
    record = owner and await query(db, account_id=owner, key_hash=_hash(key))
    if not record:
        return None
    return Holder(
        account=row_of(Account, record),
        key_id=record["key_id"],
        scopes=frozenset(map(Scope, record["scopes"])),
        expired_at=record["expired_at"],
        unfinished=record["unfinished"],
    )


def _new_key(account_id: AccountId) -> tuple[str, dict[str, Any]]:
    """Return a new key, and the columns that say which one it is."""
    key = f"bl_{account_id}_{secrets.token_urlsafe(32)}"
    key_id = f"key_{_hash(key).hex()[:12]}"
    return key, {"account_id": account_id, "id": key_id, "key_hash": _hash(key)}


def _sorted(scopes: Collection[Scope]) -> list[str]:
    """Return scopes in the order of their definition."""
    return [scope.value for scope in Scope if scope in scopes]


def _ids(keys: Collection[KeyId]) -> dict[str, list[Any]]:
    return {"account_ids": [account_id for account_id, _ in keys], "ids": [key_id for _, key_id in keys]}


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()


def _owner(key: str) -> int | None:
    parts = key.split("_", 2)
    if len(parts) != 3 or parts[0] != "bl" or not parts[1].isascii() or not parts[1].isdigit():
        return None
    return int(parts[1]) if len(parts[1]) < 19 else None
