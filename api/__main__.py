"""`python -m api`: serve HTTP until SIGINT or SIGTERM."""

import sys

import uvloop
from aiohttp import web

from api.app import make_app
from api.http.access_log import AccessLog, access
from api.http.connections import raise_descriptor_limit
from schemas.logs import configure
from schemas.settings import SettingsError, get_settings
from storage.garbage import freeze_loaded

SHUTDOWN_SECONDS = 10.0  # for the requests in progress; after that, uploads are aborted


def main() -> None:
    """Serve on HOST and PORT."""
    try:
        settings = get_settings()
        settings.required_urls()
    except SettingsError as error:
        sys.exit(str(error))
    configure(settings)
    raise_descriptor_limit()
    app = make_app(settings)
    freeze_loaded()
    web.run_app(
        app,
        host=settings.host,
        port=settings.port,
        loop=uvloop.new_event_loop(),
        print=None,
        access_log=access,
        access_log_class=AccessLog,
        keepalive_timeout=settings.keepalive_seconds,
        shutdown_timeout=SHUTDOWN_SECONDS,
        auto_decompress=False,  # our decoder is bounded, and distinguishes a cut body from a corrupt one
    )


if __name__ == "__main__":
    main()
