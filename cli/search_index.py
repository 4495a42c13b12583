"""`bulklane search-index …`: the index of `GET /v1/contacts?search=`."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import typer

from cli.database import fail, run

if TYPE_CHECKING:
    from storage.postgres.pool import Conn

app = typer.Typer(no_args_is_help=True, help="The index of the search for contacts: on, off, status.")


@app.command()
def on() -> None:
    """Build the index, while the service runs. A search in a large account is fast, a load is slower."""
    from storage.entities import contact_search

    _change(contact_search.switch_index_on)
    typer.echo("the search uses the index")


@app.command()
def off() -> None:
    """Drop the index, while the service runs. A search reads the contacts of the account."""
    from storage.entities import contact_search

    _change(contact_search.switch_index_off)
    typer.echo("there is no index")


@app.command()
def status() -> None:
    """Print whether there is an index, and its size."""
    from storage.entities import contact_search

    state = run(contact_search.index_state)
    if state is None:
        typer.echo("off")
    elif state.valid:
        typer.echo(f"on, {state.bytes / 2**20:,.0f} MiB")
    else:
        typer.echo("not complete: it is being built, or `bulklane search-index on` has to be repeated")


def _change(work: "Callable[[Conn], Awaitable[None]]") -> None:
    from storage.entities.contact_search import IndexRefused

    try:
        run(work)
    except IndexRefused as error:
        raise fail(f"the index is not changed: {error}") from error
