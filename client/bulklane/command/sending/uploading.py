"""Upload a file so that a cut, a killed api or a closed terminal costs at most its last MiB."""

import os
import shlex
import sys
from contextlib import suppress
from dataclasses import replace
from typing import Any

from bulklane._sync.client import Bulklane
from bulklane._sync.job import Job
from bulklane._sync.upload import Upload
from bulklane.command.progress import Display, share
from bulklane.command.reporting import INTERRUPTED, explained, fail, say
from bulklane.command.sending import unfinished
from bulklane.command.sending.shipment import STDIN, Shipment
from bulklane.command.sending.unfinished import Unfinished
from bulklane.errors import (
    APIError,
    BulklaneError,
    ConfigurationError,
    ConnectionLost,
    NotFoundError,
    SourceError,
)

UNKNOWN = "unknown_upload"  # the code of the service; a proxy may answer 404, too
OF_PROXIES = "http_"  # how the code begins where the response has none


def ship(client: Bulklane, shipment: Shipment, display: Display, *, restart: bool) -> Job:
    """Send a file, or go on where an interrupted command has left it; return the job."""
    if shipment.file == STDIN:
        return _send_once(client, shipment, display)
    shipment = replace(shipment, file=os.path.abspath(shipment.file))
    account = client.account().id
    if not restart and (found := unfinished.same_as(client.url, account, shipment)):
        with unfinished.held(found.id):
            if upload := _found_again(client, found):
                return _send(upload, found, display)
    upload = client.uploads.create(shipment.file, **_arguments(shipment))
    begun = unfinished.begun(upload.id, client.url, account, shipment)
    unfinished.remember(begun)
    say(f"{shipment.name} goes to {client.url}")
    with unfinished.held(begun.id):
        return _send(upload, begun, display)


def go_on(client: Bulklane, found: Unfinished, display: Display) -> Job:
    """Go on with an upload. Ends the command if the service or the file does not have it any more."""
    with unfinished.held(found.id):
        if upload := _found_again(client, found):
            return _send(upload, found, display)
    raise fail(f"send it anew: bulklane send {shlex.quote(str(found.path))}")


def how_to_go_on(file: str) -> str:
    """Return the command that goes on with the upload of a file."""
    return f"bulklane send --resume {shlex.quote(file)}"


def _found_again(client: Bulklane, found: Unfinished) -> Upload | None:
    """Return an upload that was begun before. None, after a line: there is nothing to go on with."""
    shipment = found.shipment
    try:
        upload = client.uploads.resume(
            found.id, shipment.file, format=shipment.format, charset=shipment.charset
        )
    except NotFoundError as error:
        if error.code != UNKNOWN:
            raise
        say(f"the upload {found.id} has expired, or was cancelled")
    except SourceError as error:  # nobody has the rest of its bytes any more
        say(f"the upload {found.id} cannot go on, and is cancelled: {error}")
        with suppress(NotFoundError):
            client.uploads.cancel(found.id)
    else:
        say(f"{shipment.name} goes on to {client.url}: {share(upload.offset, upload.length)} are there")
        return upload
    unfinished.forget(found.id)
    return None


def _send(upload: Upload, begun: Unfinished, display: Display) -> Job:
    """Send what is left. What can be continued is kept, and the command says how."""
    try:
        job = upload.send(display.sent)
    except KeyboardInterrupt:
        raise fail(f"stopped. {_where_it_stands(upload, begun)}", status=INTERRUPTED) from None
    except BulklaneError as error:
        if not _may_go_on(error):
            if isinstance(error, SourceError):  # nobody has the rest of its bytes any more
                with suppress(BulklaneError):
                    upload.cancel()
            unfinished.forget(begun.id)
            raise
        raise fail(f"{explained(error)}\n{_where_it_stands(upload, begun)}") from error
    unfinished.forget(begun.id)
    display.sent(upload.offset, upload.length)
    return job


def _send_once(client: Bulklane, shipment: Shipment, display: Display) -> Job:
    """Send standard input, which survives cuts, but not the end of this process."""
    say(f"{shipment.name} goes to {client.url}")
    upload = client.uploads.create(sys.stdin.buffer, **_arguments(shipment))
    try:
        job = upload.send(display.sent)
    except KeyboardInterrupt:
        raise fail(_give_up(client, upload), status=INTERRUPTED) from None
    display.sent(upload.offset, upload.length)
    return job


def _give_up(client: Bulklane, upload: Upload) -> str:
    """Cancel an upload whose bytes nobody has any more; return what became of it."""
    try:
        if any(one.id == upload.id for one in client.uploads.list()):
            upload.cancel()
            return "stopped: nothing was applied"
    except (BulklaneError, KeyboardInterrupt):
        return "stopped, but the service may have made a job of it: see `bulklane jobs list`"
    return "stopped, but its job was accepted, and goes on: see `bulklane jobs list`"


def _may_go_on(error: BulklaneError) -> bool:
    """Return whether a later attempt may succeed: unless the service itself has ended the upload."""
    match error:
        case ConnectionLost() | ConfigurationError():  # another server has answered, such as that of a hotel
            return True
        case APIError(status=status, code=code):
            return status in {401, 403, 408, 429} or status >= 500 or code.startswith(OF_PROXIES)
        case _:
            return False


def _where_it_stands(upload: Upload, begun: Unfinished) -> str:
    there = share(upload.offset, upload.length)
    return f"{there} are there; go on with: {how_to_go_on(begun.shipment.file)}"


def _arguments(shipment: Shipment) -> Any:
    """Return the arguments of `uploads.create`."""
    return {
        "operation": shipment.operation,
        "columns": shipment.columns,
        "format": shipment.format,
        "charset": shipment.charset,
        **shipment.parameters,
    }
