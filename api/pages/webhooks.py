"""The webhooks of an account, and one of them: what it is, its secret, and what was sent to it."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from api.actions.webhook_actions import reachable
from api.html.render import page, see_other
from api.http.context import scope
from api.http.validation import check, read_query
from api.http.views.webhook_views import WEBHOOK, delivery_view, secret_view, webhook_view
from api.openapi.describe import describe
from api.pages.forms import FormField, errors_of, read_form
from schemas.errors import Conflict, NotAcceptable
from schemas.ids import new_webhook_id
from schemas.webhooks.event_types import DeliveryState, WebhookEvent
from schemas.webhooks.signature import new_secret
from schemas.webhooks.urls import read_webhook_id
from schemas.wire.page_queries import WebhookPageQuery
from schemas.wire.webhooks.endpoints import NewWebhook, Webhook, WebhookChange, WebhookSecret
from storage.webhooks import deliveries, endpoints

REFRESH_SECONDS = 5  # deliveries have no events
FIELDS = (
    FormField(name="url", label="URL", hint="Like https://example.com/webhooks", required=True),
    FormField(name="description", label="Description", hint="For people"),
)
ID = FormField(name="id", label="Id", hint="Letters, digits, '.', '_' and '-'; one of ours if it is empty")
EVENT = "event."  # begins the name of the box of an event
DEFAULT = {"ordered": "", **{EVENT + event: "on" for event in WebhookEvent}}


@describe(hidden=True)
async def list_webhooks(request: web.Request) -> web.Response:
    """Show the webhooks of the account, with what was sent last."""
    return await _listed(request, form=DEFAULT, refresh=REFRESH_SECONDS)


@describe(hidden=True)
async def create_webhook(request: web.Request) -> web.Response:
    """Create a webhook, and show it."""
    form = await read_form(request)
    try:
        row = await endpoints.create(
            *scope(request), _id_of(form), await _fields(request, form), secret=new_secret()
        )
        if row is None:
            raise Conflict("the account has a webhook with this id: choose another one", code="name_taken")
    except (NotAcceptable, Conflict) as error:
        return await _listed(request, form=form, errors=errors_of(error), status=422)
    return see_other(f"/webhooks/{row.id}")


@describe(hidden=True, query=WebhookPageQuery)
async def show_webhook(request: web.Request) -> web.Response:
    """Show a webhook and what was sent to it."""
    return await _shown(request, read_query(request, WebhookPageQuery), refresh=REFRESH_SECONDS)


@describe(hidden=True)
async def change_webhook(request: web.Request) -> web.Response:
    """Change a webhook as its form says."""
    form = await read_form(request)
    webhook_id = await WEBHOOK.in_path(request)
    try:
        row = await endpoints.change(*scope(request), webhook_id, await _fields(request, form))
    except NotAcceptable as error:
        return await _shown(request, WebhookPageQuery(), form=form, errors=errors_of(error), status=422)
    return see_other(f"/webhooks/{WEBHOOK.found(request, row).id}")


@describe(hidden=True)
async def switch_webhook(request: web.Request) -> web.Response:
    """Switch a webhook on or off."""
    form = await read_form(request)
    given = check({"state": form.get("state", "")}, WebhookChange)
    row = await endpoints.change(*scope(request), await WEBHOOK.in_path(request), {"state": given.state})
    return see_other(f"/webhooks/{WEBHOOK.found(request, row).id}")


@describe(hidden=True)
async def delete_webhook(request: web.Request) -> web.Response:
    """Delete a webhook with what waits for it."""
    await read_form(request)
    deleted = await endpoints.delete(*scope(request), await WEBHOOK.in_path(request))
    WEBHOOK.found(request, deleted or None)
    return see_other("/webhooks")


@describe(hidden=True)
async def show_secret(request: web.Request) -> web.Response:
    """Show a webhook with its secret. It is the answer to a form, so that no address leads to a secret."""
    await read_form(request)
    row = WEBHOOK.found(request, await endpoints.get(*scope(request), await WEBHOOK.in_path(request)))
    return await _shown(request, WebhookPageQuery(), secret=secret_view(row))


@describe(hidden=True)
async def rotate_secret(request: web.Request) -> web.Response:
    """Give a webhook a new secret. It is not shown at once: a reload of that page would rotate it again."""
    await read_form(request)
    row = await endpoints.rotate(*scope(request), await WEBHOOK.in_path(request), secret=new_secret())
    return see_other(f"/webhooks/{WEBHOOK.found(request, row).id}")


def _id_of(form: Mapping[str, str]) -> str:
    given = form.get("id", "").strip()
    webhook_id = read_webhook_id(given) if given else new_webhook_id()
    if webhook_id is None:
        message = "id: has 1 to 64 letters, digits, '.', '_' or '-', the first one a letter or a digit"
        raise NotAcceptable(message, code="invalid_value", param="id")
    return webhook_id


async def _fields(request: web.Request, form: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a form as they are stored. Raises NotAcceptable."""
    body = check(
        {
            "url": form.get("url", "").strip(),
            "events": [event.value for event in WebhookEvent if EVENT + event in form],
            "ordered": "ordered" in form,
            "description": form.get("description", "").strip() or None,
        },
        NewWebhook,
    )
    await reachable(request, body.url)
    return body.model_dump(mode="json")


def _form_of(view: Webhook) -> dict[str, str]:
    events = {EVENT + event: "on" for event in view.events}
    ordered = {"ordered": "on"} if view.ordered else {}
    return {"url": view.url, "description": view.description or "", **events, **ordered}


async def _listed(
    request: web.Request,
    *,
    form: Mapping[str, str],
    errors: Mapping[str, str] | None = None,
    status: int = 200,
    **known: Any,
) -> web.Response:
    rows = await endpoints.page(*scope(request), after="", size=endpoints.MOST)
    last = await deliveries.newest(*scope(request))
    return page(
        request,
        "webhooks.html",
        status=status,
        webhooks=[
            (webhook_view(row), delivery_view(last[row.id]) if row.id in last else None) for row in rows
        ],
        most=endpoints.MOST,
        fields=(*FIELDS, ID),
        events=list(WebhookEvent),
        form=form,
        errors=errors or {},
        **known,
    )


async def _shown(
    request: web.Request,
    query: WebhookPageQuery,
    *,
    form: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    secret: WebhookSecret | None = None,
    status: int = 200,
    **known: Any,
) -> web.Response:
    webhook_id = await WEBHOOK.in_path(request)
    view = webhook_view(WEBHOOK.found(request, await endpoints.get(*scope(request), webhook_id)))
    states = list(DeliveryState) if query.state is None else [query.state]
    rows = await deliveries.page(
        *scope(request), webhook_id, states=states, before=query.cursor, size=query.limit + 1
    )
    shown = rows[: query.limit]
    return page(
        request,
        "webhook.html",
        status=status,
        webhook=view,
        here=f"/webhooks/{webhook_id}",
        deliveries=[delivery_view(row) for row in shown],
        further=shown[-1].number if len(rows) > query.limit else None,
        query=query,
        fields=FIELDS,
        events=list(WebhookEvent),
        form=_form_of(view) if form is None else form,
        errors=errors or {},
        secret=secret,
        **known,
    )
