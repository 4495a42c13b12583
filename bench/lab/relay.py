"""A slow way to PostgreSQL: a TCP port in front of its Unix socket that delays each direction.

With root's rights the kernel delays the packets (`tc netem`, in a network namespace of the benchmark's own).
Otherwise the relay itself holds each piece back. Later pieces do not wait for earlier ones, as on a network.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path

HOST = "127.0.0.1"
MARK = "BENCH_DELAYED_BY_KERNEL"  # set in the environment inside the namespace
PACKETS = 100_000  # queue of netem: its default of 1,000 would drop packets of a large COPY


def enter_slow_network(delay_seconds: float) -> bool:
    """Run this process again in a network namespace whose loopback is slow; there, return True.

    Returns False if that is impossible.
    """
    if os.environ.get(MARK):
        return True
    programs = [shutil.which(name) for name in ("unshare", "ip", "tc")]
    if os.geteuid() != 0 or None in programs:
        return False
    delay = f"limit {PACKETS} delay {delay_seconds * 1e6:.0f}us"
    setup = f"ip link set lo up && tc qdisc add dev lo root netem {delay}"
    if subprocess.run(["unshare", "--net", "sh", "-c", setup], capture_output=True, check=False).returncode:
        return False
    command = [sys.executable, "-m", "bench", *sys.argv[1:]]
    script = f'{setup} && exec "$@"'
    environment = os.environ | {MARK: "1"}
    return os.execvpe("unshare", ["unshare", "--net", "sh", "-c", script, "sh", *command], environment)


class Relay:
    """Listens on a TCP port and copies bytes to and from a Unix socket, each piece `delay_seconds` late."""

    def __init__(self, target: Path, delay_seconds: float) -> None:
        self._target = target
        self._delay = delay_seconds
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen. Return the port."""
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        target_reader, target_writer = await asyncio.open_unix_connection(self._target)
        try:
            await asyncio.gather(self._copy(reader, target_writer), self._copy(target_reader, writer))
        finally:
            for end in (writer, target_writer):
                end.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copy until the end of the input."""
        loop = asyncio.get_running_loop()
        waiting: deque[tuple[float, bytes]] = deque()

        def send_due() -> None:
            while waiting and waiting[0][0] <= loop.time():
                writer.write(waiting.popleft()[1])

        with suppress(OSError):
            while data := await reader.read(256 * 1024):
                if self._delay:
                    waiting.append((loop.time() + self._delay, data))
                    loop.call_at(waiting[-1][0], send_due)
                else:
                    writer.write(data)
            while waiting:
                await asyncio.sleep(waiting[-1][0] - loop.time())
                send_due()
        writer.close()
