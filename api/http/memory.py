"""Bound the memory of all requests together: the bodies being read, and the pages of downloads."""

from collections import Counter
from contextlib import closing

from aiohttp import web
from aiohttp.typedefs import Handler

from api.http.context import ACCOUNT
from schemas.errors import Unavailable
from schemas.ids import AccountId

FREE_BYTES = 64 * 1024  # of each request; so small requests are served while the memory is in use
NOBODY = AccountId(0)  # no account has this id
SHARES = 4  # an account may hold this part of the memory, so that it cannot stop the others


TOO_MANY = "the api holds as many bytes of large bodies and downloads as it may: send the request again"


class Memory:
    """The bytes that requests hold: at most `most` in all, and a quarter of it for one account.

    `too_many` is the message where there is no room.
    """

    def __init__(self, most: int, too_many: str = TOO_MANY) -> None:
        self._most = most
        self._too_many = too_many
        self._of_account: Counter[AccountId] = Counter()

    @property
    def held(self) -> int:
        """The bytes that are held now."""
        return self._of_account.total()

    def take(self, account_id: AccountId, size: int) -> None:
        """Count more bytes of an account; raises Unavailable if there is no room for them."""
        if self.held + size > self._most or self._of_account[account_id] + size > self._most // SHARES:
            raise Unavailable(self._too_many)
        self._of_account[account_id] += size

    def give_back(self, account_id: AccountId, size: int) -> None:
        """Count less bytes of an account."""
        self._of_account[account_id] -= size
        if not self._of_account[account_id]:
            del self._of_account[account_id]


class Share:
    """The bytes that one request holds, beyond FREE_BYTES."""

    def __init__(self, memory: Memory, account_id: AccountId) -> None:
        self._memory = memory
        self._account_id = account_id
        self.size = 0

    def reach(self, size: int) -> None:
        """Hold at least `size` bytes. Raises Unavailable."""
        more = size - FREE_BYTES - self.size
        if more > 0:
            self._memory.take(self._account_id, more)
            self.size += more

    def close(self) -> None:
        """Give all bytes back."""
        self._memory.give_back(self._account_id, self.size)
        self.size = 0


MEMORY = web.AppKey("memory", Memory)
SHARE = web.RequestKey("share", Share)


@web.middleware
async def share_memory(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Set the share of the request. Those without an account, of the operator, have one together."""
    account_id = request[ACCOUNT].id if ACCOUNT in request else NOBODY
    with closing(Share(request.app[MEMORY], account_id)) as share:
        request[SHARE] = share
        return await handler(request)
