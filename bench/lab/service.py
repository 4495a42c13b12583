"""A temporary service for a benchmark: servers, an api and workers, as `bulklane serve` runs them."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import asyncpg

from bench.lab.client import Client
from bench.lab.machine import cpu_seconds
from embedded.servers import Child, Postgres, Valkey, open_scratch
from embedded.supervisor import address
from embedded.supervisor.commands import Command, environment
from storage import migrations
from storage.access import api_keys
from storage.entities import accounts
from storage.entities.accounts import AccountChange
from storage.postgres.pool import Conn

HOST = "127.0.0.1"
READY_SECONDS = 60.0
# PostgreSQL counts its statements, which costs some per cent: see `bench.lab.statements`
STATEMENTS = {"shared_preload_libraries": "pg_stat_statements"}
# nothing comes once a minute, to one of two services that are compared
NO_AUTOVACUUM = {"autovacuum": "off"}
NO_LIMITS = AccountChange(item_limit=0, request_limit=0)


class Service:
    """The processes of one benchmark. Make it with `running_service`."""

    def __init__(self, folder: Path, *, postgres: Mapping[str, str], settings: dict[str, str]) -> None:
        self.home = open_scratch(folder)
        self.postgres = Postgres(self.home, settings=postgres)
        self.valkey = Valkey(self.home)
        self.apis: list[Command] = []
        self.workers: list[Command] = []
        self.port = 0
        self._settings = {"READ_LIMIT": "0"} | settings
        self._stack = AsyncExitStack()
        self._accounts = 0

    @property
    def database_url(self) -> str:
        """The URL of PostgreSQL."""
        return self.postgres.url

    async def start(self, workers: int) -> None:
        """Start all processes, and wait until they are ready."""
        await asyncio.gather(self.postgres.start(), self.valkey.start())
        await asyncio.gather(self.postgres.wait_ready(), self.valkey.wait_ready())
        await migrations.migrate(self.database_url)
        self.port = address.choose_port(HOST, 0)
        api = self._command("api", "api", self.database_url)
        api.ready_when(partial(address.is_ready, HOST, self.port))
        self.apis.append(api)
        await api.start()
        await api.wait_ready(READY_SECONDS)
        await self.scale(workers)

    async def stop(self) -> None:
        """Stop all processes."""
        await self._stack.aclose()
        await asyncio.gather(*(child.stop() for child in (*self.apis, *self.workers)))
        await asyncio.gather(self.postgres.stop(), self.valkey.stop())
        self.home.tidy()

    async def scale(self, workers: int, *, database_url: str | None = None) -> None:
        """Start or stop workers until `workers` run. New ones use `database_url`, if it is given."""
        surplus = self.workers[workers:]
        del self.workers[workers:]
        await asyncio.gather(*(worker.stop() for worker in surplus))
        while len(self.workers) < workers:
            name = f"worker-{len(self.workers) + 1}"
            worker = self._command(name, "worker", database_url or self.database_url)
            self.workers.append(worker)
            await worker.start()

    async def client(self, change: AccountChange = NO_LIMITS) -> Client:
        """Create an account. Return a client of it, with a session that ends with the service."""
        (client,) = await self.clients(1, change)
        return client

    async def clients(self, count: int, change: AccountChange = NO_LIMITS) -> list[Client]:
        """Create accounts. Return a client of each."""
        conn = await self.connect()
        try:
            async with conn.transaction():  # one wait for the disk for all
                return [await self._client(conn, change) for _ in range(count)]
        finally:
            await conn.close()

    async def connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        """Open a connection to PostgreSQL."""
        conn: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(self.database_url)
        return conn

    async def sql(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Run one statement on a connection of its own. Return its rows."""
        conn = await self.connect()
        try:
            rows: list[asyncpg.Record] = await conn.fetch(query, *arguments)
            return rows
        finally:
            await conn.close()

    @asynccontextmanager
    async def claims_nothing(self) -> AsyncIterator[None]:
        """Lock the turns of all accounts while the body runs, so that no worker can claim anything."""
        conn = await self.connect()
        try:
            async with conn.transaction():
                await conn.execute("SELECT FROM account_turns ORDER BY account_id FOR UPDATE")
                yield
        finally:
            await conn.close()

    async def rest(self) -> None:
        """Write all changed pages, so that no measurement writes the pages of the one before."""
        await self.sql("CHECKPOINT")

    def cpu(self) -> dict[str, float]:
        """Return the processor time so far in seconds, by role."""
        roles: dict[str, list[Child]] = {
            "api": [*self.apis],
            "worker": [*self.workers],
            "postgres": [self.postgres],
            "valkey": [self.valkey],
        }
        return {role: cpu_seconds(_pids(children)) for role, children in roles.items()}

    async def _client(self, conn: Conn, change: AccountChange) -> Client:
        self._accounts += 1
        account = await accounts.create(conn, f"bench-{self._accounts}", change)
        _, key = await api_keys.create_key(conn, account.id)
        client = Client(HOST, self.port, account.id, key)
        self._stack.push_async_callback(client.close)
        return client

    def _command(self, name: str, role: str, database_url: str) -> Command:
        env = environment(host=HOST, port=self.port, database_url=database_url, redis_url=self.valkey.url)
        env |= {"BULKLANE_HOME": str(self.home.path)} | self._settings
        return Command(name, self.home, f"python -m {role}", env=env, cwd=self.home.path)


@asynccontextmanager
async def running_service(
    *, workers: int = 2, postgres: Mapping[str, str] = {}, **settings: str
) -> AsyncIterator[Service]:
    """Run a service in a temporary folder while the body runs. `settings` are variables of the processes.

    `postgres`: settings of PostgreSQL, such as STATEMENTS or NO_AUTOVACUUM.
    """
    folder = Path(tempfile.mkdtemp(prefix="bulklane-bench-"))
    service = Service(folder, postgres=postgres, settings=settings)
    try:
        await service.start(workers)
        yield service
    finally:
        await service.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _pids(children: list[Child]) -> list[int]:
    return [child.pid for child in children if child.pid is not None]
