"""Links of pages to what is no page of the site: to the repository where it is, else plain text."""

from __future__ import annotations

import os
from functools import cache
from importlib.metadata import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from scripts.site_pages import ROOT_PAGES
from sphinx import addnodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def setup(app: Sphinx) -> dict[str, Any]:
    """Let Sphinx ask here for each page that was read."""
    app.connect("doctree-read", _resolve_links)
    return {"parallel_read_safe": True}


@cache
def repository() -> str:
    """Return where the sources are on the net, as the package says; empty where it does not."""
    given: list[str] = metadata("funcscope").get_all("Project-URL") or []
    urls = dict(line.split(", ", 1) for line in given)
    return urls.get("Source", urls.get("Repository", "")).removesuffix("/")


def page_of(file: Path) -> str | None:
    """Return which page of the site shows a file or a folder of the repository, if any does."""
    for index in ("README.md", "index.md"):
        if (file / index).is_file():
            file /= index
    if file.parent == ROOT and file.name in ROOT_PAGES:
        return ROOT_PAGES[file.name]
    if file.suffix == ".md" and file.is_file() and DOCS in file.parents:
        return file.relative_to(DOCS).with_suffix("").as_posix()
    return None


def source_of(page: str) -> Path:
    """Return the file of the repository that a page of the site shows."""
    for file, name in ROOT_PAGES.items():
        if name == page:
            return ROOT / file
    return DOCS / f"{page}.md"


def _resolve_links(app: Sphinx, document: nodes.document) -> None:
    """Lead what Sphinx finds no page for to a page, to the repository, or nowhere."""
    folder = source_of(app.env.docname).parent
    for link in list(document.findall(addnodes.pending_xref)):
        path, _, anchor = link["reftarget"].partition("#")
        file = Path(os.path.normpath(folder / path))
        if link["reftype"] != "myst" or link["refdomain"] or not path or not file.exists():
            continue
        if page := page_of(file):
            link.update_all_atts({"reftarget": page, "refdomain": "doc"}, replace=True)
            link["reftargetid"] = anchor or None
        elif repository():
            url = f"{repository()}/blob/main/{file.relative_to(ROOT).as_posix()}"
            link.replace_self(nodes.reference("", "", *link.children, refuri=url))
        else:
            link.replace_self(link.children)
