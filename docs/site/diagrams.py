"""Draw the diagrams of the pages (```mermaid) as pictures, so that the site needs no script for them.

GitHub draws these blocks itself. A picture has the hash of its block in its name: a block that was changed
has no picture, and the site is not built until `./run docs --pictures` has drawn it.
"""

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Page  # one of the dev packages, which a build of the site does not need

DOCS = Path(__file__).parents[1]
DIAGRAMS = DOCS / "pictures" / "diagrams"
MERMAID = DOCS.parent / ".venv" / "tools" / "mermaid" / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
BLOCK = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COLOURS = {  # those of api/html/assets/page.css
    "light": {"ink": "#1b1d21", "surface": "#ffffff", "soft": "#e7edfc", "edge": "#1f4fd8"},
    "dark": {"ink": "#e8eaf0", "surface": "#1a1d24", "soft": "#1b2742", "edge": "#8fb3ff"},
}
DRAW = """
async ([text, { ink, surface, soft, edge }]) => {
  const themeVariables = {
    primaryColor: soft, primaryBorderColor: edge, lineColor: edge, edgeLabelBackground: surface,
    primaryTextColor: ink, textColor: ink, fontFamily: "system-ui, sans-serif",
  };
  const options = { theme: "base", themeVariables, htmlLabels: false, flowchart: { htmlLabels: false } };
  mermaid.initialize({ ...options, deterministicIds: true });
  return (await mermaid.render("diagram", text)).svg;
}
"""


def picture_of(block: str, scheme: str) -> Path:
    """Return the picture of a fenced block, in light or dark."""
    text = BLOCK.fullmatch(block.strip())
    assert text is not None, block
    name = hashlib.sha256(text[1].encode()).hexdigest()[:12]
    return DIAGRAMS / f"{name}-{scheme}.svg"


async def draw(page: "Page") -> None:
    """Draw the diagrams that have no picture, in an empty page of a browser; delete what no page has."""
    await page.set_content("<body></body>")
    await page.add_script_tag(path=MERMAID)
    DIAGRAMS.mkdir(parents=True, exist_ok=True)
    wanted = set()
    for block in _blocks():
        for scheme, colours in COLOURS.items():
            path = picture_of(block, scheme)
            text = block.removeprefix("```mermaid\n").removesuffix("```")
            if not path.exists():
                path.write_text(await page.evaluate(DRAW, [text, colours]))
            wanted.add(path)
    for path in set(DIAGRAMS.iterdir()) - wanted:
        path.unlink()


def _blocks() -> list[str]:
    pages = sorted(DOCS.rglob("*.md"))
    return [match[0] for page in pages for match in BLOCK.finditer(page.read_text())]
