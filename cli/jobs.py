"""`bulklane jobs …`: the jobs of all accounts."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.accounts import unknown_account
from cli.database import fail, run, run_in_pool
from cli.output import AsJson, show_list, show_one

if TYPE_CHECKING:
    from schemas.wire.operator import OperatorJob
    from storage.operator.all_jobs import JobKey, OwnedJob
    from storage.postgres.pool import Conn, Pool

app = typer.Typer(no_args_is_help=True, help="The jobs of all accounts: list, show, cancel.")

JobName = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.", show_default=False)]
COLUMNS: dict[str, Any] = {
    "id": lambda job: job.id,
    "account": lambda job: job.account_name,
    "operation": lambda job: job.operation,
    "name": lambda job: job.name,
    "state": lambda job: job.state.value,
    "total": lambda job: job.total,
    "pending": lambda job: job.counts.pending,
    "failed": lambda job: job.counts.failed,
    "received": lambda job: job.received_at,
    "finished": lambda job: job.finished_at,
}
DETAILS: dict[str, Any] = {
    **COLUMNS,
    **{
        name: lambda job, name=name: getattr(job.counts, name)
        for name in ("created", "updated", "unchanged", "merged", "skipped", "cancelled")
    },
    "tags": lambda job: ", ".join(job.tags),
    "dry run": lambda job: job.dry_run,
    "position": lambda job: job.position,
    "throttled until": lambda job: job.throttled_until,
    "error": lambda job: f"{job.error.code}: {job.error.message}" if job.error else None,
    "request": lambda job: job.request_id,
}


@app.command("list")
def list_(
    *,
    account: Annotated[str | None, typer.Option(help="Only jobs of this account.")] = None,
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The largest number of jobs.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs: those of all accounts that have not ended, then the newest; or the newest of one account."""
    from api.http.operator_view import operator_job_view
    from schemas.states import JobState
    from storage.entities import accounts
    from storage.operator import all_jobs
    from storage.operator.all_jobs import JobKey
    from storage.pipeline import job_search
    from storage.pipeline.job_search import JobFilter

    if state is not None and state not in list(JobState):
        raise fail(f"{state!r} is not a state: use one of {', '.join(JobState)}")
    states = [JobState(state)] if state else list(JobState)

    async def work(conn: "Conn") -> "list[OwnedJob]":
        if account is None:
            keys = [place.key for place in await all_jobs.newest(conn, states=states, size=limit)]
        else:
            owner = await accounts.by_name(conn, account)
            if owner is None:
                raise unknown_account(account)
            wanted = JobFilter(states=(JobState(state),) if state else ())
            ids = await job_search.page(conn, owner.id, wanted, size=limit)
            keys = [JobKey(owner.id, job_id) for job_id in ids]
        return await all_jobs.views(conn, keys)

    show_list([operator_job_view(row) for row in run(work)], COLUMNS, as_json=as_json)


@app.command()
def show(job: JobName, *, as_json: AsJson = False) -> None:
    """Show a job."""

    async def work(conn: "Conn") -> "OperatorJob":
        return await _view(conn, await _find(conn, job))

    show_one(run(work), DETAILS, as_json=as_json)


@app.command()
def cancel(job: JobName, *, as_json: AsJson = False) -> None:
    """Cancel what is not applied yet of a job. A worker ends it; applied items and their results are kept."""
    from storage.pipeline import cancellation

    async def work(pool: "Pool") -> "tuple[bool, OperatorJob]":
        key = await _find(pool, job)
        standing = await cancellation.cancel(pool, key.account_id, key.job_id)
        return standing is not None and standing.state.ended, await _view(pool, key)

    had_ended, view = run_in_pool(work)
    if had_ended and view.state != "cancelled":
        raise fail(f"the job has ended as {view.state.value}: there is nothing to cancel")
    if as_json:
        typer.echo(view.model_dump_json())
    else:
        typer.echo(f"cancelled {view.id} of {view.account_name}: its state is {view.state.value}")


async def _find(db: "Conn | Pool", text: str) -> "JobKey":
    """Return the job that the text names. Ends the command if there is none."""
    from schemas.ids import read_job_id
    from storage.operator import all_jobs
    from storage.operator.all_jobs import JobKey

    job_id = read_job_id(text)
    account_id = await all_jobs.account_of(db, job_id) if job_id else None
    if job_id is None or account_id is None:
        raise fail(f"there is no job {text!r}: see `bulklane jobs list`")
    return JobKey(account_id, job_id)


async def _view(db: "Conn | Pool", key: "JobKey") -> "OperatorJob":
    from api.http.operator_view import operator_job_view
    from storage.operator import all_jobs

    (owned,) = await all_jobs.views(db, [key])
    return operator_job_view(owned)
