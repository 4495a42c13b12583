"""`bulklane operator jobs …`: the jobs of all accounts."""

from typing import Annotated

import typer

from bulklane.command.completion import complete_operation, complete_state
from bulklane.command.jobs import COLUMNS, DETAILS, Limit
from bulklane.command.operator.api import OperatorApi, administered
from bulklane.command.output import AsJson, Columns, print_json, show_list, show_one, tell

app = typer.Typer(no_args_is_help=True, help="The jobs of all accounts: list, show, cancel.")

AnyJob = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.", show_default=False)]
WITH_ACCOUNT: Columns = {"id": "id", "account": "account_name"}


@app.command("list")
@administered
def list_(
    api: OperatorApi,
    *,
    account: Annotated[
        str | None, typer.Option(help="Only jobs of this account.", show_default=False)
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(help="Only jobs in this state.", autocompletion=complete_state, show_default=False),
    ] = None,
    operation: Annotated[
        str | None,
        typer.Option(help="Only this operation.", autocompletion=complete_operation, show_default=False),
    ] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs: those of all accounts that have not ended, then the newest; or the newest of one account."""
    found = api.list("jobs", limit=limit, account=account, state=state, operation=operation)
    show_list(list(found), {**WITH_ACCOUNT, **COLUMNS}, as_json=as_json)


@app.command(no_args_is_help=True)
@administered
def show(api: OperatorApi, job: AnyJob, *, as_json: AsJson = False) -> None:
    """Show a job."""
    show_one(api.get("jobs", job), {**WITH_ACCOUNT, **DETAILS}, as_json=as_json)


@app.command(no_args_is_help=True)
@administered
def cancel(api: OperatorApi, job: AnyJob, *, as_json: AsJson = False) -> None:
    """Cancel what is not applied yet of a job. A worker ends it; applied rows and their results are kept."""
    found = api.send("POST", "jobs", job, "cancel", repeatable=True)
    if as_json:
        print_json(found)
    else:
        tell(f"cancelled {found['id']} of {found['account_name']}: its state is {found['state']}")
