"""Who makes a request: what a key may do, and what is known of its caller."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


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


def stored_caller(caller: Caller | None) -> str | None:
    """Return the JSON that is stored of a caller, without the scopes. None: nobody knows who it was."""
    if caller is None:
        return None
    stored = {
        "by": caller.kind.value,
        "key_id": caller.key_id,
        "session": caller.session or None,
        "address": caller.address,
        "user_agent": caller.user_agent,
        "request_id": caller.request_id,
    }
    return json.dumps({name: value for name, value in stored.items() if value is not None})


def read_caller(stored: str | None) -> Caller | None:
    """Return the caller that `stored_caller` has stored."""
    if stored is None:
        return None
    known = json.loads(stored)
    return Caller(
        kind=CallerKind(known["by"]),
        key_id=known.get("key_id"),
        session=known.get("session", False),
        address=known.get("address"),
        user_agent=known.get("user_agent"),
        request_id=known["request_id"],
    )
