"""A crawler of static HTML: its links, what it fetches, and where a page leads."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

_FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "srcset", "link": "href"}
_IN_CSS = re.compile(r"""(?:url\(|@import\s)\s*["']?([^"')\s;]+)""")


@dataclass
class Page(HTMLParser):
    """
    What a page of HTML has.

    Attributes:
        ids: What an address may have behind `#`.
        links: Where a click leads.
        fetched: What a browser loads with it.
        navigation: The links of the sidebar.
    """

    ids: set[str] = field(default_factory=set[str])
    links: list[str] = field(default_factory=list[str])
    fetched: list[str] = field(default_factory=list[str])
    navigation: list[str] = field(default_factory=list[str])
    _depth: int = 0  # of elements in the sidebar's tree

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        values = {name: value or "" for name, value in attrs}
        self.ids.update(values[name] for name in ("id", "name") if name in values)
        if tag == "div" and (self._depth or "sidebar-tree" in values.get("class", "")):
            self._depth += 1
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
            if self._depth:
                self.navigation.append(values["href"])
        elif values.get(_FETCHED.get(tag, "")) and values.get("rel") not in (
            "search",
            "index",
            "next",
            "prev",
        ):
            self.fetched.append(values[_FETCHED[tag]])
        elif tag == "link" and "href" in values:
            self.links.append(values["href"])

    def handle_endtag(self, tag: str) -> None:
        """Note the end of an element."""
        if tag == "div" and self._depth:
            self._depth -= 1


def read_pages(folder: Path) -> dict[Path, Page]:
    """Read all pages of HTML below a folder."""
    pages = {}
    for file in sorted(folder.rglob("*.html")):
        pages[file] = Page()
        pages[file].feed(file.read_text("utf-8"))
    return pages


def place_of(url: str, page: Path) -> Path | None:
    """Return which file a page's link leads to; None where it leads to another host."""
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        return None
    path = unquote(parts.path)
    return type(page)(os.path.normpath(page.parent / path)) if path else page


def dead_links(pages: dict[Path, Page]) -> list[str]:
    """Name the links to files and anchors that are not there."""
    dead = []
    for file, page in pages.items():
        for url in (*page.links, *page.fetched):
            place, anchor = place_of(url, file), unquote(urlsplit(url).fragment)
            if place is None:
                continue
            is_there = place.is_file() and (
                not anchor or place not in pages or anchor in pages[place].ids
            )
            if not is_there:
                dead.append(f"{file.name}: {url}")
    return dead


def fetched_elsewhere(folder: Path, pages: dict[Path, Page]) -> list[str]:
    """Name what pages and their style sheets have a browser fetch from another host."""
    asked = [(file, url) for file, page in pages.items() for url in page.fetched]
    asked += [
        (f, url) for f in folder.rglob("*.css") for url in _IN_CSS.findall(f.read_text("utf-8"))
    ]
    asked += [
        (f, url) for f in folder.rglob("*.svg") for url in _IN_CSS.findall(f.read_text("utf-8"))
    ]
    hosts = [(file, url) for file, url in asked if urlsplit(url).netloc]
    return [f"{file.name}: {url}" for file, url in hosts]
