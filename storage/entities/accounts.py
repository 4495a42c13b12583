"""Accounts and their keys."""

import hashlib
import secrets
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.ids import AccountId
from storage.postgres.db_errors import violations_as
from storage.postgres.named_queries import load, row_of, row_or_none, rows_of
from storage.postgres.pool import Conn, Pool

# The settings of a new account. Equal to the defaults of the columns.
DEFAULTS = {"request_limit": 30, "item_limit": 30_000, "window_seconds": 60, "default_wait": 0}
MOST_KEYS = 1_000  # in a list of keys
QUERIES = load(__name__, DEFAULTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A tenant. A limit of 0 means no limit."""

    id: AccountId
    name: str
    region: str | None
    phone_number_id: str | None
    request_limit: int
    item_limit: int
    window_seconds: int
    default_wait: int
    keep_jobs_days: int | None  # None: KEEP_JOBS_DAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """The settings to change. None keeps a setting, or its default for a new account."""

    region: str | None = None
    phone_number_id: str | None = None
    request_limit: int | None = None
    item_limit: int | None = None
    window_seconds: int | None = None
    default_wait: int | None = None
    keep_jobs_days: int | None = None  # 0: KEEP_JOBS_DAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """An API key, without the key itself. The name is unique among the live keys of its account."""

    id: str
    name: str | None
    created_at: datetime
    revoked_at: datetime | None


class NameTaken(Exception):
    """Another account has this name or this phone_number_id. The message says which."""


class KeyNameTaken(Exception):
    """Another key of the account that is not revoked has this name."""


async def create(db: Conn | Pool, name: str, change: AccountChange) -> Account:
    """Create an account. Raises NameTaken."""
    with _taken_as(name, change):
        return row_of(Account, await QUERIES.create(db, name=name, **_columns(change)))


async def update(db: Conn | Pool, name: str, change: AccountChange) -> Account | None:
    """Change an account and return it, or None if no account has this name. Raises NameTaken."""
    with _taken_as(name, change):
        row = await QUERIES.update(db, name=name, **_columns(change))
    return row_or_none(Account, row)


async def by_name(db: Conn | Pool, name: str) -> Account | None:
    """Return the account with this name, or None."""
    return row_or_none(Account, await QUERIES.by_name(db, name=name))


async def by_id(db: Conn | Pool, account_id: AccountId) -> Account | None:
    """Return the account with this id, or None."""
    return row_or_none(Account, await QUERIES.by_id(db, id=account_id))


async def by_key(db: Conn | Pool, key: str) -> Account | None:
    """Return the account of an API key, or None if the key is malformed, unknown or revoked."""
    owner = _owner(key)
    if owner is None:
        return None
    record = await QUERIES.by_key(db, account_id=owner, key_hash=_hash(key))
    return row_or_none(Account, record)


async def by_key_with_jobs(db: Conn | Pool, key: str) -> tuple[Account, int] | None:
    """Return what `by_key` returns, and how many jobs of the account have not ended, uploads included."""
    owner = _owner(key)
    record = owner and await QUERIES.by_key_with_jobs(db, account_id=owner, key_hash=_hash(key))
    if not record:
        return None
    return row_of(Account, record), record["unfinished"]


async def create_key(db: Conn | Pool, account_id: AccountId, name: str | None = None) -> tuple[str, str]:
    """Create an API key and return (id, key). Raises KeyNameTaken. See `add_key`."""
    row, key = await add_key(db, account_id, name)
    return row.id, key


async def add_key(db: Conn | Pool, account_id: AccountId, name: str | None) -> tuple[KeyRow, str]:
    """Create an API key. Only its hash is stored, so the key cannot be read again. Raises KeyNameTaken.

    The id of the account is part of the key, so that a look-up reads one partition.
    """
    key = f"bl_{account_id}_{secrets.token_urlsafe(32)}"
    key_id = f"key_{_hash(key).hex()[:12]}"
    with violations_as(api_keys_name=KeyNameTaken(name)):
        row = await QUERIES.add_key(db, account_id=account_id, id=key_id, name=name, key_hash=_hash(key))
    return row_of(KeyRow, row), key


async def list_keys(db: Conn | Pool, account_id: AccountId) -> list[KeyRow]:
    """Return the account's keys, oldest first: at most MOST_KEYS, of more the live ones and the newest."""
    return rows_of(KeyRow, await QUERIES.list_keys(db, account_id=account_id, most=MOST_KEYS))


async def revoke_key(db: Conn | Pool, account_id: AccountId, key: str) -> KeyRow | None:
    """Revoke a key, by its id or its name. Return None if the account has no such live key."""
    return row_or_none(KeyRow, await QUERIES.revoke_key(db, account_id=account_id, key=key))


async def owners_of_key(db: Conn | Pool, key: str) -> list[Account]:
    """Return the accounts that have a live key with this id or this name. Reads the keys of all accounts."""
    return rows_of(Account, await QUERIES.owners_of_key(db, key=key))


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()


def _owner(key: str) -> int | None:
    parts = key.split("_", 2)
    if len(parts) != 3 or parts[0] != "bl" or not parts[1].isascii() or not parts[1].isdigit():
        return None
    return int(parts[1]) if len(parts[1]) < 19 else None


def _taken_as(name: str, change: AccountChange) -> AbstractContextManager[None]:
    """Raise NameTaken if another account has the name or the phone_number_id."""
    return violations_as(
        accounts_name_key=NameTaken(f"another account has the name {name!r}"),
        accounts_phone_number_id_key=NameTaken(
            f"another account has the phone_number_id {change.phone_number_id!r}"
        ),
    )


def _columns(change: AccountChange) -> dict[str, Any]:
    return {name: getattr(change, name) for name in AccountChange.__slots__}
