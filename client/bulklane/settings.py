"""Where the service is, with which key, and how patient the client is."""

import os
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from bulklane.errors import ConfigurationError
from bulklane.retries import RetryPolicy

KEY_VARIABLE = "BULKLANE_API_KEY"
URL_VARIABLE = "BULKLANE_URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """What all requests of a client have in common. Times are in seconds."""

    url: str
    key: str = field(repr=False)
    policy: RetryPolicy
    connect_seconds: float = 10.0

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each request."""
        return {
            "Authorization": f"Bearer {self.key}",
            "Accept": "application/json",
            "User-Agent": f"bulklane-python/{_version()}",
        }


def read_settings(key: str | None, url: str | None, policy: RetryPolicy) -> ClientSettings:
    """Return the settings from arguments or the environment. Raises ConfigurationError."""
    key = (key if key is not None else os.environ.get(KEY_VARIABLE, "")).strip()
    url = (url if url is not None else os.environ.get(URL_VARIABLE, "")).strip().rstrip("/")
    if not key:
        raise ConfigurationError(f"there is no API key: give key=, or set {KEY_VARIABLE}")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigurationError("the API key has a space or another character that a key cannot have")
    if not url:
        raise ConfigurationError(f"there is no URL: give url=, or set {URL_VARIABLE}")
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:  # they would replace the key
        raise ConfigurationError("the URL has a user or a password: give them to http=, and the URL without")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            f"{url!r} is not a URL of an api: write one like https://bulklane.example.com"
        )
    return ClientSettings(url=url, key=key, policy=policy)


def _version() -> str:
    try:
        return version("bulklane-client")
    except PackageNotFoundError:  # used from its source without an installation
        return "0"
