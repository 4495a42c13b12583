"""A cluster of real processes with servers of its own: PostgreSQL, Valkey, apis, workers.

PostgreSQL keeps the commit semantics of production: a crash of its processes loses what an asynchronous
commit has not written yet, and nothing else. A crash of the machine could lose more, because fsync is off.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import asyncpg

from embedded.servers import open_scratch
from embedded.supervisor import address
from embedded.supervisor.commands import environment
from embedded.supervisor.supervised import Role
from schemas.ids import read_job_id
from storage import migrations
from storage.access import api_keys
from storage.entities import accounts
from storage.entities.accounts import AccountChange
from storage.failpoints import VARIABLE
from tests.faults.harness.client import PatientClient
from tests.faults.harness.parts import DoomedCommand, DoomedPostgres, DoomedValkey, Part
from tests.faults.harness.steps import Steps
from tests.proxy import Proxy
from tests.servers import make_scratch_folder
from tests.waiting import CHECK_SECONDS, until

HOST = "127.0.0.1"
LATE_WAL = {"synchronous_commit": "on", "wal_writer_delay": "10s"}  # asynchronous commits are written late
READY_SECONDS = 60.0
# The endpoints of tests are on this machine. Retries are quick, and more than failures by chance.
WEBHOOKS = {"WEBHOOK_PRIVATE_ADDRESSES": "allow", "WEBHOOK_RETRY_SECONDS": str([0.05] * 30)}


class Cluster:
    """The processes of one test or one module. Make it with `cluster`; see `Part` for how to break a part."""

    def __init__(self, folder: Path, *, proxied: bool, settings: dict[str, str]) -> None:
        self.home = open_scratch(folder)
        self.steps = Steps(folder / "failpoints")
        self._doomed = DoomedPostgres(self.home, durable=False, settings=LATE_WAL)
        self._valkey = DoomedValkey(self.home)
        self.postgres = Part(Role.POSTGRES, self._doomed)
        self.valkey = Part(Role.VALKEY, self._valkey)
        self.apis: list[Part] = []
        self.workers: list[Part] = []
        self.urls: list[str] = []
        self.clients: list[PatientClient] = []
        self.proxies: dict[str, tuple[Proxy, Proxy]] = {}  # by part: to PostgreSQL, to Valkey
        self._proxied = proxied
        self._settings = {"READ_LIMIT": "0"} | WEBHOOKS | settings
        self._numbers = count(1)
        self._stack = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None

    @property
    def database_url(self) -> str:
        """The URL of PostgreSQL, past all proxies."""
        return self._doomed.url

    @property
    def redis_url(self) -> str:
        """The URL of Valkey, past all proxies."""
        return self._valkey.url

    @property
    def parts(self) -> list[Part]:
        """All parts, servers first."""
        return [self.postgres, self.valkey, *self.apis, *self.workers]

    async def start(self, *, apis: int, workers: int) -> None:
        """Start all parts, and wait until they are ready."""
        await asyncio.gather(self.postgres.start(), self.valkey.start())
        await migrations.migrate(self.database_url)
        self._session = await self._stack.enter_async_context(aiohttp.ClientSession())
        await asyncio.gather(*(self.add_api() for _ in range(apis)), self.scale(workers))

    async def stop(self) -> None:
        """End all parts and all proxies."""
        await asyncio.gather(*(part.discard() for part in [*self.apis, *self.workers]))
        await self._stack.aclose()
        await asyncio.gather(*(part.discard() for part in (self.postgres, self.valkey)))
        self.home.tidy()

    async def add_api(self) -> Part:
        """Start one more api."""
        port = address.choose_port(HOST, 0)
        command = await self._command("api", port)
        command.ready_when(partial(address.is_ready, HOST, port))
        part = Part(Role.API, command)
        self.apis.append(part)
        self.urls.append(address.base_url(HOST, port))
        await part.start()
        return part

    async def scale(self, workers: int) -> None:
        """Start or terminate workers until `workers` run."""
        starting = [
            Part(Role.WORKER, await self._command("worker", 0)) for _ in range(workers - len(self.workers))
        ]
        surplus = self.workers[workers:]
        self.workers = [*self.workers[:workers], *starting]
        await asyncio.gather(*(part.start() for part in starting), *(part.discard() for part in surplus))

    async def client(self, **change: Any) -> PatientClient:
        """Create an account, and return its client. Default: no limits, region US."""
        conn = await self.connect()
        defaults: dict[str, Any] = {"item_limit": 0, "request_limit": 0, "region": "US"}
        name = f"account-{next(self._numbers)}"
        account = await accounts.create(conn, name, AccountChange(**defaults | change))
        _, key = await api_keys.create_key(conn, account.id)
        await conn.close()
        assert self._session is not None
        client = PatientClient(self._session, self.urls, account.id, key)
        self.clients.append(client)
        return client

    async def connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        """Open a connection to PostgreSQL, past all proxies."""
        conn: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(self.database_url)
        return conn

    async def sql(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Run one statement, past all proxies; return its rows."""
        conn = await self.connect()
        try:
            rows: list[asyncpg.Record] = await conn.fetch(query, *arguments)
            return rows
        finally:
            await conn.close()

    async def has_applied(self, job_id: str, items: int, *, seconds: float = READY_SECONDS) -> None:
        """Wait until at least `items` items of a job are applied."""

        async def applied() -> bool:
            query = "SELECT COALESCE(sum(items), 0) AS n FROM chunks WHERE job_id = $1 AND state = 'done'"
            (row,) = await self.sql(query, read_job_id(job_id))
            return bool(row["n"] >= items)

        await until(applied, seconds)

    async def kill_backend(self) -> None:
        """Kill one backend of a worker, or else of an api, with SIGKILL, as when memory runs out.

        Returns when PostgreSQL has ended all backends. It forgets what was committed asynchronously and not
        yet written, and starts again by itself: see `database_accepts`.
        """
        conn = await self.connect()
        query = """
            SELECT pid FROM pg_stat_activity WHERE application_name IN ('bulklane-worker', 'bulklane-api')
            ORDER BY application_name DESC LIMIT 1
        """
        async with asyncio.timeout(READY_SECONDS):
            while not (pid := await conn.fetchval(query)):  # noqa: ASYNC110 - they connect again
                await asyncio.sleep(CHECK_SECONDS)
            os.kill(pid, signal.SIGKILL)
            while not conn.is_closed():  # noqa: ASYNC110 - asyncpg has no event for it
                await asyncio.sleep(CHECK_SECONDS)

    async def database_accepts(self) -> None:
        """Wait until PostgreSQL accepts connections: its backends start again after a crash of one."""
        await until(self.postgres.child.is_ready, READY_SECONDS)

    def part_of(self, pid: int) -> Part:
        """Return the part whose current process has this pid."""
        (part,) = [part for part in self.parts if part.pid == pid]
        return part

    async def most_deaths(self, client: PatientClient) -> int:
        """Return the most deaths that any chunk of an account has counted."""
        (row,) = await self.sql(
            "SELECT COALESCE(max(deaths), 0) AS n FROM chunks WHERE account_id = $1", client.account_id
        )
        return int(row["n"])

    async def heal(self) -> None:
        """Undo the faults of a test: disarm, continue, connect again, and wait until all parts are ready."""
        self.steps.disarm()
        for proxies in self.proxies.values():
            for proxy in proxies:
                proxy.behave()
        for part in self.parts:
            part.thaw()
            part.watch()
        await asyncio.gather(*(part.back() for part in self.parts))

    async def _command(self, role: str, port: int) -> DoomedCommand:
        name = f"{role}-{next(self._numbers)}"
        database_url, redis_url = self.database_url, self.redis_url
        if self._proxied:
            database_url, redis_url = await self._proxy_for(name)
        env = environment(host=HOST, port=port, database_url=database_url, redis_url=redis_url)
        env |= {VARIABLE: str(self.steps.folder), "BULKLANE_HOME": str(self.home.path)} | self._settings
        env["PYTHONPATH"] = str(
            Path(__file__).parents[3]
        )  # this tree, also if it is a copy of the installed one
        return DoomedCommand(name, self.home, f"python -m {role}", env=env, cwd=self.home.path)

    async def _proxy_for(self, name: str) -> tuple[str, str]:
        """Run proxies for one part. Return the URLs through them."""
        folder = self.home.path / name
        folder.mkdir()
        sockets = self.home.sockets
        database = Proxy(folder / ".s.PGSQL.5432", sockets / ".s.PGSQL.5432")
        redis = Proxy(folder / "valkey.sock", self._valkey.socket)
        self.proxies[name] = database, redis
        for proxy in (database, redis):
            await proxy.start()
            self._stack.push_async_callback(proxy.stop)
        database_url = self.database_url.replace(quote(str(sockets), safe=""), quote(str(folder), safe=""))
        return database_url, f"unix://{quote(str(redis.path))}"


@asynccontextmanager
async def cluster(
    *, apis: int = 1, workers: int = 2, proxied: bool = False, folder: Path | None = None, **settings: str
) -> AsyncIterator[Cluster]:
    """Run a cluster while the body runs. `settings` are variables of the environment of apis and workers.

    With `proxied`, each api and worker reaches the servers through proxies of its own. `folder` replaces the
    scratch folder, and is deleted like it.
    """
    folder = folder or make_scratch_folder()
    running = Cluster(folder, proxied=proxied, settings=settings)
    try:
        await running.start(apis=apis, workers=workers)
        yield running
    finally:
        await running.stop()
        shutil.rmtree(folder, ignore_errors=True)
