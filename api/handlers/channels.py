"""/v1/channels: what contacts are opted in to."""

from uuid import UUID

from aiohttp import web

from api.http.context import ACCOUNT
from api.http.paging import page_of
from api.http.resource import Noun, created, deleted, read_columns, scope, shown
from api.http.validation import read_query
from api.openapi.describe import Response, describe
from schemas.errors import NotAcceptable
from schemas.items.phone import PhoneFault, normaliser_for
from schemas.wire.base import Listing
from schemas.wire.queries import ChannelsQuery, NoQuery
from schemas.wire.resource_bodies import ChannelChange, NewChannel
from schemas.wire.resources import Channel
from storage.entities import channels


def _read_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


CHANNEL = Noun(name="channel", param="channel_id", read=_read_id, code="unknown_channel")


@describe(body=NewChannel, responses={201: Response(model=Channel, headers=("Location",))}, errors=(409,))
async def create_channel(request: web.Request) -> web.Response:
    """Create a channel."""
    columns = await read_columns(request, NewChannel, {"phone": _phone})
    made = Channel.of(await channels.create(*scope(request), **columns))
    return created(request, made, made.id)


@describe(query=ChannelsQuery, responses={200: Listing[Channel]})
async def list_channels(request: web.Request) -> web.Response:
    """The channels in the order in which they were made."""
    query = read_query(request, ChannelsQuery)
    rows = await channels.page(*scope(request), after=query.cursor, size=query.limit + 1)
    return page_of([Channel.of(row) for row in rows], query.limit, lambda one: one.id)


@describe(query=NoQuery, responses={200: Channel})
async def get_channel(request: web.Request) -> web.Response:
    """One channel."""
    row = await channels.get(*scope(request), CHANNEL.id_alone(request))
    return shown(Channel.of(CHANNEL.found(request, row)))


@describe(body=ChannelChange, responses={200: Channel}, errors=(409,))
async def change_channel(request: web.Request) -> web.Response:
    """Give a channel another name or phone."""
    id_ = CHANNEL.id_in(request)
    columns = await read_columns(request, ChannelChange, {"phone": _phone})
    row = await channels.change(*scope(request), id_, columns)
    return shown(Channel.of(CHANNEL.found(request, row)))


@describe(query=NoQuery, responses={204: None})
async def delete_channel(request: web.Request) -> web.Response:
    """Delete a channel, with what contacts have said of it; it is nobody's default channel any more."""
    return deleted(request, CHANNEL, await channels.delete(*scope(request), CHANNEL.id_alone(request)))


async def _phone(request: web.Request, text: str) -> str:
    phone = normaliser_for(request[ACCOUNT].region)(text)
    if isinstance(phone, PhoneFault):
        raise NotAcceptable(phone.message, code=phone.code, param="phone")
    return phone
