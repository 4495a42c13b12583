"""What clients do with webhooks, over the API and on the pages: check a URL, test, send again."""

from datetime import datetime
from typing import Any
from uuid import UUID

from aiohttp import web

from api.http.context import API, scope
from api.http.views.webhook_views import DELIVERY, WEBHOOK
from schemas.errors import Conflict, NotAcceptable
from schemas.webhooks.urls import address_problem_of, host_problem_of, problem_of
from storage.webhooks import deliveries, endpoints
from storage.webhooks.deliveries import DeliveryRow


async def reachable(request: web.Request, value: Any) -> str:
    """Return the URL of a body; raises NotAcceptable for an address or a host that the settings refuse."""
    settings = request.app[API].ctx.settings
    refused = settings.webhook_private_addresses == "refuse"
    valid = isinstance(value, str) and problem_of(value) is None
    if valid and refused and (problem := address_problem_of(value)):
        raise NotAcceptable(f"url: {problem}", code="private_address", param="url")
    if valid and (problem := host_problem_of(value, settings.webhook_hosts)):
        raise NotAcceptable(f"url: {problem}", code="host_not_allowed", param="url")
    return str(value)


async def send_test(request: web.Request, webhook_id: str) -> DeliveryRow:
    """Queue a test. Raises NotFound, and Conflict if the webhook is off."""
    await _check_on(request, webhook_id)
    row = await deliveries.queue_test(*scope(request), webhook_id)
    await request.app[API].ctx.queue.ring_webhooks()
    return WEBHOOK.found(request, row)


async def replay(request: web.Request, webhook_id: str, delivery_id: UUID) -> DeliveryRow:
    """Queue a delivery again. Raises NotFound, and Conflict if the webhook is off or it has not ended."""
    await _check_on(request, webhook_id)
    row = await deliveries.replay(*scope(request), webhook_id, delivery_id)
    if row is None:
        DELIVERY.found(request, await deliveries.get(*scope(request), webhook_id, delivery_id))
        message = "the delivery has not ended: it is still being attempted, so there is nothing to do"
        raise Conflict(message, code="delivery_not_ended")
    await request.app[API].ctx.queue.ring_webhooks()
    return row


async def replay_failed(request: web.Request, webhook_id: str, since: datetime) -> int:
    """Queue all failed deliveries of events since a time again. Returns their number."""
    await _check_on(request, webhook_id)
    count = await deliveries.replay_failed(*scope(request), webhook_id, since)
    await request.app[API].ctx.queue.ring_webhooks()
    return count


async def _check_on(request: web.Request, webhook_id: str) -> None:
    row = WEBHOOK.found(request, await endpoints.get(*scope(request), webhook_id))
    if row.state != "on":
        message = f"the webhook {webhook_id!r} is off: switch it on by PATCH with state on"
        raise Conflict(message, code="webhook_off")
