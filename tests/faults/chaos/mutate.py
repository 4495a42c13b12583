"""`./run chaos --mutate`: remove one guard at a time, and show which test turns red."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.chaos.guards.mutation import Mutation

REPOSITORY = Path(__file__).parents[3]
NOT_COPIED = shutil.ignore_patterns(".venv", ".git", ".*_cache", "__pycache__", ".hypothesis", ".bulklane")
TEST_SECONDS = 900.0
FAILED = re.compile(r"^FAILED \S*?([^/\s]+\.py)::(.+?)(?: - |$)", re.MULTILINE)
TESTS_FAILED = 1  # pytest's exit status


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happened without a guard. `red` is the first test that failed, or None."""

    mutation: Mutation
    red: str | None
    problem: str = ""


def mutate(mutations: Iterable[Mutation], say: Callable[[str], None]) -> list[Verdict]:
    """Remove each guard in a copy of the tree and run its tests there. `say` gets a line for each."""
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="bulklane-mutate-") as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(REPOSITORY, copy, ignore=NOT_COPIED)
        for mutation in mutations:
            verdict = _try(copy, mutation)
            verdicts.append(verdict)
            say(f"{'red ' if verdict.red else 'GREEN'}  {mutation.guard}: {verdict.red or verdict.problem}")
    return verdicts


def table(verdicts: Iterable[Verdict]) -> list[str]:
    """Return the table of guards and tests, in Markdown."""
    rows = (
        f"| {it.mutation.promise} | {it.mutation.guard} | {f'`{it.red}`' if it.red else it.problem} |"
        for it in verdicts
    )
    return ["| promise | guard | the test that turns red without it |", "|---|---|---|", *rows]


def _try(copy: Path, mutation: Mutation) -> Verdict:
    path = copy / mutation.file
    text = path.read_text()
    if (found := text.count(mutation.text)) != mutation.times:
        return Verdict(mutation, None, f"{mutation.file} has the text of the guard {found} times: update it")
    path.write_text(text.replace(mutation.text, mutation.instead))
    try:
        return _run(copy, mutation)
    finally:
        path.write_text(text)


def _run(copy: Path, mutation: Mutation) -> Verdict:
    """Run the tests of a guard until the first fails. They run in the copy, with all processes."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *mutation.tests]
    env = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=copy, env=env, capture_output=True, text=True, timeout=TEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return Verdict(mutation, None, f"the tests did not end in {TEST_SECONDS:g} s")
    if done.returncode == 0:
        return Verdict(mutation, None, "nothing notices")
    if done.returncode == TESTS_FAILED and (found := FAILED.search(done.stdout)):
        return Verdict(mutation, f"{found[1]}::{found[2]}")
    return Verdict(mutation, None, "the tests cannot run: " + " ".join(done.stdout.split()[-30:]))
