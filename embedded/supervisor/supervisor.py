"""Start the servers, the api and the workers in order, restart them when they end, stop them in order."""

import asyncio
import signal
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from embedded.servers import Child, Home, Postgres, Valkey, open_home
from embedded.servers.child import READY_SECONDS
from embedded.supervisor import address, demo_account, dev_file, lock, log_files
from embedded.supervisor.commands import Command, Procfile, environment, read_procfile
from embedded.supervisor.dev_file import DevFile
from embedded.supervisor.log_files import Prefixed
from embedded.supervisor.operator_key import obtain_operator_key
from embedded.supervisor.options import Options
from embedded.supervisor.supervised import Role, Supervised

API_READY_SECONDS = 30.0
SERVER_READY_SECONDS = 2 * READY_SECONDS  # the recovery after a kill may take long
NO_DEMO = (
    "no demo account was made (--demo makes one, also in your own database). "
    "Make an account: bulklane accounts create NAME, then bulklane keys create NAME"
)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """The parent of PostgreSQL, Valkey, the api and the workers of one home."""

    def __init__(self, options: Options, console: Console) -> None:
        self.options = options
        self.console = console
        self.processes: list[Supervised] = []
        self._dev_file: DevFile | None = None  # None until everything is ready
        self._serving: asyncio.Task[None] | None = None
        self._stopping = False

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM.

        Raises SupervisorError or EmbeddedError if the start fails, after it has stopped what it started.
        """
        home = open_home(self.options.home)
        with lock.hold(home.path):
            dev_file.remove(home.path)
            self._watch_signals()
            self._serving = asyncio.create_task(self._serve(home))
            try:
                await self._serving
            except asyncio.CancelledError:
                self.say("stopping; press Ctrl-C again to kill the api and the workers")
            except BaseExceptionGroup as group:
                raise group.exceptions[
                    0
                ] from None  # the first error is the cause; the other tasks were cancelled
            finally:
                await self._stop(home)

    def say(self, text: str) -> None:
        """Print a line of the supervisor."""
        self.console.print(f"[dim]bulklane[/dim] {escape(text)}", soft_wrap=True)

    async def _serve(self, home: Home) -> None:
        """Start all processes in order, and keep them running until cancelled."""
        options = self.options
        lines = read_procfile(options.procfile)
        await lock.end_leftovers(home)
        log_files.rotate(home.log)
        port = address.choose_port(options.host, options.port)
        async with asyncio.TaskGroup() as group:
            database_url, redis_url = await self._start_servers(home, group)
            operator_key = obtain_operator_key(home, options.operator_key)
            env = environment(
                host=options.host,
                port=port,
                database_url=database_url,
                redis_url=redis_url,
                operator_key=operator_key,
            )
            commands = _Commands(home, env, options.procfile.parent)
            await commands.make("release", lines.release).run()
            _, key = await asyncio.gather(
                self._start_commands(commands, lines, port, group),
                self._demo_key(home, database_url),
            )
            self._dev_file = DevFile(
                url=address.base_url(options.host, port),
                api_key=key,
                operator_key=operator_key,
                database_url=database_url,
                redis_url=redis_url,
                pids={},
            )
            self._changed()
            await self._greet(home, self._dev_file)

    async def _start_servers(self, home: Home, group: asyncio.TaskGroup) -> tuple[str, str]:
        """Start the servers that no URL replaces, in parallel. Return the URLs of both."""
        postgres, valkey = Postgres(home), Valkey(home)
        processes = []
        if self.options.database_url is None:
            processes.append(self._supervise(Role.POSTGRES, postgres))
        if self.options.redis_url is None:
            processes.append(self._supervise(Role.VALKEY, valkey))
        await self._start(processes, SERVER_READY_SECONDS, group)
        return self.options.database_url or postgres.url, self.options.redis_url or valkey.url

    async def _start_commands(
        self, commands: "_Commands", lines: Procfile, port: int, group: asyncio.TaskGroup
    ) -> None:
        """Start the api and the workers in parallel."""
        api = commands.make("api", lines.api)
        api.ready_when(lambda: address.is_ready(self.options.host, port))
        names = [f"worker-{number}" for number in range(1, self.options.workers + 1)]
        processes = [self._supervise(Role.API, api)]
        processes += [self._supervise(Role.WORKER, commands.make(name, lines.worker)) for name in names]
        await self._start(processes, API_READY_SECONDS, group)

    async def _start(self, processes: list[Supervised], within: float, group: asyncio.TaskGroup) -> None:
        """Start the processes, wait until all are ready, and restart each when it ends."""
        if self.options.verbose:
            for process in processes:
                group.create_task(
                    log_files.follow(process.child.log, Prefixed(self.console, process.child.name))
                )
        await asyncio.gather(*(process.start(within) for process in processes))
        for process in processes:
            group.create_task(process.keep())

    async def _demo_key(self, home: Home, database_url: str) -> str | None:
        """Return the key of the demo account, or None if there is to be none."""
        if not self.options.demo:
            return None
        return await demo_account.obtain_key(home, database_url, self.options.ensure_demo_key)

    def _supervise(self, role: Role, child: Child) -> Supervised:
        process = Supervised(role, child, changed=self._changed, say=self.say)
        self.processes.append(process)
        return process

    async def _greet(self, home: Home, running: DevFile) -> None:
        """Print the URL and run the sample or print the key, depending on the options."""
        self.say(f"serving at {running.url} (log files in {home.log})")
        if not self.options.demo:
            self.say(NO_DEMO)
            self.console.print(f"operator: {running.operator_url}", highlight=False, soft_wrap=True)
        elif self.options.sample:
            from embedded.supervisor import sample

            await sample.run(self.console, running)
        else:
            self.console.print(f"key {running.api_key}", highlight=False)
            self.console.print(f"sign in: {running.sign_in_url}", highlight=False, soft_wrap=True)
            self.console.print(f"operator: {running.operator_url}", highlight=False, soft_wrap=True)
        self.say("press Ctrl-C to stop")

    def _changed(self) -> None:
        """Write the current pids to dev.json."""
        if self._dev_file is not None and not self._stopping:
            pids = {role.value: list(_pids(self.processes, role)) for role in Role}
            self._dev_file = replace(self._dev_file, pids=pids)
            dev_file.save(self.options.home.absolute(), self._dev_file)

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        """Stop at the first signal. Kill the api and the workers at any further signal."""
        if not self._stopping and self._serving:
            self._stopping = True
            self._serving.cancel()
            return
        for process in self.processes:
            if process.role in (Role.API, Role.WORKER):
                process.child.send(signal.SIGKILL)

    async def _stop(self, home: Home) -> None:
        """Stop the api, then the workers, which finish their current chunks, then the servers."""
        self._stopping = True
        dev_file.remove(home.path)
        for role in (Role.API, Role.WORKER, Role.VALKEY, Role.POSTGRES):
            await asyncio.gather(
                *(process.child.stop() for process in self.processes if process.role is role)
            )
        home.tidy()


class _Commands:
    """Creates commands with the same home, environment and folder."""

    def __init__(self, home: Home, env: dict[str, str], folder: Path) -> None:
        self._home = home
        self._env = env
        self._folder = folder

    def make(self, name: str, line: str) -> Command:
        return Command(name, self._home, line, env=self._env, cwd=self._folder)


def _pids(processes: Iterable[Supervised], role: Role) -> Iterable[int]:
    return (
        process.child.pid for process in processes if process.role is role and process.child.pid is not None
    )
