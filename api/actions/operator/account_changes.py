"""What the operator changes of accounts: new ones, their settings, their deletion."""

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import Conflict
from schemas.wire.operator import AccountSettings, NewAccount
from storage.deletion import account_deletion
from storage.entities import accounts
from storage.entities.accounts import Account, AccountChange, NameTaken
from storage.postgres.pool import Pool


async def create_account(pool: Pool, body: NewAccount) -> Account:
    """Create an account. Raises Conflict if its name or its phone_number_id is taken."""
    with _is_free():
        return await accounts.create(pool, body.name, AccountChange(**body.model_dump(exclude={"name"})))


async def change_account(pool: Pool, account: Account, body: AccountSettings) -> Account | None:
    """Change the given settings of an account. None: it does not exist any more. Raises Conflict."""
    with _is_free():
        return await accounts.update(pool, account.name, AccountChange(**body.changed()))


async def delete_account(pool: Pool, account: Account) -> Account | None:
    """Begin to delete an account with all that it owns. None: it does not exist any more."""
    return await account_deletion.begin(pool, account.id)


@contextmanager
def _is_free() -> Iterator[None]:
    try:
        yield
    except NameTaken as error:
        raise Conflict(f"{error}: choose another", code="account_exists") from error
