"""/v1/webhooks: the endpoints that hear of the ends of jobs."""

from aiohttp import web

from api.actions.webhook_actions import reachable
from api.endpoint import endpoint
from api.http.context import scope
from api.http.responses import created, deleted, page_of, put, shown
from api.http.views.webhook_views import (
    WEBHOOK,
    WebhookId,
    new_webhook_view,
    secret_view,
    webhook_view,
)
from schemas.ids import new_webhook_id
from schemas.webhooks.signature import new_secret
from schemas.wire.base import Listing
from schemas.wire.query_models import WebhooksQuery
from schemas.wire.webhooks.endpoints import NewWebhook, NewWebhookView, Webhook, WebhookChange, WebhookSecret
from storage.webhooks import endpoints


@endpoint(responses={201: NewWebhookView}, errors=(409,), resolve={"url": reachable})
async def create_webhook(request: web.Request, body: NewWebhook) -> web.Response:
    """Create a webhook under an id of ours. The response has the secret that signs its messages."""
    row = await endpoints.create(
        *scope(request), new_webhook_id(), body.model_dump(mode="json"), secret=new_secret()
    )
    assert row is not None, "the id is new"
    return created(request, new_webhook_view(row), row.id)


@endpoint(responses={201: NewWebhookView, 200: Webhook}, errors=(409,), resolve={"url": reachable})
async def put_webhook(request: web.Request, webhook_id: WebhookId, body: NewWebhook) -> web.Response:
    """Create a webhook under an id of your own, with a secret in the response; or change it, if it exists.

    A webhook that exists keeps its secret and its state.
    """
    fields = body.model_dump(mode="json")
    row = await endpoints.create(*scope(request), webhook_id, fields, secret=new_secret())
    if row is not None:
        return put(request, new_webhook_view(row), new=True)
    changed = await endpoints.change(*scope(request), webhook_id, fields)
    return put(request, webhook_view(WEBHOOK.found(request, changed)), new=False)


@endpoint(responses={200: Listing[Webhook]})
async def list_webhooks(request: web.Request, query: WebhooksQuery) -> web.Response:
    """List the webhooks in the order of their ids."""
    rows = await endpoints.page(*scope(request), after=query.cursor or "", size=query.limit + 1)
    return page_of([webhook_view(row) for row in rows], query.limit, lambda view: view.id)


@endpoint(responses={200: Webhook})
async def get_webhook(request: web.Request, webhook_id: WebhookId) -> web.Response:
    """Get a webhook. `state` and `off_reason` say whether and why it was switched off."""
    row = await endpoints.get(*scope(request), webhook_id)
    return shown(webhook_view(WEBHOOK.found(request, row)))


@endpoint(responses={200: Webhook}, resolve={"url": reachable})
async def change_webhook(request: web.Request, webhook_id: WebhookId, body: WebhookChange) -> web.Response:
    """Change a webhook, or switch it off and on. Switched on, it gets the messages that wait."""
    given = body.model_dump(mode="json", include=body.model_fields_set)
    row = await endpoints.change(*scope(request), webhook_id, given)
    return shown(webhook_view(WEBHOOK.found(request, row)))


@endpoint(responses={204: None})
async def delete_webhook(request: web.Request, webhook_id: WebhookId) -> web.Response:
    """Delete a webhook with its deliveries, also those that wait."""
    return deleted(request, WEBHOOK, await endpoints.delete(*scope(request), webhook_id))


@endpoint(responses={200: WebhookSecret})
async def get_secret(request: web.Request, webhook_id: WebhookId) -> web.Response:
    """Get the secrets that sign the messages of a webhook."""
    row = await endpoints.get(*scope(request), webhook_id)
    return shown(secret_view(WEBHOOK.found(request, row)))


@endpoint(responses={200: WebhookSecret})
async def rotate_secret(request: web.Request, webhook_id: WebhookId) -> web.Response:
    """Give a webhook a new secret. For 24 hours, messages are signed with the previous one, too."""
    row = await endpoints.rotate(*scope(request), webhook_id, secret=new_secret())
    return shown(secret_view(WEBHOOK.found(request, row)))
