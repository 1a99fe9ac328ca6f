"""
Which pages the site has, and where each stands in its navigation.

A page of `docs/` appears by itself: one that no group names stands under *More*. Pages of groups and
those of the API are made here, and the navigation is added here too, so that Markdown in the
repository is plain and its links work on a forge.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scripts.site_api import MODULES, module_page

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
ROOT_PAGES = {"CHANGELOG.md": "changelog", "CONTRIBUTING.md": "contributing"}
"""Files beside `docs/` that are pages of the site, with their names there."""
MORE = "More"
ELSEWHERE = {"install"}
"""Pages that are no part of their folder's groups."""


class Group(NamedTuple):
    """
    Pages of one folder that belong together.

    Attributes:
        title: What they are about.
        pages: Their names, in order.
    """

    title: str
    pages: Sequence[str]


HOW_TO = (
    Group("See traces", ["see-traces", "collector", "azure-monitor", "nothing-arrives"]),
    Group(
        "Say more",
        [
            "spans-and-metrics-of-your-own",
            "tag-requests",
            "instrumentations",
            "web-frameworks",
            "durable",
            "child-processes",
        ],
    ),
    Group("Logs", ["where-did-my-logs-go", "logging-from-threads"]),
    Group(
        "On your machine",
        [
            "local-host",
            "local-storage",
            "local-timers",
            "read-the-terminal",
            "trace-page",
            "check-an-app",
            "attach-a-debugger",
            "test-your-functions",
        ],
    ),
    Group(
        "In production",
        ["deploy", "upgrade", "turn-it-off", "security", "sending", "many-instances"],
    ),
    Group(
        "Beside others, and away from them",
        ["beside-other-tracers", "plug-points", "leave-opencensus", "move-to-python-3.13"],
    ),
)
REFERENCE = (
    Group("Settings and files", ["settings", "app-files", "compatibility", "doctor"]),
    Group("What is recorded", ["triggers", "metrics", "resource", "redaction", "queries"]),
    Group("How it behaves", ["lifecycle-contract", "delivery", "threads", "guide"]),
)


def write_pages(target: Path) -> None:
    """Write the site's sources into a folder that is not there yet."""
    ignored = shutil.ignore_patterns("conf.py", "_site")
    shutil.copytree(DOCS, target, ignore=ignored)
    for file, name in ROOT_PAGES.items():
        shutil.copyfile(ROOT / file, target / f"{name}.md")
    for module in MODULES:
        place = target / "reference" / "api" / f"{module}.rst"
        place.parent.mkdir(exist_ok=True)
        place.write_text(module_page(module), "utf-8")
    _write_index(target / "reference" / "api", "API", MODULES)
    how_to = _write_groups(target / "how-to", HOW_TO)
    reference = [*_write_groups(target / "reference", REFERENCE), "api/index"]
    _add_toctree(target / "decisions" / "README.md", "", _names(target / "decisions", "[0-9]*"))
    start = [name for name in ("start", "how-to/install") if (target / f"{name}.md").exists()]
    explanation = _names(target / "explanation")
    for caption, pages in {
        "Start": start,
        "Tutorials": _names(target / "tutorials", prefix="tutorials/"),
        "How-to": [f"how-to/{name}" for name in how_to],
        "Reference": [*(f"reference/{name}" for name in reference), "glossary", "changelog"],
        "Explanation": [
            *(f"explanation/{name}" for name in explanation),
            *("architecture", "benchmarks", "decisions/README", "contributing"),
        ],
    }.items():
        _add_toctree(target / "index.md", caption, pages)


def arrange(names: Iterable[str], groups: Sequence[Group]) -> list[Group]:
    """Put each page into the group that names it, and the others into one more."""
    left = sorted(names)
    arranged = []
    for group in groups:
        there = [page for page in group.pages if page in left]
        left = [page for page in left if page not in there]
        arranged.append(Group(group.title, there))
    return [group for group in (*arranged, Group(MORE, left)) if group.pages]


def _write_groups(folder: Path, groups: Sequence[Group]) -> list[str]:
    """Write a page for each group of a folder's pages, and return their names."""
    names = []
    for group in arrange(set(_names(folder)) - ELSEWHERE, groups):
        name = "about-" + "-".join(group.title.lower().replace(",", "").split())
        _write_index(folder, group.title, group.pages, name)
        names.append(name)
    return names


def _write_index(folder: Path, title: str, pages: Sequence[str], name: str = "index") -> None:
    entries = "\n".join(pages)
    text = f"# {title}\n\n```{{toctree}}\n:maxdepth: 1\n\n{entries}\n```\n"
    (folder / f"{name}.md").write_text(text, "utf-8")


def _add_toctree(page: Path, caption: str, pages: Sequence[str]) -> None:
    options = f":hidden:\n:caption: {caption}\n" if caption else ":hidden:\n"
    entries = "\n".join(pages)
    with page.open("a", encoding="utf-8") as file:
        file.write(f"\n```{{toctree}}\n{options}\n{entries}\n```\n")


def _names(folder: Path, pattern: str = "*", *, prefix: str = "") -> list[str]:
    files = sorted(folder.glob(f"{pattern}.md"))
    return [prefix + file.stem for file in files if file.stem != "README"]
