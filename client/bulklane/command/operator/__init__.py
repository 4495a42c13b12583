"""`bulklane operator …`: the commands of the person who runs the service, over HTTP."""

import typer

from bulklane.command.operator import accounts, health, jobs, keys

EXAMPLES = """
[bold]Examples[/]

  $ bulklane login --operator --url https://bulklane.example.com < op.key
  $ bulklane operator accounts create acme --region IN
  $ bulklane operator keys create acme --name ci
  $ bulklane operator jobs list --state running
"""
app = typer.Typer(
    no_args_is_help=True,
    epilog=EXAMPLES,
    help="For the person who runs the service: all accounts, keys and jobs. Needs the key of the operator.",
)
app.add_typer(accounts.app, name="accounts")
app.add_typer(keys.app, name="keys")
app.add_typer(jobs.app, name="jobs")
app.command("workers")(health.workers)
app.command("queue")(health.queue)
app.command("health")(health.health)
app.command("slow")(health.slow)
