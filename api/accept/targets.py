"""Resolve what a bulk request names: its list, label, audience, channels, preference.

An id that the account does not have raises NotFound; other problems are added to those of the request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from api.accept.accept import BulkRequest
from schemas.errors import NotAcceptable, NotFound
from schemas.ids import read_id
from schemas.items.phone import normaliser_for
from schemas.items.phone_notation import PhoneFault
from storage.entities import audiences, channels, contact_lists, labels
from storage.entities.accounts import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedChannel:
    """A channel as a request names it, and the parameter that names it."""

    param: str
    id: str | None = None
    phone: str | None = None


async def list_of(bulk: BulkRequest, value: object) -> int:
    """Return the id of a contact list; raises NotFound. An archived list is a problem."""
    number = read_id("lst", value)
    found = await contact_lists.get(bulk.api.ctx.pool, bulk.account.id, number) if number else None
    if number is None or found is None:
        raise _unknown("contact list", "list", value)
    if found.archived_at is not None:
        message = f"the contact list {value} is archived: unarchive it first, or use another one"
        bulk.problems.append(NotAcceptable(message, code="list_not_active", param="list_id"))
    return number


async def label_of(bulk: BulkRequest, value: object) -> int:
    """Return the id of a label; raises NotFound."""
    number = read_id("lbl", value)
    if number is None or await labels.get(bulk.api.ctx.pool, bulk.account.id, number) is None:
        raise _unknown("label", "label", value)
    return number


async def audience_of(bulk: BulkRequest, value: object) -> int:
    """Return the id of an audience; raises NotFound."""
    number = read_id("aud", value)
    if number is None or await audiences.get(bulk.api.ctx.pool, bulk.account.id, number) is None:
        raise _unknown("audience", "audience", value)
    return number


def check_preference(bulk: BulkRequest, value: str, param: str) -> str:
    """Return a preference; one that is not in the settings is a problem."""
    known = bulk.api.ctx.settings.communication_preferences
    if value not in known:
        message = f"{value[:100]!r} is not a communication preference; known are {', '.join(known)}"
        bulk.problems.append(NotAcceptable(message, param=param))
    return value


async def channels_of(bulk: BulkRequest, named: Sequence[NamedChannel], *, all_: bool) -> tuple[UUID, ...]:
    """Return the channels to opt in to: those named, and with `all_` all; an unknown one is a problem."""
    pool, account = bulk.api.ctx.pool, bulk.account
    everything = await channels.all_ids(pool, account.id) if all_ else []
    wanted = [_sought(channel, account) for channel in named]
    ids = [value for value in wanted if isinstance(value, UUID)]
    phones = [value for value in wanted if isinstance(value, str)]
    known = await channels.resolve(pool, account.id, ids, phones) if wanted else {}
    found = []
    for channel, value in zip(named, wanted, strict=True):
        if value is not None and value in known:
            found.append(known[value])
        else:
            message = f"the account has no channel {channel.id or channel.phone!r}: see GET /v1/channels"
            bulk.problems.append(NotAcceptable(message, code="unknown_channel", param=channel.param))
    return tuple(dict.fromkeys([*everything, *found]))


def _sought(channel: NamedChannel, account: Account) -> UUID | str | None:
    """Return what to look up: an id or a phone in E.164; None: the name is neither."""
    if channel.id is not None:
        try:
            return UUID(channel.id)
        except ValueError:
            pass
    text = (channel.phone if channel.phone is not None else channel.id) or ""
    for written in (text, f"+{text}"):  # an unescaped plus sign in a query arrives as a space
        phone = normaliser_for(account.region)(written)
        if not isinstance(phone, PhoneFault):
            return phone
    return None


def _unknown(noun: str, word: str, value: object) -> NotFound:
    return NotFound(f"the account has no {noun} {str(value)[:100]!r}", code=f"unknown_{word}")
