"""Fixtures: a home for embedded servers."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.servers import Home
from tests.integration.embedded_home import make_home

MEMORY = Path("/dev/shm")  # a disk takes most of the time of these tests


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a folder that any user can enter. Servers of root run as `nobody`, which cannot enter tmp_path."""
    path = Path(tempfile.mkdtemp(prefix="bulklane-", dir=MEMORY if MEMORY.is_dir() else None))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def scratch(folder: Path) -> Home:
    return make_home(folder / "home")
