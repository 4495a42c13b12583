"""The id and the URL of a webhook: what can be said of a URL before its name is resolved."""

import re
from collections.abc import Sequence
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import StringConstraints

from schemas.webhooks.addresses import refusal_of

WEBHOOK_ID: Final = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
WebhookId = Annotated[str, StringConstraints(pattern=WEBHOOK_ID)]
MAX_URL = 2048
VISIBLE = re.compile(r"[!#-;=?-\[\]_a-z~]+")  # the characters of a URL, RFC 3986
LEAST_PORT = 1024  # of the ports beside those of HTTP: those below belong to other services


def read_webhook_id(text: str) -> str | None:
    """Return the id of a webhook in a path; None if no webhook can have this id."""
    return text if re.fullmatch(WEBHOOK_ID.strip("^$"), text) else None


def problem_of(url: str) -> str | None:
    """Return what is wrong with the URL of a webhook, and what to do; None: nothing."""
    if len(url) > MAX_URL or not VISIBLE.fullmatch(url):
        return f"is not a URL of at most {MAX_URL} ASCII characters: percent-encode others"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is not a URL: write it like https://example.com/webhooks"
    if parts.scheme not in {"http", "https"} or not host:
        return "is not a URL of http or https: write it like https://example.com/webhooks"
    if "@" in parts.netloc:
        return "has a user or a password: remove them; requests are signed in place of that"
    if "#" in url:
        return "has a fragment, which is not sent: remove it"
    if port is not None and port not in {80, 443} and port < LEAST_PORT:
        return f"has the port {port}, which belongs to another service: use 80, 443 or {LEAST_PORT} and more"
    return None


def host_problem_of(url: str, hosts: Sequence[str]) -> str | None:
    """Return that the host of a valid URL is none of `hosts`; None: it is, or there are none.

    A host that begins with a point stands for all names that end with it.
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    names = [name.lower() for name in hosts]
    if not names or any(host == name or (name[0] == "." and host.endswith(name)) for name in names):
        return None
    return f"has the host {host}, which the operator does not allow: ask the operator, or use another host"


def address_problem_of(url: str) -> str | None:
    """Return what is wrong with the address in a valid URL, if it has one in place of a name; None: nothing.

    The addresses of a name are checked when the connection is made, each time.
    """
    host = urlsplit(url).hostname or ""
    try:
        kind = refusal_of(host)
    except ValueError:  # a name
        kind = "local" if host == "localhost" or host.endswith(".localhost") else None
    return kind and f"has an address that is {kind}: use one of the public Internet"
