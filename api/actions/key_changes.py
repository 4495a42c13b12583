"""Create, rotate and revoke the keys of an account: by the operator, or by a key of the account.

A key gives away nothing that it has not itself: no scope, and no time after its own end.
"""

from collections.abc import Collection
from datetime import datetime

from aiohttp import web

from api.actions.account_id import KEY
from api.http.context import API, CALLER
from api.http.views.key_view import key_view
from schemas.callers import Caller, Scope, show_scopes
from schemas.errors import Conflict, NotAcceptable, NotPermitted
from schemas.ids import AccountId
from schemas.wire.security.key_bodies import CreatedKey, KeyRotation, NewKey
from storage.access import api_keys
from storage.access.api_keys import KeyNameTaken, KeyRow
from storage.entities.accounts import Account
from storage.postgres.pool import Pool


async def create_key(request: web.Request, account: Account, body: NewKey) -> CreatedKey:
    """Create a key and return it, with the key itself.

    Raises Conflict if its name is taken or the account is being deleted, NotPermitted and NotAcceptable if it
    would have more than its maker.
    """
    if account.deleting_at is not None:
        raise Conflict(f"the account {account.name!r} is being deleted", code="account_deleting")
    pool, caller = request.app[API].ctx.pool, request[CALLER]
    scopes = caller.scopes if body.scopes is None else frozenset(body.scopes)
    _check_scopes(caller, scopes)
    latest = await _latest_end(pool, account.id, caller, body.expires_at)
    expires_at = body.expires_at or latest
    try:
        row, key = await api_keys.add_key(pool, account.id, body.name, scopes=scopes, expires_at=expires_at)
    except KeyNameTaken as error:
        message = f"the account has a key {body.name!r}: choose another name, or revoke that key"
        raise Conflict(message, code="key_exists", param="name") from error
    return CreatedKey(**key_view(row).model_dump(), key=key)


async def rotate_key(
    request: web.Request, account_id: AccountId, named: str, body: KeyRotation
) -> CreatedKey:
    """Replace a key by a new one with its name and scopes; the old one works for the grace.

    Raises NotFound, Conflict if the key has expired or was replaced, and what `create_key` raises.
    """
    pool, caller = request.app[API].ctx.pool, request[CALLER]
    old = KEY.found(request, await api_keys.find_key(pool, account_id, named))
    KEY.found(request, None if old.status == "revoked" else old)
    _check_scopes(caller, frozenset(map(Scope, old.scopes)))
    latest = await _latest_end(pool, account_id, caller, body.expires_at)
    made = await api_keys.rotate_key(
        pool,
        account_id,
        old.id,
        grace_seconds=body.grace_seconds,
        expires_at=body.expires_at,
        latest=latest,
    )
    if made is None:
        raise _not_rotated(KEY.found(request, await api_keys.find_key(pool, account_id, old.id)))
    row, key = made
    return CreatedKey(**key_view(row).model_dump(), key=key)


async def revoke_key(request: web.Request, account_id: AccountId, named: str) -> KeyRow:
    """Revoke the key with this id, or all with this name. Raises NotFound; Conflict for the caller's own."""
    pool, caller = request.app[API].ctx.pool, request[CALLER]
    if caller.key_id is not None:
        own = await api_keys.find_key(pool, account_id, caller.key_id)
        if named in {caller.key_id, own.name if own else None}:
            raise Conflict(
                "a key cannot revoke itself: rotate it with a grace of 0, or revoke it with another key",
                code="own_key",
            )
    return KEY.found(request, await api_keys.revoke_key(pool, account_id, named))


def _check_scopes(caller: Caller, scopes: Collection[Scope]) -> None:
    """Raise NotPermitted if a key would have a scope that its maker has not."""
    if lacking := frozenset(scopes) - caller.scopes:
        raise NotPermitted(
            f"a key with {show_scopes(lacking)} can only be made by a key that has it; {caller.key_id} has "
            f"{show_scopes(caller.scopes)}: leave out what it has not"
        )


async def _latest_end(
    pool: Pool, account_id: AccountId, caller: Caller, wanted: datetime | None
) -> datetime | None:
    """Return the end of the key that makes another one; None: it has none. Raises NotAcceptable."""
    maker = await api_keys.find_key(pool, account_id, caller.key_id) if caller.key_id else None
    latest = maker.expires_at if maker else None
    if wanted and latest and wanted > latest:
        when = f"{latest:%Y-%m-%dT%H:%M:%SZ}"
        message = f"expires_at: is after the end of {caller.key_id}, {when}: send an earlier time"
        raise NotAcceptable(message, code="invalid_parameter", param="expires_at")
    return latest


def _not_rotated(old: KeyRow) -> Conflict:
    if old.replaced_by is None:
        return Conflict(f"{old.id} has expired: create a new key", code="key_expired")
    return Conflict(
        f"{old.replaced_by} has replaced {old.id}: rotate that one. If it was lost, revoke "
        f"{old.replaced_by} by its id, and rotate {old.id} again",
        code="key_rotated",
    )
