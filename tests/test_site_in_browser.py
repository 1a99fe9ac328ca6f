"""The built site in headless Chromium: `make test-page`, which builds it."""

from __future__ import annotations

import os
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from tests.browser import MARKS, Visit, browser, expect, visit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["browser", "visit"]  # fixtures

SITE = os.environ.get("SITE", "")
pytestmark = [*MARKS, pytest.mark.skipif(not SITE, reason="needs the site: make test-page")]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing of requests."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Serve the site, and return its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=SITE)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_the_search_finds_a_page(site: str, visit: Callable[..., Visit]) -> None:
    """From the site's first page, a search for "function key" leads to what is redacted."""
    opened = visit(site)
    opened.page.get_by_placeholder("Search").fill("function key")
    opened.page.keyboard.press("Enter")
    opened.page.locator("#search-results").get_by_role(
        "link", name="What is redacted"
    ).first.click()

    expect(opened.page.get_by_role("heading", level=1)).to_contain_text("What is redacted")
    assert opened.is_clean


@pytest.mark.parametrize("page", ["index", "start", "reference/settings", "reference/triggers",
                                  "reference/api/funcscope.telemetry"])  # fmt: skip
def test_a_phone_scrolls_one_way(site: str, visit: Callable[..., Visit], page: str) -> None:
    """At a width of 390 px no page is wider than the screen: tables scroll by themselves."""
    opened = visit(f"{site}{version_of(site, visit)}/{page}.html", width=390)

    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_versions_are_listed(site: str, visit: Callable[..., Visit]) -> None:
    """The list of versions is filled from `versions.json`, with the page's own chosen."""
    opened = visit(site)
    listed = opened.page.get_by_label("Version")

    expect(listed).to_be_enabled()
    expect(listed).to_have_value(version_of(site, visit))


def version_of(site: str, visit: Callable[..., Visit]) -> str:
    """Return the version that the site's first page leads to."""
    opened = visit(site)
    opened.page.wait_for_url(f"{site}*/index.html")
    address: str = opened.page.url
    return address.removeprefix(site).partition("/")[0]
