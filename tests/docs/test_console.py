"""Commands on the pages, run in order, and what they print."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from scripts.snippets import ROOT, Snippet, snippets
from tests.docs.console import Command, Console, commands_of, pattern_of

if TYPE_CHECKING:
    from pathlib import Path

NOT_HERE = ("pip install ", "make ")
"""What would change this environment; tests/docs/test_snippets.py looks at what it names."""

SHOWN = [each for each in snippets() if each.is_run]


def steps(snippet: Snippet) -> list[Command]:
    """List the commands that are run for a block: those of its notes, then its own."""
    hidden = [Command(said, "") for word, said in snippet.notes if word == "run"]
    shown = commands_of(snippet.text) if snippet.language == "console" else []
    return [*hidden, *(each for each in shown if not each.text.startswith(NOT_HERE))]


PAGES = sorted(
    {s.page for s in SHOWN if s.language == "console" or {"run", "output"} & dict(s.notes).keys()}
)


def app_of(page: str, folder: Path) -> Path:
    """Write the app of a page: the one that it names, or else shows."""
    app = folder / "app"
    shown = [each for each in SHOWN if each.page == page]
    named = next((said for each in shown if (said := each.note("app"))), None)
    if named is not None:
        shutil.copytree(ROOT / named, app)
    app.mkdir(exist_ok=True)
    for each in reversed(shown):  # of several apps the first stays
        if named is None and each.file is not None:
            (app / each.file).write_text(each.text)
    if not (app / "host.json").exists():
        (app / "host.json").write_text('{"version": "2.0"}')
    return app


@pytest.mark.library_worker
@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages use curl")
@pytest.mark.parametrize("page", PAGES)
def test_page(page: str, tmp_path: Path) -> None:
    """What a page has its reader run does not fail, and prints what the page says."""
    with closing(Console(tmp_path, app_of(page, tmp_path))) as console:
        for snippet in SHOWN:
            if snippet.page == page:
                for command in steps(snippet):
                    console.run(command)
                if snippet.note("output") is not None:
                    console.expect(snippet.text)


def test_commands_and_output_are_told_apart() -> None:
    """What follows `$ ` is a command, to the end of a line without a backslash."""
    assert commands_of("$ a \\\n  b\nprinted\n\nmore\n$ c\n") == [
        Command("a \\\n  b", "printed\n\nmore"),
        Command("c", ""),
    ]
    with pytest.raises(ValueError, match="begins with"):
        commands_of("a\n")


@pytest.mark.parametrize(
    ("shown", "printed", "is_same"),
    [
        ("took 1 ms", "took 20.5 ms", True),
        ("trace " + "a" * 32, "trace " + "b" * 32, True),
        ("at 2026-11-30 14:25:00+01:00", "at 2027-01-01 00:00:00Z", True),
        ("{\"id\": \"5…\", …}", "{\"id\": \"57\", \"a\": 1}", True),
        ("one\n…\nfour", "one\ntwo\nthree\nfour", True),
        ("said", "[2026-11-30T16:40:08.274Z] said", True),
        ("WARN", "WARNING", False),
        ("one\nthree", "one\ntwo\nthree", False),
        ("took 1 ms", "took 1 minute", False),
    ],
)  # fmt: skip
def test_output_varies_where_it_may(shown: str, printed: str, is_same: bool) -> None:
    """Durations, ids, times and `…` may differ, and nothing else."""
    assert (pattern_of(shown).fullmatch(printed) is not None) == is_same
