"""The client itself."""

from types import TracebackType
from typing import Self

import httpx2

from bulklane._sync.contacts import Contacts
from bulklane._sync.jobs import Jobs
from bulklane._sync.keys import Keys
from bulklane._sync.resources import (
    Audiences,
    Channels,
    ContactLists,
    Labels,
    Properties,
    Teams,
)
from bulklane._sync.transport import Transport
from bulklane._sync.uploads import Uploads
from bulklane._sync.webhooks import Webhooks
from bulklane.calls import get
from bulklane.decode import decode
from bulklane.resource_models import Account, Limits
from bulklane.retries import RetryPolicy
from bulklane.settings import read_settings


class Bulklane:
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
        http: httpx2.Client | None = None,
    ) -> None:
        self._settings = read_settings(key, url, retry or RetryPolicy())
        self._transport = Transport(self._settings, http)
        self.jobs = Jobs(self._transport)
        self.uploads = Uploads(self._transport)
        self.contacts = Contacts(self._transport)
        self.lists = ContactLists(self._transport)
        self.labels = Labels(self._transport)
        self.teams = Teams(self._transport)
        self.channels = Channels(self._transport)
        self.audiences = Audiences(self._transport)
        self.properties = Properties(self._transport)
        self.keys = Keys(self._transport)
        self.webhooks = Webhooks(self._transport)

    @property
    def url(self) -> str:
        """Where the service is."""
        return self._settings.url

    def account(self) -> Account:
        """Return the account of the key."""
        found = self._transport.send(get("/v1/accounts"))
        return decode(Account, found["data"][0])

    def limits(self) -> Limits:
        """Return how much of each limit the account has used, and what it still has to do."""
        return decode(Limits, self._transport.send(get("/v1/limits")))

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def __repr__(self) -> str:
        """Name the service; the key is a secret."""
        return f"{type(self).__name__}(url={self._settings.url!r})"
