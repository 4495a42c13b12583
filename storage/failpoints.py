"""Failpoints: named steps at which a test stops, kills or fails this process. Inert in production.

A test sets the environment variable BULKLANE_FAILPOINTS to a folder. To arm a failpoint it writes a file
with the name of the step into the folder. The first process that reaches the step takes the file by renaming
it to `<step>.<pid>`: an armed failpoint acts once, in one process, which the test sees. The text of the
file is the action:

    kill               the process kills itself with SIGKILL
    stop               the process stops itself with SIGSTOP, until the test sends SIGCONT
    fail               `reach` raises FailpointError, a RuntimeError
    fail lost          `reach` raises ConnectionError, as a lost connection would
    … if <text>        only if the detail of the step contains the text. The file stays, and acts every time.
    … once if <text>   only if the detail contains the text. Acts once.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

VARIABLE = "BULKLANE_FAILPOINTS"
FOLDER = Path(os.environ[VARIABLE]) if VARIABLE in os.environ else None


class FailpointError(RuntimeError):
    """An armed failpoint has failed a step."""


def is_armed(step: str) -> bool:
    """Return whether a step is armed, for a step whose detail takes time to make."""
    return FOLDER is not None and (FOLDER / step).exists()


def reach(step: str, detail: str = "") -> None:
    """Do what is armed for this step. Without a folder of failpoints this returns at once.

    `detail` describes the work at hand. Raises FailpointError or ConnectionError if armed with `fail`.
    """
    if FOLDER is not None:
        _reach(FOLDER / step, detail)


def _reach(armed: Path, detail: str) -> None:
    with suppress(FileNotFoundError):
        action, _, wanted = armed.read_text().strip().partition(" if ")
        if wanted not in detail:
            return
        if not wanted or action.endswith(" once"):
            armed.rename(f"{armed}.{os.getpid()}")
        _act(action.removesuffix(" once"), armed.name)


def _act(action: str, step: str) -> None:
    match action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "fail":
            raise FailpointError(f"the failpoint {step} is armed")
        case "fail lost":
            raise ConnectionError(f"the failpoint {step} is armed")
        case _:
            raise ValueError(f"the failpoint {step} has the unknown action {action!r}")
