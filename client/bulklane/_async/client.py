"""The client itself."""

from types import TracebackType
from typing import Self

import httpx2

from bulklane._async.contacts import AsyncContacts
from bulklane._async.jobs import AsyncJobs
from bulklane._async.keys import AsyncKeys
from bulklane._async.resources import (
    AsyncAudiences,
    AsyncChannels,
    AsyncContactLists,
    AsyncLabels,
    AsyncProperties,
    AsyncTeams,
)
from bulklane._async.transport import AsyncTransport
from bulklane._async.uploads import AsyncUploads
from bulklane._async.webhooks import AsyncWebhooks
from bulklane.calls import get
from bulklane.decode import decode
from bulklane.resource_models import Account, Limits
from bulklane.retries import RetryPolicy
from bulklane.settings import read_settings


class AsyncBulklane:
    """A client of one account of a Bulklane service.

    `key` and `url` come from BULKLANE_API_KEY and BULKLANE_URL if they are not given. `retry` says how often
    requests are repeated. `http` is an httpx2 client of your own, for proxies or certificates.
    Close the client, or use it in a `with` statement. Raises ConfigurationError.
    """

    def __init__(
        self,
        *,
        key: str | None = None,
        url: str | None = None,
        retry: RetryPolicy | None = None,
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        self._settings = read_settings(key, url, retry or RetryPolicy())
        self._transport = AsyncTransport(self._settings, http)
        self.jobs = AsyncJobs(self._transport)
        self.uploads = AsyncUploads(self._transport)
        self.contacts = AsyncContacts(self._transport)
        self.lists = AsyncContactLists(self._transport)
        self.labels = AsyncLabels(self._transport)
        self.teams = AsyncTeams(self._transport)
        self.channels = AsyncChannels(self._transport)
        self.audiences = AsyncAudiences(self._transport)
        self.properties = AsyncProperties(self._transport)
        self.keys = AsyncKeys(self._transport)
        self.webhooks = AsyncWebhooks(self._transport)

    @property
    def url(self) -> str:
        """Where the service is."""
        return self._settings.url

    async def account(self) -> Account:
        """Return the account of the key."""
        found = await self._transport.send(get("/v1/accounts"))
        return decode(Account, found["data"][0])

    async def limits(self) -> Limits:
        """Return how much of each limit the account has used, and what it still has to do."""
        return decode(Limits, await self._transport.send(get("/v1/limits")))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.aclose()

    def __repr__(self) -> str:
        """Name the service; the key is a secret."""
        return f"{type(self).__name__}(url={self._settings.url!r})"
