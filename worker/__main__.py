"""`python -m worker`: an arq worker that starts again by itself after losing Redis or PostgreSQL."""

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

LONGEST_PAUSE = 2.0  # seconds; work has to go on within 10 seconds of Redis being back
STEADY_SECONDS = 10.0  # a run this long starts the pauses over


def main() -> None:
    """Run until told to stop by SIGINT or SIGTERM."""
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
            logger.warning("worker lost %s: %s; again in %.1f s", type(error).__name__, error, pause)
        time.sleep(pause)
        steady = time.monotonic() - started > STEADY_SECONDS
        pause = 0.1 if steady else min(pause * 2, LONGEST_PAUSE)


def _run_once() -> None:
    asyncio.set_event_loop(uvloop.new_event_loop())  # arq takes the current loop; a lost one is not reused
    worker = Worker(**arq_options())
    ending: set[asyncio.Task[None]] = set()

    def insist(_: signal.Signals) -> None:
        # arq cancels its main task once; redis-py swallows that if it comes while it connects
        if worker.main_task is not None:
            ending.add(worker.loop.create_task(cancel(worker.main_task)))

    worker.on_stop = insist
    worker.run()


if __name__ == "__main__":
    main()
