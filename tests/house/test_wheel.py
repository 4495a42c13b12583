"""A wheel of the service has what the repository has: it runs where there is no clone."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from embedded.supervisor.sample import FILE

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "cli", "embedded", "schemas", "storage", "worker")
SHARED = ("Procfile", FILE.relative_to(ROOT).as_posix())  # which `bulklane serve` reads


def test_a_wheel_has_all_files_of_the_packages_and_those_that_serve_reads(tmp_path: Path) -> None:
    source = tmp_path / "source"  # a build leaves files beside the source
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE", *SHARED):
        (source / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, source / file)
    wanted = {path.relative_to(source).as_posix() for path in source.glob("*/**/*") if path.is_file()}

    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, source], check=True)

    (wheel,) = tmp_path.glob("*.whl")
    data = f"{'-'.join(wheel.name.split('-')[:2])}.data/data/share/bulklane/"
    built = {name.removeprefix(data) for name in zipfile.ZipFile(wheel).namelist()}
    assert wanted | set(SHARED) <= built
