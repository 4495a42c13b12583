"""`python -m worker`: an arq worker that restarts after it has lost Redis or PostgreSQL."""

import asyncio
import itertools
import logging
import signal
import sys
import time

import uvloop
from arq.worker import Worker
from redis.exceptions import RedisError

from schemas.logs import configure
from schemas.settings import SettingsMissing, get_settings
from storage.background import cancel
from storage.migrations import SchemaNotReady
from storage.postgres.db_errors import LOST_CONNECTION
from worker.arq_app import arq_options

logger = logging.getLogger("worker")

LONGEST_PAUSE = 2.0  # seconds; work must continue within 10 s after Redis is back
STEADY_SECONDS = 10.0  # a run of this length resets the pause


def main() -> None:
    """Run until SIGINT or SIGTERM."""
    configure(get_settings())
    try:
        get_settings().required_urls()
    except SettingsMissing as error:
        sys.exit(str(error))
    pause = 0.1
    for _ in itertools.count():
        started = time.monotonic()
        try:
            _run_once()
            return
        except (RedisError, SchemaNotReady, *LOST_CONNECTION) as error:
            logger.warning("worker stopped by %s: %s; restart in %.1f s", type(error).__name__, error, pause)
        time.sleep(pause)
        steady = time.monotonic() - started > STEADY_SECONDS
        pause = 0.1 if steady else min(pause * 2, LONGEST_PAUSE)


def _run_once() -> None:
    asyncio.set_event_loop(uvloop.new_event_loop())  # arq uses the current loop; each run gets a new one
    worker = Worker(**arq_options())
    cancellations: set[asyncio.Task[None]] = set()

    def cancel_repeatedly(_: signal.Signals) -> None:
        # arq cancels its main task once, and redis-py swallows a cancellation that arrives while it connects
        if worker.main_task is not None:
            cancellations.add(worker.loop.create_task(cancel(worker.main_task)))

    worker.on_stop = cancel_repeatedly
    worker.run()


if __name__ == "__main__":
    main()
