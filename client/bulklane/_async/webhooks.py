"""Webhooks, their secrets, and what was sent to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bulklane._async.listing import AsyncListing
from bulklane._async.resources import PAGE, AsyncResource
from bulklane.calls import UNSET, Call, Unset, get, given
from bulklane.decode import decode
from bulklane.resource_models import (
    Delivery,
    DeliveryState,
    NewWebhook,
    Webhook,
    WebhookEvent,
    WebhookSecret,
    WebhookState,
)


class AsyncWebhooks(AsyncResource[Webhook]):
    """`client.webhooks`."""

    _name, _model = "webhooks", Webhook

    def list(self) -> AsyncListing[Webhook]:
        """List the webhooks, by id."""
        return self._list()

    async def create(
        self,
        url: str,
        *,
        events: Sequence[WebhookEvent] | None = None,
        ordered: bool = False,
        description: str | None = None,
    ) -> NewWebhook:
        """Create a webhook under an id of the service; it has the secret. Default: all events."""
        fields = given(url=url, events=_listed(events), ordered=ordered, description=description)
        return decode(NewWebhook, await self._post(fields))

    async def put(
        self,
        id: str,
        url: str,
        *,
        events: Sequence[WebhookEvent] | None = None,
        ordered: bool = False,
        description: str | None = None,
    ) -> Webhook:
        """Create a webhook under an id of your own, or replace the fields of the one that has it.

        The secret of one that exists, and whether it is on, stay; `secret` reads it.
        """
        fields = given(url=url, events=_listed(events), ordered=ordered, description=description)
        return await self._sent("PUT", self._path(id), fields, repeatable=True)

    async def change(
        self,
        id: str,
        *,
        url: str | Unset = UNSET,
        events: Sequence[WebhookEvent] | None = None,
        ordered: bool | Unset = UNSET,
        description: str | Unset | None = UNSET,
        state: WebhookState | Unset = UNSET,
    ) -> Webhook:
        """Change what is given. `state` switches it on or off; None removes the description."""
        return await self._change(
            id, url=url, events=_listed(events), ordered=ordered, description=description, state=state
        )

    async def delete(self, id: str) -> None:
        """Delete a webhook with its deliveries, also those that wait."""
        await self._delete(id)

    async def secret(self, id: str) -> WebhookSecret:
        """Return the secrets that sign the messages."""
        return decode(WebhookSecret, await self._transport.send(get(self._path(id, "secret"))))

    async def rotate_secret(self, id: str) -> WebhookSecret:
        """Make a new secret. For 24 hours, messages are signed with the one before, too.

        It is not repeated after a lost response, because a second rotation would drop the secret that your
        receiver knows. `secret` then shows whether it was done.
        """
        return decode(WebhookSecret, await self._post(None, id, "secret", "rotate"))

    async def test(self, id: str) -> Delivery:
        """Send a message of the type `webhook.test`. Raises ConflictError if the webhook is off."""
        return decode(Delivery, await self._post(None, id, "test"))

    def deliveries(self, id: str, *, state: DeliveryState | None = None) -> AsyncListing[Delivery]:
        """List the messages to a webhook, the newest first, or those in one state."""
        return AsyncListing(self._transport, self._path(id, "deliveries"), Delivery, limit=PAGE, state=state)

    async def delivery(self, id: str, delivery_id: str) -> Delivery:
        """Return a message with its attempts."""
        return decode(Delivery, await self._transport.send(get(self._path(id, "deliveries", delivery_id))))

    async def replay(self, id: str, delivery_id: str) -> Delivery:
        """Send a message again, with the same id. Raises ConflictError while it is being attempted."""
        return decode(Delivery, await self._post(None, id, "deliveries", delivery_id, "replay"))

    async def replay_failed(self, id: str, since: datetime) -> int:
        """Send all messages again that have failed, of events since then. Return their number."""
        found = await self._post({"since": since.astimezone().isoformat()}, id, "replay")
        replayed: int = found["replayed"]
        return replayed

    async def _post(self, body: Any, *segments: str) -> Any:
        return await self._transport.send(Call(method="POST", path=self._path(*segments), json=body))


def _listed(events: Sequence[WebhookEvent] | None) -> Any:
    return UNSET if events is None else [*events]
