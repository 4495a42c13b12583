"""The Procfile is read as honcho reads it, and errors in it are explained."""

from pathlib import Path

import pytest

from embedded.supervisor.commands import read_procfile
from embedded.supervisor.options import REPOSITORY, SupervisorError


def test_the_repositorys_procfile_names_release_api_and_worker() -> None:
    lines = read_procfile(REPOSITORY / "Procfile")

    assert (lines.release, lines.api, lines.worker) == (
        "bulklane migrate",
        "python -m api",
        "python -m worker",
    )


def test_comments_and_other_processes_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "Procfile"
    path.write_text("# ours\nrelease: r\napi: a --x 'y z'\n\nworker:   w\nclock: c\n")

    lines = read_procfile(path)

    assert (lines.release, lines.api, lines.worker) == ("r", "a --x 'y z'", "w")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("api: a\nworker: w\n", "no line `release: …`"),
        ("release: r\n", "`api: …`, `worker: …`"),
        ("release: r\napi: a\napi: b\nworker: w\n", "unique"),
    ],
)
def test_an_invalid_procfile_is_explained(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "Procfile"
    path.write_text(text)

    with pytest.raises(SupervisorError, match=message):
        read_procfile(path)


def test_a_missing_procfile_is_explained(tmp_path: Path) -> None:
    with pytest.raises(SupervisorError, match="No such file"):
        read_procfile(tmp_path / "Procfile")
