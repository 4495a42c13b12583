"""The API keys of the account. They need a key with the scope `admin`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bulklane._sync.resources import Resource
from bulklane.calls import UNSET, Call, get, given
from bulklane.decode import decode
from bulklane.models import Key, KeyScope, NewKey

DAY_SECONDS = 86_400


class Keys(Resource[Key]):
    """`client.keys`."""

    _name, _model = "keys", Key

    def list(self) -> list[Key]:
        """List the keys, oldest first; of more than 1,000 those that are not revoked and the newest."""
        found = self._transport.send(get(self._path()))
        return [decode(Key, key) for key in found["data"]]

    def create(
        self, name: str, *, scopes: Sequence[KeyScope] | None = None, expires_at: datetime | None = None
    ) -> NewKey:
        """Create a key, which is shown once. Default: the scopes of the key of this client."""
        fields = given(
            name=name, scopes=UNSET if scopes is None else [*scopes], expires_at=_moment(expires_at)
        )
        return self._made(fields)

    def rotate(
        self, id: str, *, grace_seconds: int = DAY_SECONDS, expires_at: datetime | None = None
    ) -> NewKey:
        """Replace a key, by its id or its name, by a new one; the old one works for the grace.

        It is not repeated after a lost response, because the new key could not be shown again.
        """
        fields = given(grace_seconds=grace_seconds, expires_at=_moment(expires_at))
        return self._made(fields, id, "rotate")

    def revoke(self, id: str) -> Key:
        """Revoke a key, by its id or its name. Raises ConflictError for the key of this client."""
        return self._sent("DELETE", self._path(id))

    def _made(self, fields: Any, *segments: str) -> NewKey:
        call = Call(method="POST", path=self._path(*segments), json=fields)
        return decode(NewKey, self._transport.send(call))


def _moment(moment: datetime | None) -> Any:
    return UNSET if moment is None else moment.astimezone().isoformat()
