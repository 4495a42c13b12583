"""/v1/channels: what contacts are opted in to."""

from aiohttp import web

from api.actions import resource_actions
from api.endpoint import endpoint
from api.http.context import scope
from api.http.responses import created, deleted, page_of, shown
from api.http.views.resource_ids import CHANNEL, ChannelId, phone_of_account
from api.http.views.resource_views import channel_view
from schemas.wire.base import Listing
from schemas.wire.query_models import ChannelsQuery
from schemas.wire.resource_bodies import ChannelChange, NewChannel
from schemas.wire.resources import Channel
from storage.entities import channels


@endpoint(responses={201: Channel}, errors=(409,), resolve={"phone": phone_of_account})
async def create_channel(request: web.Request, body: NewChannel) -> web.Response:
    """Create a channel."""
    view = await resource_actions.create_channel(*scope(request), body)
    return created(request, view, view.id)


@endpoint(responses={200: Listing[Channel]})
async def list_channels(request: web.Request, query: ChannelsQuery) -> web.Response:
    """List the channels in the order of creation."""
    views = await resource_actions.page_of_channels(*scope(request), query)
    return page_of(views, query.limit, lambda view: view.id)


@endpoint(responses={200: Channel})
async def get_channel(request: web.Request, channel_id: ChannelId) -> web.Response:
    """Get a channel."""
    row = await channels.get(*scope(request), channel_id)
    return shown(channel_view(CHANNEL.found(request, row)))


@endpoint(responses={200: Channel}, errors=(409,), resolve={"phone": phone_of_account})
async def change_channel(request: web.Request, channel_id: ChannelId, body: ChannelChange) -> web.Response:
    """Change the name or the phone of a channel."""
    row = await channels.change(*scope(request), channel_id, body.given())
    return shown(channel_view(CHANNEL.found(request, row)))


@endpoint(responses={204: None})
async def delete_channel(request: web.Request, channel_id: ChannelId) -> web.Response:
    """Delete a channel with its opt-ins. Contacts that have it as default channel then have none."""
    return deleted(request, CHANNEL, await channels.delete(*scope(request), channel_id))
