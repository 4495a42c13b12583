"""`bulklane uploads …`: the uploads that are not finished."""

from typing import Annotated

import typer

from bulklane._sync.client import Bulklane
from bulklane.command.connection import connected
from bulklane.command.output import AsJson, Columns, show_list, tell
from bulklane.command.progress import share
from bulklane.command.sending import unfinished
from bulklane.command.sending.uploading import how_to_go_on
from bulklane.decode import document

app = typer.Typer(no_args_is_help=True, help="Uploads that are not finished: list, cancel.")

UploadId = Annotated[str, typer.Argument(metavar="UPLOAD", help="The upload's id.", show_default=False)]
COLUMNS: Columns = {
    "id": "id",
    "operation": "operation",
    "arrived": lambda upload: share(upload["offset"], upload["length"]),
    "begun": "created_at",
    "expires": "expires_at",
    "file": lambda upload: upload["path"] or upload["file_name"],
    "go on": lambda upload: how_to_go_on(upload["path"]) if upload["path"] else "not from here",
}


@app.command("list")
@connected()
def list_(client: Bulklane, *, as_json: AsJson = False) -> None:
    """List the unfinished uploads of the account, with the files of those that were begun here."""
    here = (client.url, client.account().id)
    known = [upload for upload in unfinished.all_unfinished() if (upload.url, upload.account) == here]
    paths = {upload.id: upload.shipment.file for upload in known}
    found = [{**document(upload), "path": paths.get(upload.id)} for upload in client.uploads.list()]
    for gone in paths.keys() - {upload["id"] for upload in found}:  # expired, or finished elsewhere
        unfinished.forget(gone)
    show_list(found, COLUMNS, as_json=as_json)


@app.command(no_args_is_help=True)
@connected()
def cancel(client: Bulklane, upload: UploadId) -> None:
    """Give an upload up: the service deletes its bytes. Nothing of it was applied."""
    client.uploads.cancel(upload)
    unfinished.forget(upload)
    tell(f"cancelled {upload}")
