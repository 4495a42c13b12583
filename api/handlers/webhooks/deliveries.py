"""/v1/webhooks/{id}/deliveries: what was sent to a webhook, with every attempt; test it, send again."""

from aiohttp import web

from api.endpoint import endpoint
from api.http.context import API, scope
from api.http.responses import queued, shown
from api.http.views.webhook_views import DELIVERY, WEBHOOK, DeliveryId, WebhookId, delivery_view
from schemas.errors import Conflict
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
    await _check_on(request, webhook_id)
    row = await deliveries.queue_test(*scope(request), webhook_id)
    await request.app[API].ctx.queue.ring_webhooks()
    return queued(delivery_view(WEBHOOK.found(request, row)))


@endpoint(responses={202: Delivery}, errors=(409,))
async def replay_delivery(
    request: web.Request, webhook_id: WebhookId, delivery_id: DeliveryId
) -> web.Response:
    """Send a message again that was delivered or has failed, with the same id and the same attempts."""
    await _check_on(request, webhook_id)
    row = await deliveries.replay(*scope(request), webhook_id, delivery_id)
    if row is None:
        DELIVERY.found(request, await deliveries.get(*scope(request), webhook_id, delivery_id))
        message = "the delivery has not ended: it is still being attempted, so there is nothing to do"
        raise Conflict(message, code="delivery_not_ended")
    await request.app[API].ctx.queue.ring_webhooks()
    return queued(delivery_view(row))


@endpoint(responses={202: Replayed}, errors=(409,))
async def replay_failed(request: web.Request, webhook_id: WebhookId, body: ReplayBody) -> web.Response:
    """Send all messages again whose events happened since a time and that have failed."""
    await _check_on(request, webhook_id)
    count = await deliveries.replay_failed(*scope(request), webhook_id, body.since)
    await request.app[API].ctx.queue.ring_webhooks()
    return queued(Replayed(replayed=count))


async def _check_on(request: web.Request, webhook_id: WebhookId) -> None:
    row = WEBHOOK.found(request, await endpoints.get(*scope(request), webhook_id))
    if row.state != "on":
        message = f"the webhook {webhook_id!r} is off: switch it on by PATCH with state on"
        raise Conflict(message, code="webhook_off")
