"""What was sent to a webhook: one delivery with its attempts; send a test, or messages again."""

from aiohttp import web

from api.actions import webhook_actions
from api.html.render import page, see_other
from api.http.context import scope
from api.http.validation import check
from api.http.views.webhook_views import DELIVERY, WEBHOOK, delivery_view, webhook_view
from api.openapi.describe import describe
from api.pages.forms import read_form
from api.pages.webhooks import REFRESH_SECONDS
from schemas.ids import show_message_id
from schemas.webhooks.event_types import ENDED
from schemas.wire.page_queries import in_utc
from schemas.wire.webhooks.endpoints import ReplayBody
from storage.webhooks import deliveries, endpoints


@describe(hidden=True)
async def show_delivery(request: web.Request) -> web.Response:
    """Show a delivery with every attempt that is kept."""
    webhook_id = await WEBHOOK.in_path(request)
    webhook = webhook_view(WEBHOOK.found(request, await endpoints.get(*scope(request), webhook_id)))
    delivery_id = await DELIVERY.in_path(request)
    row = DELIVERY.found(request, await deliveries.get(*scope(request), webhook_id, delivery_id))
    return page(
        request,
        "delivery.html",
        refresh=REFRESH_SECONDS,
        webhook=webhook,
        here=f"/webhooks/{webhook_id}",
        delivery=delivery_view(row),
        ended=row.state in ENDED,
    )


@describe(hidden=True)
async def send_test(request: web.Request) -> web.Response:
    """Send a test, and show what becomes of it."""
    await read_form(request)
    webhook_id = await WEBHOOK.in_path(request)
    row = await webhook_actions.send_test(request, webhook_id)
    return see_other(f"/webhooks/{webhook_id}/deliveries/{show_message_id(row.id)}")


@describe(hidden=True)
async def replay_delivery(request: web.Request) -> web.Response:
    """Send a message again."""
    await read_form(request)
    webhook_id = await WEBHOOK.in_path(request)
    row = await webhook_actions.replay(request, webhook_id, await DELIVERY.in_path(request))
    return see_other(f"/webhooks/{webhook_id}/deliveries/{show_message_id(row.id)}")


@describe(hidden=True)
async def replay_failed(request: web.Request) -> web.Response:
    """Send all messages again that have failed since a time, and say how many there are."""
    form = await read_form(request)
    webhook_id = await WEBHOOK.in_path(request)
    body = check({"since": in_utc(form.get("since", ""))}, ReplayBody)
    count = await webhook_actions.replay_failed(request, webhook_id, body.since)
    return see_other(f"/webhooks/{webhook_id}?replayed={count}")
