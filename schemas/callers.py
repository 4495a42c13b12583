"""Who makes a request: what a key may do, and what is known of its caller."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Scope(StrEnum):
    """What a key may do. No scope includes another one."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)


def show_scopes(scopes: Collection[Scope]) -> str:
    """Return scopes as text, in the order of their definition."""
    return ", ".join(scope for scope in Scope if scope in scopes)


class CallerKind(StrEnum):
    """Who calls: an account by its key, or the operator."""

    KEY = "key"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who made a request, and from where. Holds no secret.

    `key_id` is that of the key of an account; the operator has none, and all scopes. `session`: a browser
    that is signed in with the key. `address` None: unknown, as behind a socket.
    """

    kind: CallerKind
    key_id: str | None = None
    scopes: frozenset[Scope] = frozenset()
    session: bool = False
    address: str | None = None
    user_agent: str | None = None
    request_id: str

    def to_dict(self) -> dict[str, Any]:
        """Return what is stored of a caller, as JSON. The scopes are those of a moment, and left out."""
        stored = {
            "by": self.kind.value,
            "key_id": self.key_id,
            "session": self.session or None,
            "address": self.address,
            "user_agent": self.user_agent,
            "request_id": self.request_id,
        }
        return {name: value for name, value in stored.items() if value is not None}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Caller":
        """Return the caller that `to_dict` has stored."""
        return cls(
            kind=CallerKind(stored["by"]),
            key_id=stored.get("key_id"),
            session=stored.get("session", False),
            address=stored.get("address"),
            user_agent=stored.get("user_agent"),
            request_id=stored["request_id"],
        )
