"""Limit the wrong keys of one address: after a burst of them the response is a 429 in place of the 401.

A valid key from the same address is never refused: many clients can share one address.
"""

import asyncio
import logging
import math
from collections import OrderedDict
from ipaddress import IPv6Address

from aiohttp import web

from api.http.identity.caller import client_address
from schemas.errors import RateLimited
from schemas.settings import Settings
from storage.repeated_log import RepeatedLog

MINUTE = 60.0
MOST_ADDRESSES = 10_000  # about 2 MB; beyond it the address that failed longest ago is forgotten


class FailedKeys:
    """A token bucket per address: `limit` failures at once, and as many again in a minute."""

    def __init__(self, settings: Settings) -> None:
        self._limit = settings.failed_key_limit
        self._proxies = settings.trusted_proxies
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens left, at which time
        self._repeated = RepeatedLog(logging.getLogger(__name__))

    def count(self, request: web.Request) -> None:
        """Count a failure. Raises RateLimited if the address has failed too often."""
        if not self._limit:
            return
        address = address_of(request, self._proxies)
        now = asyncio.get_running_loop().time()
        left, at = self._buckets.pop(address, (float(self._limit), now))
        left = min(left + (now - at) * self._limit / MINUTE, self._limit)
        refused = left < 1
        self._buckets[address] = (left if refused else left - 1, now)
        if len(self._buckets) > MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        if refused:
            self._repeated.log(logging.WARNING, "too many wrong keys", "too many wrong keys from %s", address)
            raise RateLimited(
                f"more than {self._limit} requests with a wrong key in a minute: check the key, then retry",
                code="too_many_failed_keys",
                retry_after=math.ceil((1 - left) * MINUTE / self._limit),
            )


def address_of(request: web.Request, trusted_proxies: int) -> str:
    """Return the address of the client: a whole IPv4 address, or the /64 network of an IPv6 address."""
    address = client_address(request, trusted_proxies)
    if isinstance(address, IPv6Address):
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address) if address else request.remote or ""
