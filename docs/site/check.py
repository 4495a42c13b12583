"""Look for what the generator does not see: links to nothing, files from elsewhere, unlisted pages."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from docs.site.navigation import sections
from docs.site.stage import MADE, pages

RESOURCES = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "srcset"}
NO_RESOURCE = {"canonical", "prev", "next", "alternate"}
ABSOLUTE = {"404.html"}  # served for any path, so its links begin at the root
ELSEWHERE = re.compile(r"(?:url\(\s*[\"']?|@import\s+[\"'])((?:https?:)?//[^)\"']+)")


def problems(site: Path) -> list[str]:
    """Return what is wrong with a site that was built, one line each."""
    files = sorted(path for path in site.rglob("*.html") if path.name not in ABSOLUTE)
    read = {path: _Page(path.read_text()) for path in files}
    found = [line for path, page in read.items() for line in _broken(site, path, page, read)]
    for path in sorted(site.rglob("*.css")):
        found += [f"{path.relative_to(site)} loads {url}" for url in ELSEWHERE.findall(path.read_text())]
    return found


def unlisted() -> list[str]:
    """Return the pages that the navigation does not have, one line each."""
    listed = {place for _, entries in sections() for _, place in entries}
    missing = {*pages().values(), *MADE} - listed
    return [f"{place} is not in the navigation, docs/site/zensical.toml" for place in sorted(missing)]


def _broken(site: Path, path: Path, page: "_Page", read: dict[Path, "_Page"]) -> list[str]:
    """Return what a page loads from elsewhere, and where it leads to nothing."""
    found = [f"{path.relative_to(site)} loads {url}" for url in page.resources if urlsplit(url).netloc]
    for url in {*page.links, *page.resources}:
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        anchor = unquote(parts.fragment)
        if not target.exists():
            found.append(f"{path.relative_to(site)} leads to {url}, which does not exist")
        elif anchor and target in read and anchor not in read[target].anchors:
            found.append(f"{path.relative_to(site)} leads to {url}: the page has no such heading")
    return found


class _Page(HTMLParser):
    """The links, the resources and the anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.resources: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what one tag refers to."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        resource = values.get(RESOURCES.get(tag, ""))
        if resource and values.get("rel") not in NO_RESOURCE:
            self.resources.append(resource)
