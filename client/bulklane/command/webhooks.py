"""`bulklane webhooks …`: the endpoints that hear of jobs, and what was sent to them."""

from datetime import datetime
from itertools import islice
from typing import Annotated, Any, cast

import typer

from bulklane._sync.client import Bulklane
from bulklane.command.connection import connected
from bulklane.command.jobs import Limit
from bulklane.command.output import AsJson, Columns, Document, print_json, show_list, show_one, tell
from bulklane.command.reporting import fail
from bulklane.decode import document

EXAMPLES = """
[bold]Examples[/]

  $ bulklane webhooks create https://example.com/webhooks --event job.failed

  What did the endpoint answer?
  $ bulklane webhooks deliveries wh_… --state failed

  Send again what has failed since the morning:
  $ bulklane webhooks replay wh_… --since 2026-11-27T06:00
"""
app = typer.Typer(
    no_args_is_help=True,
    help="The webhooks: list, create, test, their deliveries, send again.",
    epilog=EXAMPLES,
)

WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's id.", show_default=False)]
Event = Annotated[
    list[str] | None,
    typer.Option(
        "--event", help="An event, like job.failed; again for more. Default: all.", show_default=False
    ),
]


def _last(name: str) -> Any:
    def of(delivery: Document) -> object:
        attempts = delivery["attempts"]
        return attempts[-1][name] if attempts else None

    return of


COLUMNS: Columns = {
    "id": "id",
    "state": "state",
    "off because": "off_reason",
    "failures": "failures",
    "events": "events",
    "url": "url",
}
NEW: Columns = {"id": "id", "url": "url", "events": "events", "secret": "secret"}
DELIVERY: Columns = {
    "id": "id",
    "event": "event",
    "state": "state",
    "job": "job_id",
    "attempts": lambda delivery: len(delivery["attempts"]),
    "status": _last("status"),
    "error": _last("error"),
    "queued": "created_at",
    "next": "next_attempt_at",
}


@app.command("list")
@connected()
def list_(client: Bulklane, *, as_json: AsJson = False) -> None:
    """List the webhooks, and whether they are on."""
    show_list([document(one) for one in client.webhooks.list()], COLUMNS, as_json=as_json)


@app.command(no_args_is_help=True)
@connected()
def create(
    client: Bulklane,
    endpoint: Annotated[
        str, typer.Argument(metavar="ENDPOINT", help="The URL to send to.", show_default=False)
    ],
    *,
    event: Event = None,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="One message at a time, in the order of events.")
    ] = False,
    description: Annotated[str | None, typer.Option(help="For people.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Create a webhook, and print it with the secret that signs its messages."""
    made = client.webhooks.create(
        endpoint, events=cast("Any", event or None), ordered=ordered, description=description
    )
    show_one(document(made), NEW, as_json=as_json)


@app.command("test", no_args_is_help=True)
@connected()
def send_test(client: Bulklane, webhook: WebhookId, *, as_json: AsJson = False) -> None:
    """Send a test. `bulklane webhooks deliveries` shows what became of it."""
    show_one(document(client.webhooks.test(webhook)), DELIVERY, as_json=as_json)


@app.command(no_args_is_help=True)
@connected()
def deliveries(
    client: Bulklane,
    webhook: WebhookId,
    *,
    state: Annotated[
        str | None, typer.Option(help="new, waiting, sending, delivered or failed.", show_default=False)
    ] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List what was sent, the newest first. With --json, with each attempt and its answer."""
    found = client.webhooks.deliveries(webhook, state=cast("Any", state))
    show_list([document(one) for one in islice(found, limit)], DELIVERY, as_json=as_json)


@app.command(no_args_is_help=True)
@connected()
def replay(
    client: Bulklane,
    webhook: WebhookId,
    delivery: Annotated[
        str | None, typer.Argument(metavar="[DELIVERY]", help="msg_…", show_default=False)
    ] = None,
    *,
    since: Annotated[
        datetime | None,
        typer.Option(
            help="Send all that have failed, of events since then (local time).", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send a message again, or all that have failed since a time."""
    if (delivery is None) == (since is None):
        raise fail("name a delivery, or a time with --since, and not both")
    if delivery is not None:
        show_one(document(client.webhooks.replay(webhook, delivery)), DELIVERY, as_json=as_json)
        return
    assert since is not None
    count = client.webhooks.replay_failed(webhook, since)
    print_json({"replayed": count}) if as_json else tell(f"{count} sent again")
