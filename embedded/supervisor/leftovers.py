"""What a supervisor that was killed left behind."""

import asyncio
import shutil
import signal

from embedded.servers import Home, postgres, processes, valkey
from embedded.servers.child import Steps
from embedded.servers.home import retired_states

# they have had the signal of our predecessor's death already, and killing them is safe by promise P2
STEPS: Steps = ((signal.SIGTERM, 3.0), (signal.SIGKILL, 5.0))


async def end(home: Home) -> None:
    """End every process and remove every state that no running supervisor answers for."""
    await asyncio.gather(*(_end_remembered(home, name) for name in _remembered(home)))
    await asyncio.gather(
        postgres.end_leftovers(home.state / "pg"), valkey.end_leftovers(home.state / "valkey")
    )
    for state in retired_states(home):
        await asyncio.gather(postgres.end_leftovers(state / "pg"), valkey.end_leftovers(state / "valkey"))
        await asyncio.to_thread(shutil.rmtree, state, ignore_errors=True)


def _remembered(home: Home) -> list[str]:
    """The api and the workers; the servers are known by their data folders."""
    names = (file.stem for file in home.run.glob("*.pid"))
    return [name for name in names if name not in ("postgres", "valkey")]


async def _end_remembered(home: Home, name: str) -> None:
    file = home.run / f"{name}.pid"
    marked = processes.load(file)
    if marked:
        await processes.end(lambda: [marked] if processes.is_alive(marked) else [], STEPS)
    file.unlink(missing_ok=True)
