"""The address of the api, and whether the api is ready."""

import asyncio
import contextlib
import errno
import socket

from embedded.supervisor.options import SupervisorError

READY_SECONDS = 5.0  # for one readiness request
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - only compared, not bound


def choose_port(host: str, port: int) -> int:
    """Return `port`, or a free port for 0. Raises SupervisorError if the api cannot listen there."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the api does
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = f"port {port} is in use"
        else:
            why = f"cannot listen at {host}:{port} ({error.strerror})"
        raise SupervisorError(
            f"{why}: choose another one, for example PORT={port + 1 if port < 65535 else 8080} ./run"
        ) from error


def base_url(host: str, port: int) -> str:
    """Return the URL of the api on this machine."""
    reachable = ANYWHERE.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


async def is_ready(host: str, port: int) -> bool:
    """Return whether GET /readyz responds with 200.

    Uses no HTTP library, because importing one takes a quarter of a second, and it could use a proxy.
    """
    try:
        async with asyncio.timeout(READY_SECONDS):
            reader, writer = await asyncio.open_connection(ANYWHERE.get(host, host), port)
            try:
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                status = await reader.readline()
                return status.split(b" ")[1:2] == [b"200"]
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
