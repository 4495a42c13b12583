"""Copy the pages of docs/, README.md and two more into a folder, changed for the site.

The pages are written for people who read them as files, such as on GitHub. For the site,

- a link leads to the place of its target there; a link to a file of the source becomes its text;
- blocks between `<!-- tabs -->` and `<!-- end tabs -->`, each below a line such as `**curl**`, become tabs;
- a `<picture>` with a form for light and one for dark becomes both of them, each shown in its scheme;
- a diagram (```mermaid) becomes the pictures that `diagrams.py` has drawn of it.

Some pages of the reference are only there: they are made from the code.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from docs.site.api_reference import ENDPOINTS, MODELS, endpoints, models
from docs.site.command_reference import COMMANDS, commands
from docs.site.diagrams import BLOCK, picture_of

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
ELSEWHERE = {
    REPOSITORY / "README.md": "index.md",
    REPOSITORY / "CHANGELOG.md": "changelog.md",
    REPOSITORY / "SECURITY.md": "security-policy.md",
    DOCS / "README.md": "contents.md",
}
ASSETS = {
    DOCS / "site" / "site.css": "assets/site.css",
    DOCS / "site" / "iframe-worker.js": "assets/iframe-worker.js",
    REPOSITORY / "api" / "html" / "assets" / "icon.svg": "assets/icon.svg",
}
MADE = {ENDPOINTS: endpoints, MODELS: models, COMMANDS: commands}
PICTURES = {".svg", ".webp"}

FENCE = re.compile(r"^ *```.*?^ *```$\n?", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")
TABS = re.compile(r"^<!-- tabs -->\n(.*?)^<!-- end tabs -->$", re.MULTILINE | re.DOTALL)
LABEL = re.compile(r"^\*\*(.+)\*\*\n", re.MULTILINE)
PICTURE = re.compile(r'<picture>.*?<img alt="([^"]*)" src="([^"]*)-light\.(\w+)".*?</picture>', re.DOTALL)


def stage(folder: Path) -> None:
    """Write all pages and pictures into the folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    for page, place in pages().items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(for_site(page))
    for place, make in MADE.items():
        (folder / place).write_text(make())
    for file, place in (ASSETS | _pictures()).items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / place)


def pages() -> dict[Path, str]:
    """Map each page to its place in the site."""
    files = (page for page in sorted(DOCS.rglob("*.md")) if page not in ELSEWHERE)
    return ELSEWHERE | {
        page: page.relative_to(DOCS).as_posix().replace("README.md", "index.md") for page in files
    }


def for_site(page: Path) -> str:
    """Return the text of a page with the tabs, pictures and links of the site."""
    text = with_links(page)
    text = BLOCK.sub(lambda block: _diagram(page, block[0]), text)
    text = PICTURE.sub(lambda picture: _picture(page, picture), text)
    return TABS.sub(lambda tabs: _tabs(tabs[1]), text)


def with_links(page: Path) -> str:
    """Return the text of a page, its links leading to the places of their targets in the site."""
    places = pages() | _pictures()
    return "".join(
        text if is_block else LINK.sub(lambda link: _link(page, link, places), text)
        for is_block, text in _pieces(page.read_text())
    )


def _pieces(text: str) -> Iterator[tuple[bool, str]]:
    """Yield the text between fenced blocks with False, and the blocks with True."""
    at = 0
    for block in FENCE.finditer(text):
        yield False, text[at : block.start()]
        yield True, block[0]
        at = block.end()
    yield False, text[at:]


def _link(page: Path, link: re.Match[str], places: dict[Path, str]) -> str:
    mark, text, target, anchor = link[1], link[2], link[3], link[4] or ""
    path = (page.parent / target).resolve()
    place = places.get(path / "README.md" if path.is_dir() else path)
    if place is not None:
        return f"{mark}[{text}]({_from(page, place)}{anchor})"
    return text if path.exists() else link[0]  # a link to nothing stays, so that it is found


def _from(page: Path, place: str) -> str:
    """Return a place in the site as a page of the site names it."""
    return os.path.relpath(place, Path(pages()[page]).parent)


def _diagram(page: Path, block: str) -> str:
    light, dark = (_pictures()[picture_of(block, scheme)] for scheme in ("light", "dark"))
    return _both("Diagram", _from(page, light), _from(page, dark))


def _picture(page: Path, picture: re.Match[str]) -> str:
    files = ((page.parent / f"{picture[2]}-{scheme}.{picture[3]}").resolve() for scheme in ("light", "dark"))
    light, dark = (_from(page, _pictures()[file]) for file in files)
    return _both(picture[1], light, dark)


def _both(alt: str, light: str, dark: str) -> str:
    """Return a picture in two forms, of which the page shows the one that fits its scheme."""
    return f"![{alt}]({light}#only-light)\n![{alt}]({dark}#only-dark)\n"


def _tabs(blocks: str) -> str:
    """Return blocks below labels as tabs: `=== "label"`, and the block moved to the right."""
    _, *parts = LABEL.split(blocks)
    return "\n".join(
        f'=== "{label}"\n' + re.sub(r"(?m)^(?=.)", "    ", text)
        for label, text in zip(parts[::2], parts[1::2], strict=True)
    )


def _pictures() -> dict[Path, str]:
    """Map each picture of docs/ to its place in the site."""
    files = (file for file in sorted(DOCS.rglob("*")) if file.suffix in PICTURES)
    return {file: file.relative_to(DOCS).as_posix() for file in files}
