"""How the docs say funcscope is installed: by lines that work today, which stand in one place."""

from __future__ import annotations

import re
from importlib.metadata import metadata
from pathlib import Path

import pytest

from funcscope.telemetry._scope import VERSION

ROOT = Path(__file__).parent.parent
INSTALL = ROOT / "docs" / "how-to" / "install.md"
READMES = sorted(ROOT.glob("README*.md"))
PAGES = [*READMES, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BY_NAME = re.compile(r'pip install[^\n`]*[\s"]funcscope(?=[\s"`\[=]|$)|^funcscope\[', re.MULTILINE)
"""From an index: on a command line, or in a requirements file."""
WHEEL = re.compile(r"funcscope-([\d.]+\w*)-py3-none-any\.whl")
LINE = re.compile(r"^\$ (pip install .*)$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_page_installs_from_an_index(page: Path) -> None:
    """No page takes funcscope from an index, where the name is anybody's to take."""
    assert BY_NAME.findall(page.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "line", ['pip install "funcscope[host]"', "pip install funcscope", "funcscope[grpc]"]
)
def test_what_is_from_an_index(line: str) -> None:
    """A line that names funcscope, with or without extras, is one from an index."""
    assert BY_NAME.search(f"x\n{line}\n")


def test_a_wheel_has_the_version() -> None:
    """Each wheel of ours that a page names is of the version in the sources."""
    named = {version for page in PAGES for version in WHEEL.findall(page.read_text("utf-8"))}

    assert named == {VERSION}


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: readme.name)
def test_a_readme_has_the_line(readme: Path) -> None:
    """The first line that installs is the same in each README as on the page about it."""
    (line, *_), (expected, *_) = (LINE.findall(p.read_text("utf-8")) for p in (readme, INSTALL))

    assert line == expected


def test_every_extra_is_listed() -> None:
    """The page about it lists the package's extras, each once."""
    rows = re.findall(r"^\| `(\w+)` \|", INSTALL.read_text("utf-8"), re.MULTILINE)

    assert sorted(rows) == sorted(metadata("funcscope").get_all("Provides-Extra") or [])
