"""The command itself: its groups, those that other packages add, and how it ends."""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import Annotated

import typer

from bulklane.command import contacts, jobs, login, own_keys, resources, webhooks
from bulklane.command.operator import app as operator_app
from bulklane.command.reporting import INTERRUPTED, NOT_DONE, fail, say
from bulklane.command.sending import send, uploads

GROUP = "bulklane.commands"  # entry points: functions that add their commands to the app
DISTRIBUTIONS = ("bulklane-client", "bulklane")  # the second one is the service, where that is installed
DEBUG_VARIABLE = "BULKLANE_DEBUG"

app = typer.Typer(
    name="bulklane",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
)


def run(words: Sequence[str] | None = None) -> int:
    """Run the command with these words, or those of the process; return the exit status.

    What is wrong is one line on stderr, never a traceback.
    """
    try:
        status = app(words, prog_name="bulklane", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except typer.Abort:  # Ctrl-C at a question
        return INTERRUPTED
    except typer.TyperException as error:
        return _wrong_use(error)
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        what = f"{type(error).__name__}: {error}"
        return fail(f"this is a bug: {what} ({DEBUG_VARIABLE}=1 shows where)").exit_code
    finally:
        _flush()


def _wrong_use(error: typer.TyperException) -> int:
    """Say what is wrong with the words; return the exit status."""
    if type(error).__name__ == "NoArgsIsHelpError":  # has printed the help
        return NOT_DONE
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "bulklane"
    message = " ".join(error.format_message().split()).rstrip(".")
    return fail(f"{message}: see `{path} --help`", status=error.exit_code).exit_code


def _flush() -> None:
    """Write what is left, now: at the exit of Python, a reader that has left would be a traceback."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _join() -> None:
    """Add the commands of other distributions, such as those of the service where it is installed."""
    for entry in entry_points(group=GROUP):
        try:
            entry.load()(app)
        except Exception as error:  # the commands here must work all the same
            say(f"bulklane: the commands of {entry.value} are missing: {error}", style="yellow")


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    for name in DISTRIBUTIONS:
        try:
            typer.echo(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    raise typer.Exit


@app.callback()
def bulklane(
    *,
    _: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Send files of contacts to Bulklane, and follow their jobs.

    Begin with `bulklane login`; a service that runs in this folder (./run) needs none.
    """


app.command("login", epilog=login.EXAMPLES)(login.login)
app.command("logout")(login.logout)
app.command("profiles")(login.show_profiles)
app.command("send", epilog=send.EXAMPLES, no_args_is_help=True)(send.send)
app.add_typer(uploads.app, name="uploads")
app.add_typer(jobs.app, name="jobs")
app.add_typer(contacts.app, name="contacts")
app.add_typer(resources.lists, name="lists")
app.add_typer(resources.labels, name="labels")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(own_keys.app, name="own-keys")
app.add_typer(operator_app, name="operator")
_join()
