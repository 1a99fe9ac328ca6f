"""Headless Chromium for tests, by Playwright: skipped where either is missing."""

from __future__ import annotations

import importlib
import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

playwright: Any
expect: Any
try:
    playwright = importlib.import_module("playwright.sync_api")
except ImportError:
    playwright = expect = None
else:
    expect = playwright.expect
    expect.set_options(timeout=PATIENCE_S * 1000)

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

MARKS = [
    pytest.mark.skipif(playwright is None, reason="needs Playwright: make test-page"),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: make test-page"),
    pytest.mark.xdist_group("browser"),  # one browser at a time is enough for a machine
]
"""What a module of such tests has as `pytestmark`."""


@dataclass(slots=True)
class Visit:
    """A page that is looked at, and what was wrong with it."""

    page: Page
    problems: list[str] = field(default_factory=list[str])
    hosts: set[str | None] = field(default_factory=set[str | None])

    def watch(self) -> None:
        """Note errors in the console, dialogs, and whom the page asks."""
        self.page.on(
            "console", lambda said: self._note(said.text, said.type in ("error", "warning"))
        )
        self.page.on("pageerror", lambda error: self._note(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))

    def _note(self, text: str, is_bad: bool = True) -> None:
        if is_bad:
            self.problems.append(text)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was wrong, and nobody but this machine was asked."""
        assert self.problems == []
        return self.hosts == {"127.0.0.1"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run Chromium."""
    with playwright.sync_playwright() as running:
        # Chromium has no sandbox for root, as which containers run.
        arguments = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Open an address: `visit(url, width=390, color_scheme="dark")`."""
    contexts = []

    def open_page(url: str, *, width: int = 1280, height: int = 720, **options: Any) -> Visit:
        viewport: Any = {"width": width, "height": height}
        context = browser.new_context(viewport=viewport, reduced_motion="reduce", **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_S * 1000)
        opened = Visit(context.new_page())
        opened.watch()
        opened.page.goto(url)
        return opened

    yield open_page
    for context in contexts:
        context.close()
