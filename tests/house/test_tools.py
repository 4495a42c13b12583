"""The checks are defined in `run`; other files that name them agree with it."""

import re

from tests.house.source import REPOSITORY

RUN = (REPOSITORY / "run").read_text()


def test_pre_commit_runs_what_run_check_runs() -> None:
    [steps] = re.findall(r"\|\| set -- ([a-z ]+)$", RUN, re.MULTILINE)
    hooks = (REPOSITORY / ".pre-commit-config.yaml").read_text()
    hooked = re.findall(r"entry: \./run check (\w+)", hooks)
    assert hooked == steps.split(), "hooks and steps of check() differ; give each step a hook"


def test_the_version_is_stated_once() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text()
    [version] = re.findall(r'^version = "(.+)"$', project, re.MULTILINE)
    repeated = [
        str(path.relative_to(REPOSITORY))
        for folder in ("api", "cli", "embedded", "schemas", "storage", "worker")
        for path in (REPOSITORY / folder).rglob("*.py")
        if f'"{version}"' in path.read_text()
    ]
    assert not repeated, (
        f"files repeat the version; read it with importlib.metadata.version('bulklane'): {repeated}"
    )
