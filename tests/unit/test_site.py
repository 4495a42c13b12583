"""What the site of the documentation is made of, and the check of its HTML."""

from pathlib import Path

import pytest

from docs.site.check import problems
from docs.site.diagrams import BLOCK, DIAGRAMS, picture_of
from docs.site.llms import write
from docs.site.navigation import sections
from docs.site.stage import DOCS, MADE, REPOSITORY, for_site, pages


def test_the_navigation_has_every_page_once() -> None:
    listed = [place for _, entries in sections() for _, place in entries]
    assert sorted(listed) == sorted([*pages().values(), *MADE]), "add the page to docs/site/zensical.toml"


def test_every_diagram_has_its_pictures() -> None:
    blocks = [block[0] for page in pages() for block in BLOCK.finditer(page.read_text())]
    wanted = {picture_of(block, scheme) for block in blocks for scheme in ("light", "dark")}
    assert set(DIAGRAMS.glob("*.svg")) == wanted, "a diagram was changed: ./run docs --pictures"


def test_every_page_is_listed_for_language_models_with_its_first_sentence(tmp_path: Path) -> None:
    for place in pages().values():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    write(tmp_path)
    listed = (tmp_path / "llms.txt").read_text()
    assert "- [Settings](reference/settings.md): Settings are environment variables.\n" in listed
    assert {place for place in pages().values() if f"]({place}): " not in listed} == set()
    assert "\n# Settings\n" in (tmp_path / "llms-full.txt").read_text()


def test_the_reference_has_what_the_code_has() -> None:
    endpoints, models, commands = (make() for make in MADE.values())
    operation = endpoints.partition("### POST /v1/bulk/lists.overwrite\n")[2].partition("\n### ")[0]
    assert "| `list_id`, required | query | string |" in operation
    assert "[Job](models.md#job)" in operation
    assert "| `email` | string (at most 255 characters) or null |" in models.partition("## ContactItem\n")[2]
    assert "| `--dry-run` | off |" in commands.partition("## bulklane send\n")[2]


def test_links_lead_to_the_places_of_the_site() -> None:
    home = for_site(REPOSITORY / "README.md")
    assert "[quickstart](quickstart.md)" in home
    assert "[changelog](changelog.md)" in home
    assert "(migrate-from/index.md)" in home
    assert "[SECURITY.md](security-policy.md)" in for_site(DOCS / "security.md")
    assert "failpoints]" not in for_site(DOCS / "contributing.md")  # a file of the source becomes its text


def test_a_diagram_is_a_picture_for_each_scheme() -> None:
    text = for_site(DOCS / "design.md")
    assert "```mermaid" not in text
    assert text.count(".svg#only-light)") == text.count(".svg#only-dark)") == 1


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ('<a href="nowhere.html">', "leads to nowhere.html, which does not exist"),
        ('<a href="index.html#no">', "leads to index.html#no: the page has no such heading"),
        ('<img src="nothing.svg">', "leads to nothing.svg, which does not exist"),
        ('<script src="https://example.com/x.js">', "loads https://example.com/x.js"),
        ('<link rel="stylesheet" href="//example.com/x.css">', "loads //example.com/x.css"),
    ],
)
def test_the_check_of_the_site_finds(tmp_path: Path, html: str, problem: str) -> None:
    (tmp_path / "index.html").write_text(f'<h1 id="yes">Yes</h1><a href="index.html#yes">{html}')
    assert problems(tmp_path) == [f"index.html {problem}"]


def test_the_check_of_the_site_finds_a_style_that_loads_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "site.css").write_text("@font-face { src: url('https://example.com/font.woff2') }")
    assert problems(tmp_path) == ["site.css loads https://example.com/font.woff2"]
