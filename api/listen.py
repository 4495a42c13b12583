"""The process of `python -m api`."""

import errno
import logging
import re
import socket

import uvloop
from aiohttp import web

from api.app import make_app
from api.http.access_log import AccessLog, access
from api.http.connections import raise_descriptor_limit
from schemas.logs import configure
from schemas.settings import end_with, settings_of_process
from storage.garbage import freeze_loaded

logger = logging.getLogger("api")

SHUTDOWN_SECONDS = 10.0  # for the requests in progress; after that, uploads are aborted

CANNOT_LISTEN = {errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL}


def listen() -> None:
    """Serve on HOST and PORT until SIGINT or SIGTERM."""
    settings = settings_of_process()
    configure(settings)
    raise_descriptor_limit()
    app = make_app(settings)
    freeze_loaded()
    try:
        web.run_app(
            app,
            host=settings.host,
            port=settings.port,
            loop=uvloop.new_event_loop(),
            print=_log_address,
            access_log=access,
            access_log_class=AccessLog,
            keepalive_timeout=settings.keepalive_seconds,
            shutdown_timeout=SHUTDOWN_SECONDS,
            auto_decompress=False,  # our decoder is bounded, and distinguishes a cut body from a corrupt one
        )
    except OSError as error:
        if error.errno not in CANNOT_LISTEN and not isinstance(error, socket.gaierror):
            raise
        end_with(f"cannot listen at {settings.host}:{settings.port}: {error.strerror}: set HOST and PORT")


def _log_address(text: str) -> None:
    """Log where the api listens. A process manager may have set PORT, and PORT=0 is any free port."""
    logger.info("serving at %s", " ".join(re.findall(r"https?://\S+", text)))
