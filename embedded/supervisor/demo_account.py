"""The demo account, which the first start creates for trying the service, and its key."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from embedded.servers import Home
from embedded.supervisor.dev_file import read_private, replace_private

if TYPE_CHECKING:
    from storage.entities.accounts import Account
    from storage.postgres.pool import Conn

NAME = "demo"
REGION = "US"
PHONE_NUMBER_ID = "106540352242922"  # from Kirim's examples, so that these can be pasted

# (database URL, the key of the last start) -> a valid key of the demo account
EnsureDemoKey = Callable[[str, str | None], Awaitable[str]]


async def obtain_key(home: Home, database_url: str, ensure: EnsureDemoKey) -> str:
    """Return the key of the last start if it is still valid, otherwise a new one. Stores it in the home."""
    path = home.run / "demo_key"
    known = read_private(path)
    key = await ensure(database_url, known)
    if key != known:
        replace_private(path, f"{key}\n")
    return key


async def ensure_demo_key(database_url: str, known_key: str | None) -> str:
    """Return the known key if it is valid, otherwise a new key of the demo account.

    Creates the demo account if it is missing, and gives it a phone_number_id if it has none.
    """
    from schemas.callers import ALL_SCOPES
    from storage.access import api_keys  # slow import, done while the api starts
    from storage.postgres.connection import connect

    async with connect(database_url) as conn:
        holder = await api_keys.by_key(conn, known_key) if known_key else None
        is_valid = holder is not None and holder.expired_at is None and holder.scopes == ALL_SCOPES
        account = holder.account if holder and is_valid else await _demo_account(conn)
        if account.name == NAME and account.phone_number_id is None:
            await _give_phone_number_id(conn)
        if known_key and is_valid:
            return known_key
        _, key = await api_keys.create_key(conn, account.id)
        return key


async def _demo_account(conn: "Conn") -> "Account":
    from storage.entities import accounts
    from storage.entities.accounts import AccountChange

    account = await accounts.by_name(conn, NAME)
    return account or await accounts.create(conn, NAME, AccountChange(region=REGION))


async def _give_phone_number_id(conn: "Conn") -> None:
    """Set the demo account's phone_number_id, unless another account has it."""
    from storage.entities import accounts
    from storage.entities.accounts import AccountChange, NameTaken

    try:
        await accounts.update(conn, NAME, AccountChange(phone_number_id=PHONE_NUMBER_ID))
    except NameTaken:
        return  # the demo account works without one
