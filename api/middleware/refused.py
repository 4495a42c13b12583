"""Requests that are not valid HTTP: aiohttp's parser refuses some, and accepts some that it should refuse."""

import asyncio
import logging
from typing import ClassVar, cast

from aiohttp import web, web_protocol, web_server
from aiohttp.typedefs import Handler
from aiohttp.web_request import BaseRequest

from api.http.connections import connections_of
from api.http.context import REQUEST_ID
from api.middleware.errors import envelope
from api.middleware.measure import count_malformed
from api.middleware.security_headers import SECURITY_HEADERS
from schemas.errors import InvalidRequest
from schemas.ids import new_request_id
from storage.repeated_log import RepeatedLog

MALFORMED_STATUS = 400


class Protocol(web_protocol.RequestHandler):
    """aiohttp's protocol of one connection, with our response to a request that its parser refuses.

    aiohttp logs such a request with a traceback and its headers, so with its key, and answers in plain text.
    A traceback takes tens of milliseconds, in which no other client is served.
    """

    __slots__ = ()
    refused: ClassVar[RepeatedLog]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, and close it if there are too many."""
        super().connection_made(transport)
        # no isinstance: a transport of uvloop is not an asyncio.Transport
        connections_of(self).open(self, cast(asyncio.Transport, transport))

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        if self._manager is not None:
            connections_of(self).close(self)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the envelope for a refused request; leave any other error to aiohttp.

        A response that was cut, mostly by a client that left, is raised: `answer_errors` has logged it.
        """
        if isinstance(exc, ConnectionResetError) and request.writer.output_size > 0:
            raise exc
        if status != MALFORMED_STATUS or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        name = type(exc).__name__
        kind = f"request that is not valid HTTP: {name}"
        self.refused.log(logging.WARNING, kind, "%s, from %s", kind, request.remote)
        count_malformed(status)
        response = _refusal(request, InvalidRequest(_reason(name), code="malformed_request"), status)
        response.headers.update(SECURITY_HEADERS)
        return response

    async def finish_response(
        self, request: BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response. aiohttp refuses an unknown `Expect` before the middlewares run, in plain text."""
        if isinstance(resp, web.HTTPExpectationFailed):
            error = InvalidRequest(
                "the Expect header is not supported: send '100-continue' or no Expect header",
                code="unsupported_expectation",
            )
            resp = _refusal(request, error, resp.status)
        return await super().finish_response(request, resp, start_time)


def install() -> None:
    """Have aiohttp use our protocol. It has no setting for the class."""
    Protocol.refused = RepeatedLog(logging.getLogger(__name__))
    setattr(web_server, "RequestHandler", Protocol)  # noqa: B010 - not a name that aiohttp exports


@web.middleware
async def check_framing(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a transfer coding other than `chunked`, which aiohttp accepts and does not undo.

    The connection is closed: a proxy in front may see the end of this request elsewhere (request smuggling).
    """
    codings = request.headers.getall("Transfer-Encoding", [])
    if not codings or [coding.strip().lower() for coding in codings] == ["chunked"]:
        return await handler(request)
    error = InvalidRequest(
        "the Transfer-Encoding is not supported: send 'chunked'; name a compression in Content-Encoding",
        code="unsupported_transfer_encoding",
    )
    response = envelope(request, error, status=501)
    response.force_close()
    return response


def _refusal(request: BaseRequest, error: InvalidRequest, status: int) -> web.Response:
    """Return the envelope for a request that no middleware has seen, and have the connection closed."""
    request[REQUEST_ID] = new_request_id()
    response = envelope(request, error, status=status)
    response.headers["X-Request-Id"] = request[REQUEST_ID]
    response.force_close()
    return response


def _reason(name: str) -> str:
    """Return the text for a client. It does not contain what the client has sent."""
    if name == "LineTooLong":
        return "the request line or a header is longer than 8190 bytes: shorten it"
    return f"the request is not valid HTTP/1.1 ({name}): use an HTTP library"
