"""Accounts: the tenants and their limits."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.ids import AccountId
from storage.postgres.db_errors import violations_as
from storage.postgres.named_queries import load, row_of, row_or_none
from storage.postgres.pool import Conn, Pool

# The settings of a new account. Equal to the defaults of the columns.
DEFAULTS = {"request_limit": 30, "item_limit": 30_000, "window_seconds": 60, "default_wait": 0}
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
    deleting_at: datetime | None  # workers delete it since then


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


class NameTaken(Exception):
    """Another account has this name or this phone_number_id. The message says which."""


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
