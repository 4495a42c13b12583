"""Run the command: in this process, which is quick, or as the console script."""

import io
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

from bulklane.command.app import run
from tests.acceptance.service import BIN, Service, environment


@dataclass(frozen=True, kw_only=True)
class Called:
    """What a command has printed, and its exit status."""

    out: str
    err: str
    status: int


class Caller:
    """Calls commands in this process, with the environment of a user."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = variables

    def call(self, *words: str, given: str = "") -> Called:
        """Run a command with this standard input."""
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, self._variables, clear=True),
            patch("sys.stdin", io.TextIOWrapper(io.BytesIO(given.encode()))),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            status = run(words)
        return Called(out=out.getvalue(), err=err.getvalue(), status=status)

    def text(self, *words: str, status: int = 0) -> str:
        """Return what a command prints, on stdout or, if it fails, on stderr."""
        called = self.call(*words)
        assert called.status == status, called
        return called.err if status > 1 else called.out

    def read(self, *words: str, status: int = 0) -> Any:
        """Return the document that a command prints with --json; there is nothing else on stdout."""
        called = self.call(*words, "--json")
        assert called.status == status, called
        return json.loads(called.out)


def caller_of(service: Service, **variables: str) -> Caller:
    """Return a caller that finds a service as in its folder."""
    return Caller(environment(service.home, **variables))


def start(service: Service, *words: str, **options: Any) -> "subprocess.Popen[bytes]":
    """Start the console script, which hears Ctrl-C also where the tests run in the background, and do not."""
    return subprocess.Popen(
        [BIN / "bulklane", *words],
        env=environment(service.home),
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - it calls one function
        **options,
    )


@contextmanager
def ended(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Kill a process that a failed test has left."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
