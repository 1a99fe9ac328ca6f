"""The built site: `make site` builds it and runs these. The crawler is tried without one, too."""

from __future__ import annotations

import json
import os
import zlib
from importlib import import_module
from pathlib import Path

import pytest
from scripts.site_api import MODULES
from scripts.site_pages import Group, arrange
from tests.crawler import Page, dead_links, fetched_elsewhere, place_of, read_pages

SITE = os.environ.get("SITE", "")
needs_site = pytest.mark.skipif(not SITE, reason="needs the site: make site")
SPHINX = {"genindex.html", "py-modindex.html", "search.html"}
"""Pages that are reached by the search and from the index."""


@pytest.fixture(scope="module")
def built() -> Path:
    """Return the folder of the version that was built."""
    (newest, *_) = json.loads(Path(SITE, "versions.json").read_text("utf-8"))
    return Path(SITE, newest).resolve()


@pytest.fixture(scope="module")
def pages(built: Path) -> dict[Path, Page]:
    """Read the version's pages."""
    return read_pages(built)


@needs_site
def test_no_link_is_dead(pages: dict[Path, Page]) -> None:
    """Every link within the site leads to a file that is there, and to an anchor in it."""
    assert dead_links(pages) == []


@needs_site
def test_no_other_host_is_asked(built: Path, pages: dict[Path, Page]) -> None:
    """No page has a browser fetch a script, a style, a font or a picture from elsewhere."""
    assert fetched_elsewhere(built, pages) == []


@needs_site
def test_every_page_is_in_the_navigation(built: Path, pages: dict[Path, Page]) -> None:
    """Each page is in the sidebar, and on each page's."""
    index = built / "index.html"
    shown = {place_of(url, index) for url in pages[index].navigation} | {index}
    written = {file for file in pages if "_modules" not in file.parts and file.name not in SPHINX}

    assert written - shown == set()


@needs_site
def test_the_reference_has_the_public_names(built: Path) -> None:
    """The reference documents what `__all__` of the public modules names, no more and no less."""
    content = (built / "objects.inv").read_bytes().split(b"\n", 4)[4]
    entries = [line.split(" ") for line in zlib.decompress(content).decode().splitlines()]
    kinds = ("py:class", "py:data", "py:exception", "py:function")
    documented = {name for name, kind, rank, *_ in entries if kind in kinds and rank != "-1"}
    public = {f"{module}.{name}" for module in MODULES for name in import_module(module).__all__}

    assert documented == public


@needs_site
def test_a_public_name_has_its_source(built: Path) -> None:
    """Where a class or a function is documented, a link leads to its source."""
    page = (built / "reference" / "api" / "funcscope.telemetry.html").read_text("utf-8")

    assert 'href="../../_modules/funcscope/telemetry/_api/activation.html#configure"' in page


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Write a site of two pages."""
    (tmp_path / "a.html").write_text('<h1 id="top"></h1><a href="b.html#end">b</a>', "utf-8")
    (tmp_path / "b.html").write_text('<h1 id="end"></h1><a href="a.html">a</a>', "utf-8")
    return tmp_path


def test_a_whole_site_has_no_dead_link(small: Path) -> None:
    """Links to pages, to anchors in them and to other hosts are not dead."""
    (small / "b.html").write_text('<a id="end" href="https://example.org/x">x</a>', "utf-8")

    assert dead_links(read_pages(small)) == []


@pytest.mark.parametrize("url", ["gone.html", "b.html#gone", "#gone"])
def test_a_dead_link_is_found(small: Path, url: str) -> None:
    """A page or an anchor that is not there is a dead link."""
    (small / "a.html").write_text(f'<a href="{url}">gone</a>', "utf-8")

    assert dead_links(read_pages(small)) == [f"a.html: {url}"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<script src="{}"></script>'),
        ("a.html", '<link rel="stylesheet" href="{}">'),
        ("a.html", '<img src="{}">'),
        ("x.css", "@import '{}';"),
        ("x.svg", "@font-face {{ src: url('{}') }}"),
    ],
)
def test_another_host_is_found(small: Path, name: str, text: str) -> None:
    """Scripts, styles, pictures and fonts of another host are found where they stand."""
    url = "https://cdn.example.org/x"
    (small / name).write_text(text.format(url), "utf-8")

    assert fetched_elsewhere(small, read_pages(small)) == [f"{name}: {url}"]


def test_a_new_page_appears() -> None:
    """A page that no group names is shown, and a name without a page is not."""
    groups = arrange(["new", "old"], [Group("Known", ["old", "gone"]), Group("Empty", ["gone"])])

    assert groups == [Group("Known", ["old"]), Group("More", ["new"])]
