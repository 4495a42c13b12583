"""`bulklane contacts …`: single contacts."""

import sys
from itertools import islice
from typing import Annotated

import typer

from bulklane._sync.client import Bulklane
from bulklane.command.connection import connected
from bulklane.command.jobs import Limit
from bulklane.command.output import AsJson, Columns, show_list, show_one, tell
from bulklane.command.reporting import fail
from bulklane.decode import document, wire_names
from bulklane.resource_models import Contact

app = typer.Typer(no_args_is_help=True, help="Single contacts: list, show, delete.")

ContactId = Annotated[
    str,
    typer.Argument(
        metavar="CONTACT", help="ctc_…, the number of it, or your external_id.", show_default=False
    ),
]
COLUMNS: Columns = {
    "id": "id",
    "phone": "phoneNumber",
    "name": "name",
    "email": "email",
    "external id": "externalId",
    "language": "language",
    "updated": "updatedAt",
}
DETAILS: Columns = {name.replace("_", " "): path for name, path in wire_names(Contact).items()}


@app.command("list")
@connected()
def list_(
    client: Bulklane,
    *,
    search: Annotated[
        str | None, typer.Option(help="A text in the name or the phone.", show_default=False)
    ] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List contacts, newest first."""
    found = client.contacts.list(search=search, limit=min(limit, 100))
    show_list([document(contact) for contact in islice(found, limit)], COLUMNS, as_json=as_json)


@app.command(no_args_is_help=True)
@connected()
def show(client: Bulklane, contact: ContactId, *, as_json: AsJson = False) -> None:
    """Show a contact."""
    show_one(document(client.contacts.get(contact)), DETAILS, as_json=as_json)


@app.command(no_args_is_help=True)
@connected()
def delete(
    client: Bulklane,
    contact: ContactId,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a contact, after a question. It leaves its lists, labels and audiences."""
    found = client.contacts.get(contact)
    if not yes:
        if not sys.stdin.isatty():
            raise fail(f"{found.id} is not deleted: there is no terminal to ask at, add --yes")
        typer.confirm(f"Delete {found.id}, {found.phone}, {found.name or 'no name'}?", abort=True, err=True)
    client.contacts.delete(found.id)
    tell(f"deleted {found.id}")
