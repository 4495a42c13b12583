"""Interim responses with the status 104: where an upload is, and how much of it has arrived."""

from collections.abc import Mapping

from aiohttp import HttpVersion11, web

from api.resumable.upload_fields import INTEROP_VERSION, VERSION, understands_interim

HEAD = "HTTP/1.1 104 Upload Resumption Supported\r\n"


def send_interim(request: web.Request, fields: Mapping[str, str]) -> None:
    """Send a 104, if the client has declared our version of the draft. One that is lost does no harm.

    aiohttp has no interface for interim responses, so the bytes are written to the connection. Nothing else
    is written while the handler reads the body.
    """
    transport = request.transport
    if transport is None or transport.is_closing() or request.version < HttpVersion11:
        return
    if understands_interim(request.headers):
        lines = {VERSION: INTEROP_VERSION, **fields}
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        transport.write(f"{HEAD}{text}\r\n".encode())
