"""`python -m worker`: work until SIGINT or SIGTERM."""

import asyncio
import signal

import uvloop

from schemas.logs import configure
from schemas.settings import Settings, settings_of_process
from worker.bells.process import run


def main() -> None:
    """Run a worker process."""
    settings = settings_of_process()
    configure(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run_until_signal(settings))


async def _run_until_signal(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await run(settings, stop)


if __name__ == "__main__":
    main()
