"""The files of pinned packages fit pyproject.toml, and pin every package with hashes."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = {"requirements.txt": (), "requirements-dev.txt": ("dev",)}


def pinned(file: str) -> dict[str, str]:
    """Return the version of each package by its name."""
    blocks = re.split(r"(?m)^(?=\S)", (ROOT / file).read_text())
    versions: dict[str, str] = {}
    for block in filter(str.strip, blocks):
        requirement = Requirement(block.partition("\\")[0])
        assert "--hash=sha256:" in block, f"{requirement.name} in {file} has no hash: run ./run lock"
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", f"{requirement} in {file} is not pinned: run ./run lock"
        versions[canonicalize_name(requirement.name)] = specifier.version
    return versions


@pytest.mark.parametrize("file", EXTRAS)
def test_every_dependency_is_pinned_with_hashes(file: str) -> None:
    versions = pinned(file)
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    for extra in EXTRAS[file]:
        wanted += PROJECT["project"]["optional-dependencies"][extra]
    for text in wanted:
        requirement = Requirement(text)
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{text} is not in {file}: run ./run lock"
        assert requirement.specifier.contains(version), f"{text} does not allow {version}: run ./run lock"


def test_both_files_pin_the_same_versions() -> None:
    runtime, dev = (pinned(file) for file in EXTRAS)
    assert runtime.items() <= dev.items()
