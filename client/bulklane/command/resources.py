"""`bulklane lists …` and `bulklane labels …`: their ids, for the parameters of an operation."""

from itertools import islice
from typing import Annotated

import typer

from bulklane._sync.client import Bulklane
from bulklane.command.connection import connected
from bulklane.command.jobs import Limit
from bulklane.command.output import AsJson, Columns, show_list
from bulklane.decode import document

lists = typer.Typer(no_args_is_help=True, help="The contact lists.")
labels = typer.Typer(no_args_is_help=True, help="The labels.")

LIST_COLUMNS: Columns = {"id": "id", "name": "name", "contacts": "contact_count", "state": "state"}
LABEL_COLUMNS: Columns = {
    "id": "id",
    "name": "name",
    "contacts": "contact_count",
    "colour": "colour",
    "team": "team_id",
}


@lists.command("list")
@connected()
def list_lists(
    client: Bulklane,
    *,
    archived: Annotated[bool, typer.Option("--archived", help="The archived lists.")] = False,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List the contact lists: their ids are for `send -o lists.add -p list_id=…`."""
    found = islice(client.lists.list(archived=archived or None), limit)
    show_list([document(one) for one in found], LIST_COLUMNS, as_json=as_json)


@labels.command("list")
@connected()
def list_labels(client: Bulklane, *, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the labels: their ids are for `send -o labels.attach -p label_id=…`."""
    found = islice(client.labels.list(), limit)
    show_list([document(one) for one in found], LABEL_COLUMNS, as_json=as_json)
