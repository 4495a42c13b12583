"""A small database with one session for the api and one for the worker, that grows while they are open."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from uuid import UUID

import aiohttp
import asyncpg

from schemas.operations import JobParams
from schemas.settings import Settings
from storage.access import api_keys
from storage.context import Context
from storage.entities.accounts import Account
from storage.postgres.pool import Pool
from storage.postgres.templates import render
from tests.factories import (
    make_account,
    make_audience,
    make_channel,
    make_label,
    make_list,
    make_property,
)
from tests.integration.api.operator.operator_client import OPERATOR_KEY
from tests.integration.api.service import Client, Service, serve
from tests.workers import open_worker

PHONE_NUMBER_ID = "11001"
API = {"api_pool_size": 2, "read_limit": 0, "operator_key": OPERATOR_KEY}
GROWTH = (files(__package__) / "growth.sql").read_text()
CATALOG = (files(__package__) / "catalog.sql").read_text()
UNTOUCHED = """
DO $$ DECLARE t text; BEGIN
    FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = false)', t);
    END LOOP;
    EXECUTE format('ALTER DATABASE %I SET pg_stat_statements.track = ''all''', current_database());
END $$
"""

CHANGES = ('{"by": "key", "request_id": "first"}', str(UUID(int=1)))  # over REST, and by a job


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowingWorld:
    """A database with an account that has resources, and one whose window is small."""

    database_url: str
    settings: Settings
    account: Account
    key: str
    limited: Account
    channel: UUID
    params: JobParams
    known: list[int]  # ids of the contacts of the numbers from 0 to 9

    async def sql(self, query: str) -> None:
        """Run statements on a connection of its own."""
        conn = await asyncpg.connect(self.database_url)
        try:
            await conn.execute(query)
        finally:
            await conn.close()

    async def grow(self, contacts: int) -> None:
        """Fill all tables: see growth.sql."""
        names = {"contacts": contacts, "account": self.account.id, "limited": self.limited.id}
        await self.sql(render(GROWTH, {**names, "channels": f"{self.channel},{UUID(int=1)}"}))

    async def read_catalog(self, pool: Pool) -> None:
        """Let each connection of a pool read the catalog, so that no step does: see catalog.sql."""
        names: dict[str, str | int] = {"account": self.account.id, "channel": str(self.channel)}
        names |= {kind: getattr(self.params, f"{kind}_id") for kind in ("list", "label", "audience")}
        async with AsyncExitStack() as held:
            for _ in range(pool.get_max_size()):
                conn = await held.enter_async_context(pool.acquire())
                for change in CHANGES:
                    await conn.execute(render(CATALOG, {**names, "change": change}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """The sessions of one worker and of one api."""

    world: GrowingWorld
    ctx: Context
    service: Service
    session: aiohttp.ClientSession  # without a key
    client: Client


async def make_world(settings: Settings) -> GrowingWorld:
    """Make the world in an empty database, whose tables nobody analyzes but the test."""
    async with open_worker(settings) as ctx:
        await ctx.pool.execute(UNTOUCHED)
        account = await make_account(ctx, phone_number_id=PHONE_NUMBER_ID)
        _, key = await api_keys.create_key(ctx.pool, account.id)
        channel = await make_channel(ctx, account.id)
        await make_property(ctx, account.id, "vip", "boolean")
        assert settings.database_url is not None
        return GrowingWorld(
            database_url=settings.database_url,
            settings=settings,
            account=account,
            key=key,
            limited=await make_account(ctx, item_limit=1000, request_limit=1000),
            channel=channel,
            params=JobParams(
                list_id=await make_list(ctx, account.id),
                label_id=await make_label(ctx, account.id),
                audience_id=await make_audience(ctx, account.id),
                channels=(channel,),
                preference="mute_all",
                region="US",
            ),
            known=[],
        )


@asynccontextmanager
async def open_sessions(world: GrowingWorld) -> AsyncIterator[Sessions]:
    """Connect a worker and an api. A dry run and a settle need a second connection of the worker."""
    async with (
        open_worker(world.settings, size=2) as ctx,
        serve(
            world.settings.model_copy(
                update={"api_pool_size": 2, "read_limit": 0, "operator_key": OPERATOR_KEY}
            )
        ) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        for pool in (ctx.pool, service.api.ctx.pool):
            await world.read_catalog(pool)
        client = Client(session, world.account, world.key)
        yield Sessions(world=world, ctx=ctx, service=service, session=session, client=client)
