"""Webhooks, their secrets, and what was sent to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bulklane._sync.listing import Listing
from bulklane._sync.resources import PAGE, Resource
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


class Webhooks(Resource[Webhook]):
    """`client.webhooks`."""

    _name, _model = "webhooks", Webhook

    def list(self) -> Listing[Webhook]:
        """List the webhooks, by id."""
        return self._list()

    def create(
        self,
        url: str,
        *,
        events: Sequence[WebhookEvent] | None = None,
        ordered: bool = False,
        description: str | None = None,
    ) -> NewWebhook:
        """Create a webhook under an id of the service; it has the secret. Default: all events."""
        fields = given(url=url, events=_listed(events), ordered=ordered, description=description)
        return decode(NewWebhook, self._post(fields))

    def put(
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
        return self._sent("PUT", self._path(id), fields, repeatable=True)

    def change(
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
        return self._change(
            id, url=url, events=_listed(events), ordered=ordered, description=description, state=state
        )

    def delete(self, id: str) -> None:
        """Delete a webhook with its deliveries, also those that wait."""
        self._delete(id)

    def secret(self, id: str) -> WebhookSecret:
        """Return the secrets that sign the messages."""
        return decode(WebhookSecret, self._transport.send(get(self._path(id, "secret"))))

    def rotate_secret(self, id: str) -> WebhookSecret:
        """Make a new secret. For 24 hours, messages are signed with the one before, too.

        It is not repeated after a lost response, because a second rotation would drop the secret that your
        receiver knows. `secret` then shows whether it was done.
        """
        return decode(WebhookSecret, self._post(None, id, "secret", "rotate"))

    def test(self, id: str) -> Delivery:
        """Send a message of the type `webhook.test`. Raises ConflictError if the webhook is off."""
        return decode(Delivery, self._post(None, id, "test"))

    def deliveries(self, id: str, *, state: DeliveryState | None = None) -> Listing[Delivery]:
        """List the messages to a webhook, the newest first, or those in one state."""
        return Listing(self._transport, self._path(id, "deliveries"), Delivery, limit=PAGE, state=state)

    def delivery(self, id: str, delivery_id: str) -> Delivery:
        """Return a message with its attempts."""
        return decode(Delivery, self._transport.send(get(self._path(id, "deliveries", delivery_id))))

    def replay(self, id: str, delivery_id: str) -> Delivery:
        """Send a message again, with the same id. Raises ConflictError while it is being attempted."""
        return decode(Delivery, self._post(None, id, "deliveries", delivery_id, "replay"))

    def replay_failed(self, id: str, since: datetime) -> int:
        """Send all messages again that have failed, of events since then. Return their number."""
        found = self._post({"since": since.astimezone().isoformat()}, id, "replay")
        replayed: int = found["replayed"]
        return replayed

    def _post(self, body: Any, *segments: str) -> Any:
        return self._transport.send(Call(method="POST", path=self._path(*segments), json=body))


def _listed(events: Sequence[WebhookEvent] | None) -> Any:
    return UNSET if events is None else [*events]
