"""The demo account is created at the first start, and completed at later starts."""

from embedded.supervisor.demo_account import NAME, PHONE_NUMBER_ID, ensure_demo_key
from storage.access import api_keys
from storage.context import Context
from storage.entities import accounts
from storage.entities.accounts import AccountChange


async def test_the_first_start_creates_an_account_that_can_label_contacts(
    ctx: Context, database_url: str
) -> None:
    key = await ensure_demo_key(database_url, None)

    holder = await api_keys.by_key(ctx.pool, key)
    assert holder is not None
    account = holder.account
    assert (account.name, account.region, account.phone_number_id) == (NAME, "US", PHONE_NUMBER_ID)


async def test_a_later_start_keeps_the_key_and_adds_a_missing_phone_number_id(
    ctx: Context, database_url: str
) -> None:
    account = await accounts.create(ctx.pool, NAME, AccountChange(region="IN"))
    _, key = await api_keys.create_key(ctx.pool, account.id)

    assert await ensure_demo_key(database_url, key) == key

    account = await _account(ctx, NAME)
    assert (account.region, account.phone_number_id) == ("IN", PHONE_NUMBER_ID)


async def test_an_existing_phone_number_id_is_kept(ctx: Context, database_url: str) -> None:
    await accounts.create(ctx.pool, NAME, AccountChange(phone_number_id="7"))

    await ensure_demo_key(database_url, None)

    assert (await _account(ctx, NAME)).phone_number_id == "7"


async def test_another_account_keeps_its_phone_number_id(ctx: Context, database_url: str) -> None:
    await accounts.create(ctx.pool, "acme", AccountChange(phone_number_id=PHONE_NUMBER_ID))

    key = await ensure_demo_key(database_url, None)

    assert (await _account(ctx, "acme")).phone_number_id == PHONE_NUMBER_ID
    assert (await _account(ctx, NAME)).phone_number_id is None
    assert await ensure_demo_key(database_url, key) == key


async def test_a_known_key_of_another_account_is_kept_and_the_account_unchanged(
    ctx: Context, database_url: str
) -> None:
    other = await accounts.create(ctx.pool, "acme", AccountChange())
    _, key = await api_keys.create_key(ctx.pool, other.id)

    assert await ensure_demo_key(database_url, key) == key

    assert (await _account(ctx, "acme")).phone_number_id is None
    assert await accounts.by_name(ctx.pool, NAME) is None


async def _account(ctx: Context, name: str) -> accounts.Account:
    account = await accounts.by_name(ctx.pool, name)
    assert account is not None
    return account
