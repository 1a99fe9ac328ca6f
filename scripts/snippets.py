"""
The snippets of the docs: each fenced block of each page, with the notes that say how it is run.

Found by markdown-it-py, which is what renders the pages, too (docs/decisions/066).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
WORDS = ("app", "calls", "held by", "not run", "output", "run")
"""What a note, an HTML comment before a block, may begin with; CONTRIBUTING.md says what each means."""

_NOTE = re.compile(rf"<!--\s*({'|'.join(WORDS)})\b(?::\s*(.*?))?\s*-->", re.DOTALL)
_FILE = re.compile(r"# ([\w.-]+\.\w+)\n")

NOT_RUN = """\
# What the docs show and is not run

Tests run each block of code, each command and each output of the docs, or hold it to what is run
([how](../../CONTRIBUTING.md#what-the-docs-show)). These {number} they cannot:

| page | begins | why |
|---|---|---|
{rows}
"""


@dataclass(frozen=True, slots=True)
class Snippet:
    """
    A fenced block.

    Attributes:
        page: Its page, as a path from the repository's root.
        line: Where it begins, from 1.
        language: What stands after the fence.
        text: What it shows.
        notes: Those before it, each a word of `WORDS` with the rest.
    """

    page: str
    line: int
    language: str
    text: str
    notes: tuple[tuple[str, str], ...]

    @property
    def place(self) -> str:
        """Say where it stands."""
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """Return the name of the file that it shows, by its first line; None where that has none."""
        named = _FILE.match(self.text)
        return named[1] if named else None

    @property
    def is_run(self) -> bool:
        """Tell whether what runs all blocks of its language runs it: no note says who else does."""
        return self.note("held by") is None and self.note("not run") is None

    def note(self, word: str) -> str | None:
        """Return what the note with a word says, an empty text where that is all; None for none."""
        return dict(self.notes).get(word)


def pages() -> list[str]:
    """List the pages, but for translations: their blocks are those of the page that they translate."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    names = sorted(file.relative_to(ROOT).as_posix() for file in found)
    return [name for name in names if not name.endswith(".zh-CN.md")]


def snippets() -> list[Snippet]:
    """List the blocks of all pages, but for the directives of the site, which its build reads."""
    found = (each for page in pages() for each in snippets_of(page))
    return [each for each in found if not each.language.startswith("{")]


@cache
def snippets_of(page: str) -> tuple[Snippet, ...]:
    """List the blocks of a page; ValueError where a note stands before none."""
    return tuple(read_snippets(page, (ROOT / page).read_text("utf-8")))


def text_of(page: str) -> str:
    """Return what the blocks of a page show, for a test that holds them to what it sees."""
    return "\n".join(each.text for each in snippets_of(page))


def read_snippets(page: str, text: str) -> Iterator[Snippet]:
    """Yield the blocks of a page's text; ValueError where a note stands before none."""
    notes: list[tuple[str, str]] = []
    for token in MarkdownIt("commonmark").parse(text):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "html_block":
            notes += [(word, said or "") for word, said in _NOTE.findall(token.content)]
        elif token.type in ("fence", "code_block"):
            yield Snippet(page, line, token.info.strip(), token.content, tuple(notes))
            notes = []
        elif notes:
            raise ValueError(f"{page}:{line}: a note stands before no block: {notes}")
    if notes:
        raise ValueError(f"{page}: a note stands before no block: {notes}")


def not_run() -> str:
    """Make the page of what is not run."""
    kept = [each for each in snippets() if each.note("not run") is not None]
    rows = [
        f"| {_link(each.page)} | `{_first_line(each)}` | {each.note('not run')} |" for each in kept
    ]
    return NOT_RUN.format(number=len(rows), rows="\n".join(rows))


def _link(page: str) -> str:
    inside = Path(page).is_relative_to("docs")
    target = f"../{Path(page).relative_to('docs').as_posix()}" if inside else f"../../{page}"
    return f"[{Path(page).stem}]({target})"


def _first_line(snippet: Snippet) -> str:
    return snippet.text.strip().partition("\n")[0].replace("|", "\\|")
