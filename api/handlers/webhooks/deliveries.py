"""/v1/webhooks/{id}/deliveries: what was sent to a webhook, with every attempt; test it, send again."""

from aiohttp import web

from api.actions import webhook_actions
from api.endpoint import endpoint
from api.http.context import scope
from api.http.responses import queued, shown
from api.http.views.webhook_views import DELIVERY, WEBHOOK, DeliveryId, WebhookId, delivery_view
from schemas.webhooks.event_types import DeliveryState
from schemas.wire.base import Listing
from schemas.wire.query_models import DeliveriesQuery
from schemas.wire.webhooks.endpoints import Delivery, ReplayBody, Replayed
from storage.webhooks import deliveries, endpoints


@endpoint(responses={200: Listing[Delivery]})
async def list_deliveries(
    request: web.Request, webhook_id: WebhookId, query: DeliveriesQuery
) -> web.Response:
    """List the deliveries to a webhook, the newest first, with the status and the answer of each attempt."""
    WEBHOOK.found(request, await endpoints.get(*scope(request), webhook_id))
    states = list(DeliveryState) if query.state is None else [query.state]
    rows = await deliveries.page(
        *scope(request), webhook_id, states=states, before=query.cursor, size=query.limit + 1
    )
    page = rows[: query.limit]
    following = str(page[-1].number) if len(rows) > query.limit else None
    return shown(Listing[Delivery](data=[delivery_view(row) for row in page], next_cursor=following))


@endpoint(responses={200: Delivery})
async def get_delivery(request: web.Request, webhook_id: WebhookId, delivery_id: DeliveryId) -> web.Response:
    """Get a delivery."""
    row = await deliveries.get(*scope(request), webhook_id, delivery_id)
    return shown(delivery_view(DELIVERY.found(request, row)))


@endpoint(responses={202: Delivery}, errors=(409,))
async def test_webhook(request: web.Request, webhook_id: WebhookId) -> web.Response:
    """Send a message of the type `webhook.test`. The delivery shows what became of it."""
    return queued(delivery_view(await webhook_actions.send_test(request, webhook_id)))


@endpoint(responses={202: Delivery}, errors=(409,))
async def replay_delivery(
    request: web.Request, webhook_id: WebhookId, delivery_id: DeliveryId
) -> web.Response:
    """Send a message again that was delivered or has failed, with the same id and the same attempts."""
    return queued(delivery_view(await webhook_actions.replay(request, webhook_id, delivery_id)))


@endpoint(responses={202: Replayed}, errors=(409,))
async def replay_failed(request: web.Request, webhook_id: WebhookId, body: ReplayBody) -> web.Response:
    """Send all messages again whose events happened since a time and that have failed."""
    count = await webhook_actions.replay_failed(request, webhook_id, body.since)
    return queued(Replayed(replayed=count))
