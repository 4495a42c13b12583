"""`python -m tests.acceptance.hostile.probed_api`: the api, with a probe of the stalls of its event loop.

The probe writes the length of each stall into the file that the environment variable BULKLANE_STALLS names.
It is the CPU time of the process, in seconds, all threads included. So what other processes do does not
count, and a thread that holds the interpreter does.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from time import process_time

from aiohttp import web

import api.listen
from api.app import make_app
from schemas.settings import Settings

STALLS = "BULKLANE_STALLS"
TICK_SECONDS = 0.001
LEAST_SECONDS = 0.01  # shorter stalls are not written


def main() -> None:
    """Serve with the probe."""
    setattr(api.listen, "make_app", _probed)  # noqa: B010 - listen looks the name up
    api.listen.listen()


def _probed(settings: Settings) -> web.Application:
    app = make_app(settings)
    app.cleanup_ctx.append(_probe)
    return app


async def _probe(_: web.Application) -> AsyncIterator[None]:
    watching = asyncio.create_task(_watch(Path(os.environ[STALLS])))
    yield
    watching.cancel()


async def _watch(file: Path) -> None:
    with file.open("a", buffering=1) as stalls:
        before = process_time()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = process_time()
            if now - before > LEAST_SECONDS:
                stalls.write(f"{now - before:.4f}\n")
            before = process_time()


if __name__ == "__main__":
    main()
