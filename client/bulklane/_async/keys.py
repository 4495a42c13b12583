"""The API keys of the account. They need a key with the scope `admin`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bulklane._async.resources import AsyncResource
from bulklane.calls import UNSET, Call, get, given
from bulklane.decode import decode
from bulklane.models import Key, KeyScope, NewKey

DAY_SECONDS = 86_400


class AsyncKeys(AsyncResource[Key]):
    """`client.keys`."""

    _name, _model = "keys", Key

    async def list(self) -> list[Key]:
        """List the keys, oldest first; of more than 1,000 those that are not revoked and the newest."""
        found = await self._transport.send(get(self._path()))
        return [decode(Key, key) for key in found["data"]]

    async def create(
        self, name: str, *, scopes: Sequence[KeyScope] | None = None, expires_at: datetime | None = None
    ) -> NewKey:
        """Create a key, which is shown once. Default: the scopes of the key of this client."""
        fields = given(
            name=name, scopes=UNSET if scopes is None else [*scopes], expires_at=_moment(expires_at)
        )
        return await self._made(fields)

    async def rotate(
        self, id: str, *, grace_seconds: int = DAY_SECONDS, expires_at: datetime | None = None
    ) -> NewKey:
        """Replace a key, by its id or its name, by a new one; the old one works for the grace.

        It is not repeated after a lost response, because the new key could not be shown again.
        """
        fields = given(grace_seconds=grace_seconds, expires_at=_moment(expires_at))
        return await self._made(fields, id, "rotate")

    async def revoke(self, id: str) -> Key:
        """Revoke a key, by its id or its name. Raises ConflictError for the key of this client."""
        return await self._sent("DELETE", self._path(id))

    async def _made(self, fields: Any, *segments: str) -> NewKey:
        call = Call(method="POST", path=self._path(*segments), json=fields)
        return decode(NewKey, await self._transport.send(call))


def _moment(moment: datetime | None) -> Any:
    return UNSET if moment is None else moment.astimezone().isoformat()
