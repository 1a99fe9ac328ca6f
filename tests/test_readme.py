"""The README as a landing page: its figures, and its Chinese twin."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh-CN.md")
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
ADDED = re.compile(r"^\| (.+?) \|.*\| \+([\d.]+) \|$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)]+)\)")


def text(name: str) -> str:
    """Read a page of the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def outline(name: str) -> list[str]:
    """Return what a page is made of, in order: levels of headings, code, rows, items, pictures."""
    page = BLOCK.sub("code", text(name))
    return [line for line in re.findall(r"^(#+ |code|\||- |!\[)", page, re.MULTILINE) if line]


def test_translation_is_built_alike() -> None:
    """The Chinese README has the same headings by level, lists, tables and pictures, in order."""
    english, chinese = map(outline, READMES)

    assert "## " in english
    assert chinese == english


def test_translation_shows_the_same() -> None:
    """The Chinese README's code is the English one's to the letter, and its links are, too."""
    english, chinese = (text(name) for name in READMES)
    own = {"README.md", "README.zh-CN.md"}

    assert BLOCK.findall(chinese) == BLOCK.findall(english)
    assert set(LINK.findall(chinese)) - own == set(LINK.findall(english)) - own


@pytest.mark.parametrize("name", READMES)
def test_links_lead_somewhere(name: str) -> None:
    """Each page that a README names is there."""
    missing = {link for link in LINK.findall(text(name)) if not (ROOT / link).exists()}

    assert missing == set()


TRACE, BY_HAND = "funcscope", "OpenTelemetry SDK by hand"
SIGNALS = " with metrics and logs"
TOLD = {
    "README.md": (TRACE, BY_HAND, "ddtrace", "elastic-apm"),
    "README.zh-CN.md": (TRACE, BY_HAND, "ddtrace", "elastic-apm"),
    "docs/explanation/why-not-the-worker-alone.md": (TRACE, BY_HAND),
    "docs/benchmarks.md": (TRACE, TRACE + SIGNALS, BY_HAND, "SDK by hand" + SIGNALS),
}
"""The pages that say what an invocation waits, and for what, in order."""


@pytest.mark.parametrize("name", TOLD)
def test_figures_are_measured(name: str) -> None:
    """What a page says that an async invocation waits is what the last benchmark measured."""
    page = text("docs/benchmarks.md")
    table = page[page.index("| latency (median of a slice), async |") :].partition("\n\n")[0]
    added = dict(ADDED.findall(table))
    told = re.findall(
        r"([\d.]+) µs", text(name).partition("<!-- make bench")[0].partition("```sh")[0]
    )

    assert told == [f"{float(added[variant]):.0f}" for variant in TOLD[name]]


@pytest.mark.parametrize("name", READMES)
def test_two_commands_are_named(name: str) -> None:
    """The two commands that CI runs are shown, each alone."""
    shown = [block.splitlines()[1:-1] for block in BLOCK.findall(text(name))]

    assert ["$ make demo"] in shown
    assert ["$ make test"] in shown
