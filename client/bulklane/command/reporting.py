"""Report what went wrong: one line for each problem on standard error, with its cause and its cure."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

import typer

from bulklane.errors import (
    APIError,
    AuthenticationError,
    BulklaneError,
    ConnectionLost,
    Problem,
    WaitTimeout,
)

if TYPE_CHECKING:
    from rich.console import Console

RETRY_SECONDS = 10.0  # between two lines about the same outage
NOT_DONE = 2  # the exit status of a command that did not do what it was asked for
INTERRUPTED = 130  # that of a program which SIGINT ended, in every shell
# the messages of the service name query parameters, which have options here
IN_THIS_COMMAND = {
    "unknown_columns": "here: --map COLUMN=FIELD, --drop COLUMN or --param unknown_columns=keep",
}

_above: list["Console"] = []  # that of the display, while there is one


def fail(message: str, *, status: int = NOT_DONE) -> typer.Exit:
    """Print the message to stderr; return the exception that ends the command with this exit status."""
    for line in message.splitlines():
        say(f"bulklane: {line}", style="red")
    return typer.Exit(status)


def say(message: str, *, style: str = "") -> None:
    """Print a line to stderr, in colour on a terminal that wants it."""
    from rich.text import Text

    from bulklane.command.output import printable

    error_console().print(Text(printable(message), style), soft_wrap=True)


def error_console() -> "Console":
    """Return the console of stderr. It obeys NO_COLOR, and has no colours in a pipe."""
    from rich.console import Console

    return _above[-1] if _above else Console(file=sys.stderr, highlight=False)


@contextmanager
def told_above(console: "Console") -> Iterator[None]:
    """Print lines through this console while it shows bars, which stay below them."""
    _above.append(console)
    try:
        yield
    finally:
        _above.remove(console)


@contextmanager
def reported(*, status: int = NOT_DONE) -> Iterator[None]:
    """Turn errors into their lines and the exit status."""
    try:
        yield
    except WaitTimeout as error:
        raise fail(f"{error}: see `bulklane jobs watch {error.job.id}`", status=status) from error
    except BulklaneError as error:
        raise fail(explained(error), status=status) from error
    except BrokenPipeError:
        raise  # the reader of our output has left: nobody is interested
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        raise fail(f"{where}{error.strerror or error}", status=status) from error


@contextmanager
def told_of_retries() -> Iterator[None]:
    """Print each repetition of a request that the client announces."""
    handler = _Retries()
    log = logging.getLogger("bulklane")
    before = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.level, log.propagate = before


def explained(error: BulklaneError) -> str:
    """Return the lines of an error of the client: what is wrong, and what to do."""
    match error:
        case AuthenticationError():
            return f"the service refuses the key: {error.message} (run `bulklane login`) [{error.request_id}]"
        case APIError(problems=problems):
            lines = [
                f"{problem.message}{_place(problem)} ({problem.code}) [{problem.request_id}]"
                for problem in problems
            ]
            cures = {IN_THIS_COMMAND[problem.code] for problem in problems if problem.code in IN_THIS_COMMAND}
            return "\n".join([*lines, *cures])
        case ConnectionLost():
            return f"{error} (does the service run, and is the URL right?)"
        case _:
            return str(error)


def _place(problem: Problem) -> str:
    return "" if problem.param in problem.message else f" (at {problem.param})"


class _Retries(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self._last: tuple[str, float] = ("", 0.0)

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message of the client, but not again and again during an outage."""
        cause, said_at = self._last
        now = str((record.args or ("", ""))[-1]) if isinstance(record.args, tuple) else ""
        if now != cause or monotonic() - said_at > RETRY_SECONDS:
            self._last = now, monotonic()
            say(f"bulklane: {record.getMessage()}", style="yellow")
