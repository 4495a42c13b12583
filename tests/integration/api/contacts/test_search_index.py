"""A search reads few contacts: a frequent text is found from the newest on, a rare one by the index."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import asyncpg
import pytest

from schemas.settings import Settings
from storage.context import Context
from storage.entities import contact_search
from storage.entities.accounts import Account
from storage.entities.contact_search import IndexRefused
from storage.postgres.pool import Conn
from tests.factories import make_account, make_contacts, phone
from tests.integration.api.contact_calls import create, list_contacts
from tests.integration.api.contacts.test_contact_totals import rows_read
from tests.integration.api.contacts.test_contacts_search import PEOPLE, PHONES, SEARCHES, names
from tests.integration.api.service import make_client

MANY = 4_000


@asynccontextmanager
async def connection(settings: Settings) -> AsyncIterator[Conn]:
    assert settings.database_url
    conn = await asyncpg.connect(settings.database_url)
    yield conn
    await conn.close()


@pytest.fixture
async def index(settings: Settings) -> AsyncIterator[None]:
    async with connection(settings) as conn:
        await contact_search.switch_index_on(conn)
        yield


async def search(ctx: Context, account: Account, text: str, *, skip: int = 0) -> tuple[list[str], int, int]:
    """Return the phones of a page of three, the total, and the rows that this read."""
    async with ctx.pool.acquire() as conn:
        before = await rows_read(conn)
        rows, total = await contact_search.page(conn, account, search=text, size=3, skip=skip)
        return [row.fields["phone"] for row in rows], total, await rows_read(conn) - before


@pytest.mark.usefixtures("index")
async def test_the_index_finds_what_a_search_without_it_finds(
    ctx: Context, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_search, "NEWEST", 0)
    client = await make_client(ctx, session, region="GB")
    for number, name in enumerate(PEOPLE):
        await create(client, number, name=name)
    for text, expected in SEARCHES:
        assert names(await list_contacts(client, search=text)) == expected, text
    client = await make_client(ctx, session, region="GB")
    await create(client, name="US", phoneNumber="+14155552671")
    await create(client, name="IN", phoneNumber="+919876543210")
    for text, expected in PHONES:
        assert names(await list_contacts(client, search=text)) == expected, text


async def test_a_search_for_a_frequent_text_does_not_read_all_contacts(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_search, "COUNTED", 10)
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, range(MANY), name="Priya Sharma")
    phones, total, read = await search(ctx, account, "priya", skip=30)
    assert phones == [phone(MANY - 31 - n) for n in range(3)]
    assert total == 30 + 3 + 10
    assert read < 200


async def test_the_start_of_many_phones_does_not_read_all_contacts(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_search, "COUNTED", 10)
    monkeypatch.setattr(contact_search, "CANDIDATES", 20)
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, range(MANY))
    phones, total, read = await search(ctx, account, phone(0)[:4])
    assert (phones, total) == ([phone(MANY - 1 - n) for n in range(3)], 13)
    assert read < 200


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("text", ["xyzzy", "ra Xyz", "4155 559 999", "5559999"])
async def test_a_search_for_a_rare_text_reads_the_contacts_that_match(
    ctx: Context, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(contact_search, "NEWEST", 50)
    account, other = await make_account(ctx), await make_account(ctx)
    await make_contacts(ctx, account.id, range(MANY), name="Priya Sharma")
    await make_contacts(ctx, other.id, range(20_000, 24_000), name="Mira Xyzzy")
    (id_,) = await make_contacts(ctx, account.id, [MANY], name="Mira Xyzzy")
    await ctx.pool.execute("UPDATE contacts SET phone = '+14155559999' WHERE id = $1", id_)
    phones, total, read = await search(ctx, account, text)
    assert (phones, total) == (["+14155559999"], 1)
    assert read < 200


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("text", ["priya", phone(0)[:4]])
@pytest.mark.parametrize(("newest", "candidates"), [(30, 10), (29, 30), (2, 29), (1, 29), (1, 30)])
async def test_every_way_of_a_search_finds_the_same(
    ctx: Context, monkeypatch: pytest.MonkeyPatch, text: str, newest: int, candidates: int
) -> None:
    monkeypatch.setattr(contact_search, "NEWEST", newest)
    monkeypatch.setattr(contact_search, "CANDIDATES", candidates)
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, range(30), name="Priya Sharma")
    phones, total, _ = await search(ctx, account, text, skip=10)
    assert (phones, total) == ([phone(19 - n) for n in range(3)], 30)


async def test_the_index_is_switched_on_and_off(settings: Settings) -> None:
    async with connection(settings) as conn:
        assert await contact_search.index_state(conn) is None
        for _ in range(2):
            await contact_search.switch_index_on(conn)
            state = await contact_search.index_state(conn)
            assert state
            assert state.valid
        for _ in range(2):
            await contact_search.switch_index_off(conn)
            assert await contact_search.index_state(conn) is None


async def test_an_index_that_is_not_complete_is_built_again(ctx: Context, settings: Settings) -> None:
    async with connection(settings) as conn:
        await contact_search.switch_index_on(conn)
        await conn.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'contacts_search'::regclass"
        )
        account = await make_account(ctx)
        await make_contacts(ctx, account.id, range(2), name="Priya Sharma")
        assert (await search(ctx, account, "priya"))[1] == 2
        await contact_search.switch_index_on(conn)
        state = await contact_search.index_state(conn)
        assert state
        assert state.valid


async def test_two_commands_do_not_change_the_index_at_once(settings: Settings) -> None:
    async with connection(settings) as one, connection(settings) as two:
        await contact_search.switch_index_off(one)
        with pytest.raises(IndexRefused, match="another command"):
            await contact_search.switch_index_on(two)


async def test_a_refused_extension_is_explained(settings: Settings) -> None:
    async with connection(settings) as conn:
        await conn.execute("SET ROLE pg_monitor")
        with pytest.raises(IndexRefused, match=r"permission denied.*owner of the database"):
            await contact_search.switch_index_on(conn)
