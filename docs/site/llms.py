"""Write llms.txt and llms-full.txt (llmstxt.org), and the Markdown of the pages beside them."""

import re
from pathlib import Path

from docs.site.navigation import project, sections
from docs.site.stage import MADE, pages, with_links

LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
SENTENCE = re.compile(r".+?[.?](?=\s|$)")
PROSE = re.compile(
    r"[^#<|>\s!*-]"
)  # how a paragraph begins that is no heading, table, list, comment or picture


def write(site: Path) -> None:
    """Write the files into the folder of the site."""
    texts = {place: with_links(page) for page, place in pages().items()}
    texts |= {place: make() for place, make in MADE.items()}
    for place, text in texts.items():
        (site / place).write_text(text)
    (site / "llms.txt").write_text(_contents(texts))
    places = [place for _, entries in sections() for _, place in entries]
    (site / "llms-full.txt").write_text("\n\n".join(texts[place] for place in places))


def _contents(texts: dict[str, str]) -> str:
    """Return the list of all pages, each with its first sentence."""
    parts = [f"# {project()['site_name']}\n\n> {project()['site_description']}\n"]
    for title, entries in sections():
        lines = (f"- [{page}]({place}): {_first_sentence(texts[place])}\n" for page, place in entries)
        parts.append(f"## {title}\n\n{''.join(lines)}")
    return "\n".join(parts)


def _first_sentence(text: str) -> str:
    """Return the first sentence of the first paragraph, without links."""
    paragraph = next(part for part in text.split("\n\n") if PROSE.match(part) and not part.startswith("```"))
    plain = LINK.sub(r"\1", " ".join(paragraph.split()))
    sentence = SENTENCE.match(plain)
    return sentence[0] if sentence else plain
