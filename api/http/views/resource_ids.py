"""The ids of resources in the paths of requests, and the values of bodies that are looked up."""

from functools import partial
from typing import Annotated
from uuid import UUID

from aiohttp import web

from api.http.context import ACCOUNT, scope
from api.http.path_id import PathId
from schemas.errors import NotAcceptable
from schemas.ids import read_channel_id, read_id
from schemas.items.phone import normaliser_for
from schemas.items.phone_notation import PhoneFault
from schemas.wire.resource_bodies import read_property_name
from storage.entities import contacts, labels, teams


async def _by_external_id(request: web.Request, text: str) -> int | None:
    """Return the contact with this external id, so that clients that migrate can keep using their old ids."""
    return await contacts.id_by_external_id(*scope(request), text) if text.isprintable() else None


async def _known(request: web.Request, text: str) -> int | None:
    """Return the contact that the path names; None if it does not exist."""
    contact_id = read_id("ctc", text) or await _by_external_id(request, text)
    known = contact_id is not None and await contacts.get(*scope(request), contact_id) is not None
    return contact_id if known else None


CONTACT = PathId(
    name="contact",
    param="contact_id",
    read=partial(read_id, "ctc"),
    look_up=_by_external_id,
    code="unknown_contact",
)
KNOWN_CONTACT = PathId(name="contact", param="contact_id", look_up=_known, code="unknown_contact")
LIST = PathId(name="contact list", param="list_id", read=partial(read_id, "lst"), code="unknown_list")
LABEL = PathId(name="label", param="label_id", read=partial(read_id, "lbl"), code="unknown_label")
AUDIENCE = PathId(name="audience", param="audience_id", read=partial(read_id, "aud"), code="unknown_audience")
TEAM = PathId(name="team", param="team_id", read=partial(read_id, "team"), code="unknown_team")
CHANNEL = PathId(name="channel", param="channel_id", read=read_channel_id, code="unknown_channel")
PROPERTY = PathId(name="property", param="name", read=read_property_name, code="unknown_property")

ContactId = Annotated[int, CONTACT]
KnownContactId = Annotated[int, KNOWN_CONTACT]
ListId = Annotated[int, LIST]
LabelId = Annotated[int, LABEL]
AudienceId = Annotated[int, AUDIENCE]
TeamId = Annotated[int, TEAM]
ChannelId = Annotated[UUID, CHANNEL]
PropertyName = Annotated[str, PROPERTY]


async def known_team(request: web.Request, value: object) -> int:
    """Return the number of the team that a request names; raises NotAcceptable."""
    number = read_id("team", value)
    if number is None or await teams.get(*scope(request), number) is None:
        raise labels.unknown_team()
    return number


async def phone_of_account(request: web.Request, text: str) -> str:
    """Return a phone number in E.164, read as in the region of the account; raises NotAcceptable."""
    phone = normaliser_for(request[ACCOUNT].region)(text)
    if isinstance(phone, PhoneFault):
        raise NotAcceptable(phone.message, code=phone.code, param="phone")
    return phone
