"""`bulklane contacts …`: single contacts."""

import json
import sys
import time
from itertools import islice
from typing import Annotated

import typer

from bulklane._sync.client import Bulklane
from bulklane.command.connection import connected
from bulklane.command.jobs import Limit
from bulklane.command.output import AsJson, Columns, Document, print_json, show_list, show_one, tell
from bulklane.command.reporting import fail
from bulklane.decode import document, wire_names
from bulklane.resource_models import Contact

app = typer.Typer(no_args_is_help=True, help="Single contacts: list, show, history, delete, erase.")
POLL_SECONDS = 1.0  # until an erasure is complete
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

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


def _changes(entry: Document) -> list[str]:
    """Return the fields that changed, with the values before and after."""
    pairs = [
        (change["field"], *(json.dumps(change[name], ensure_ascii=False) for name in ("old", "new")))
        for change in entry["changes"]
    ]
    return [f"{field}: {old} -> {new}" for field, old, new in pairs]


HISTORY: Columns = {
    "at": "at",
    "job": "job.id",
    "job name": "job.name",
    "operation": "job.operation",
    "outcome": "job.outcome",
    "by": "by.kind",
    "key": "by.key_id",
    "key name": "by.key_name",
    "changes": _changes,
}


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
def history(client: Bulklane, contact: ContactId, *, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List the jobs and the single requests that touched a contact, newest first; also a deleted one."""
    found = client.contacts.history(contact)
    show_list([document(entry) for entry in islice(found, limit)], HISTORY, as_json=as_json)


@app.command(no_args_is_help=True)
@connected()
def delete(client: Bulklane, contact: ContactId, *, yes: Yes = False) -> None:
    """Delete a contact, after a question. It leaves its lists, labels and audiences."""
    found = client.contacts.get(contact)
    _ask(found, "Delete", yes=yes)
    client.contacts.delete(found.id)
    tell(f"deleted {found.id}")


@app.command(no_args_is_help=True)
@connected()
def data(client: Bulklane, contact: ContactId) -> None:
    """Print all that is stored about a contact, also by jobs, as JSON."""
    print_json(client.contacts.data(contact))


@app.command(no_args_is_help=True)
@connected()
def erase(client: Bulklane, contact: ContactId, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Erase all that is stored about a contact, after a question, and wait for the end.

    After Ctrl-C, the workers go on.
    """
    found = client.contacts.get(contact)
    _ask(found, "Erase all that is stored about", yes=yes)
    erasure = client.contacts.erase(found.id)
    while erasure.state != "completed":
        time.sleep(POLL_SECONDS)
        erasure = client.contacts.erasure(erasure.id)
    if as_json:
        print_json(document(erasure))
    else:
        tell(f"erased {found.id}")


def _ask(found: Contact, what: str, *, yes: bool) -> None:
    """Ask before a contact is gone. Ends the command if there is nobody to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise fail(f"{found.id} is not deleted: there is no terminal to ask at, add --yes")
    typer.confirm(f"{what} {found.id}, {found.phone}, {found.name or 'no name'}?", abort=True, err=True)
