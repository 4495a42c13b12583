"""`bulklane workers …`: the worker processes and what they are doing."""

from typing import TYPE_CHECKING

import typer

from bulklane.command.operator.account_fields import WORKER_COLUMNS
from bulklane.command.output import AsJson, Document, show_list
from cli.database import run

if TYPE_CHECKING:
    from storage.postgres.pool import Conn

app = typer.Typer(no_args_is_help=True, help="The worker processes: list.")


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the worker processes, when each gave its last sign of life, and the chunks that it is applying."""
    from api.http.operator_view import worker_view
    from storage.operator import workers

    async def work(conn: "Conn") -> list[Document]:
        return [worker_view(row).model_dump(mode="json") for row in await workers.list_all(conn)]

    show_list(run(work), WORKER_COLUMNS, as_json=as_json)
