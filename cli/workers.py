"""`bulklane workers …`: the worker processes and what they are doing."""

from typing import TYPE_CHECKING

import typer

from cli.database import run
from cli.output import AsJson, show_list

if TYPE_CHECKING:
    from schemas.wire.operator import WorkerView
    from storage.postgres.pool import Conn

app = typer.Typer(no_args_is_help=True, help="The worker processes: list.")


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the worker processes, when each gave its last sign of life, and the chunks that it is applying."""
    from api.http.operator_view import worker_view
    from storage.operator import workers

    async def work(conn: "Conn") -> "list[WorkerView]":
        return [worker_view(row) for row in await workers.list_all(conn)]

    columns = {
        "host": lambda worker: worker.host,
        "pid": lambda worker: worker.pid,
        "version": lambda worker: worker.version,
        "started": lambda worker: worker.started_at,
        "seen": lambda worker: worker.seen_at,
        "silent": lambda worker: worker.silent,
        "chunks": lambda worker: len(worker.chunks),
        "job": lambda worker: worker.chunks[0].job_id if worker.chunks else None,
        "account": lambda worker: worker.chunks[0].account_name if worker.chunks else None,
    }
    show_list(run(work), columns, as_json=as_json)
