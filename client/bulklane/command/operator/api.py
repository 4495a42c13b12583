"""The operator's API, as the commands call it."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Concatenate, ParamSpec

from bulklane._sync.listing import Listing
from bulklane._sync.transport import Transport
from bulklane.calls import Call, get, path
from bulklane.command.connection import QUICK, choose, operator_offers, with_options
from bulklane.command.output import Document
from bulklane.command.reporting import reported, told_of_retries
from bulklane.settings import read_settings

P = ParamSpec("P")
PAGE = 100


class OperatorApi:
    """Sends requests; returns the JSON documents of the responses."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, *segments: str, **query: Any) -> Any:
        """Return a document."""
        return self._transport.send(get(_path(*segments), **query))

    def list(self, *segments: str, limit: int | None = None, **query: Any) -> Iterator[Document]:
        """Yield the elements of a list that has pages; at most `limit`."""
        size = PAGE if limit is None else min(limit, PAGE)
        listing = Listing[Document](self._transport, _path(*segments), _as_it_is, limit=size, **query)
        return islice(listing, limit)

    def send(self, method: str, *segments: str, body: Any = None, repeatable: bool = False) -> Any:
        """Send a change; return the document of the response."""
        call = Call(method=method, path=_path(*segments), json=body, repeatable=repeatable)
        return self._transport.send(call)


def administered(command: Callable[Concatenate[OperatorApi, P], None]) -> Callable[..., None]:
    """Return a command with the options of the connection; it gets the operator's API."""

    def run(*, url: str | None, key: str | None, profile: str | None, **values: Any) -> None:
        with reported(), told_of_retries():
            access = choose(operator_offers(url, key, profile), "bulklane login --operator")
            transport = Transport(read_settings(access.key, access.url, QUICK), None)
            try:
                command(OperatorApi(transport), **values)  # type: ignore[call-arg]  # typer passes by name
            finally:
                transport.close()

    return with_options(run, command)


def _path(*segments: str) -> str:
    return path("operator", "v1", *segments)


def _as_it_is(document: Document) -> Document:
    return document
