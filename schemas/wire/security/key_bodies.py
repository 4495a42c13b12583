"""Keys, as accounts and the operator read and write them."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints
from pydantic_core import PydanticCustomError

from schemas.callers import Scope
from schemas.wire.base import Wire
from schemas.wire.resource_bodies import JsonBody

GRACE_SECONDS = 86_400  # of a key that is replaced
LONGEST_GRACE_SECONDS = 30 * 86_400


def _in_future(moment: datetime) -> datetime:
    if moment <= datetime.now(UTC):
        raise PydanticCustomError("past", "is in the past: send a time to come, or leave it out")
    return moment


KeyName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50, pattern=r"^[^\x00]*$")
]
Expiry = Annotated[AwareDatetime, AfterValidator(_in_future)]


class AccountKey(Wire):
    """A key of an account, without the key itself."""

    id: str  # key_…
    name: str | None
    scopes: list[Scope]
    status: Literal["active", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None  # from then on it opens nothing; null: never
    last_used_at: datetime | None  # at most a minute too early
    replaced_by: str | None  # the key that has its name now
    revoked_at: datetime | None


class CreatedKey(AccountKey):
    """A new key. It is shown only here: its hash is stored."""

    key: str


class NewKey(JsonBody):
    """A key with a name that no other live key of the account has.

    Without `scopes` it has those of the key that creates it; from the operator, all.
    """

    name: KeyName
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))] | None = None
    expires_at: Expiry | None = None


class KeyRotation(JsonBody):
    """How long the old key works on, and when the new one expires.

    Without `expires_at`, the new one expires when the old one would have.
    """

    grace_seconds: int = Field(GRACE_SECONDS, ge=0, le=LONGEST_GRACE_SECONDS)
    expires_at: Expiry | None = None
