"""Build the site into build/site, and refuse it if anything is wrong with it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from docs.site import llms
from docs.site.check import problems, unlisted
from docs.site.navigation import CONFIGURATION
from docs.site.stage import REPOSITORY, stage

ZENSICAL = REPOSITORY / ".venv" / "tools" / "bin" / "zensical"
BUILD = REPOSITORY / "build"
SITE = BUILD / "site"
# Zensical puts this into every page that can be opened from the file system, where it makes the search work.
SHIM = "https://unpkg.com/iframe-worker/shim"

COLOUR = re.compile(r"\x1b\[[\d;]*m")


class BuildError(Exception):
    """The site is not right; the message has a line for each problem."""


def build() -> Path:
    """Build the site; return its folder.

    Raises BuildError if the generator warns, or if a link, an anchor or a picture leads to nothing.
    """
    BUILD.mkdir(exist_ok=True)
    stage(BUILD / "pages")
    shutil.copyfile(CONFIGURATION, BUILD / CONFIGURATION.name)
    shutil.rmtree(SITE, ignore_errors=True)
    _generate()
    llms.write(SITE)
    found = [*problems(SITE), *unlisted()]
    if found:
        raise BuildError("\n".join(found))
    return SITE


def _generate() -> None:
    command: list[str | Path] = [
        ZENSICAL,
        "build",
        "--strict",
        "--clean",
        "--config-file",
        BUILD / CONFIGURATION.name,
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode or "No issues found" not in done.stdout:
        warnings = COLOUR.sub("", done.stdout).partition("Traceback")[0]
        raise BuildError(f"{warnings.strip()}\nzensical ended with {done.returncode}")
    for page in SITE.rglob("*.html"):
        place = "../" * (len(page.relative_to(SITE).parts) - 1) + "assets/iframe-worker.js"
        page.write_text(page.read_text().replace(SHIM, place))


def main() -> None:
    """Build the site for a command; exit with 1 and the problems if there are any."""
    try:
        print(f"{build().relative_to(REPOSITORY)}/index.html")
    except BuildError as error:
        sys.exit(f"docs: {error}")
