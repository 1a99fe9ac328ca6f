"""What the docs show is run: each block is of a kind that tests know, or says why not."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest
import yaml
from packaging.requirements import Requirement
from scripts.snippets import ROOT, Snippet, pages, read_snippets, snippets
from tests.docs.console import commands_of

PROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
READ = ("console", "ini", "json", "python", "toml", "yaml")
"""Languages all of whose blocks are run or read, by the tests of this folder."""
HELD = {"diff": "tests/test_recipes.py", "kusto": "tests/integration/test_queries.py"}
"""Languages whose blocks one test file reads, unless a note says another."""
REQUIREMENTS_TXT = "requirements.txt"

SHOWN = snippets()
COMMANDS = [
    (each.place, command.text)
    for each in SHOWN
    if each.language == "console" and each.text.startswith("$ ")
    for command in commands_of(each.text)
]
REQUIREMENTS = [each for each in SHOWN if each.file == REQUIREMENTS_TXT]


def problem_of(snippet: Snippet) -> str | None:
    """Say why nobody would run a block; None where somebody does, or where it says why not."""
    holder = snippet.note("held by") or HELD.get(snippet.language)
    reason = snippet.note("not run")
    if holder is not None:
        name = snippet.page.rpartition("/")[2]
        is_held = (ROOT / holder).is_file() and name in (ROOT / holder).read_text("utf-8")
        return None if is_held else f"{holder} is no test file that names {name}"
    if reason is not None:
        return None if reason else "it is not said why it is not run"
    if snippet.language == "text":
        is_known = snippet.file == REQUIREMENTS_TXT or snippet.note("output") is not None
        return None if is_known else "a text is output, or a file named in its first line"
    if snippet.language == "console" and not snippet.text.startswith("$ "):
        return "commands come after `$ `"
    return None if snippet.language in READ else f"nothing runs {snippet.language!r}"


def test_each_block_is_run_or_says_why_not() -> None:
    """Each block of each page is run, is held by a test of its own, or says why it is neither."""
    problems = [f"{each.place}: {problem}" for each in SHOWN if (problem := problem_of(each))]

    assert not problems, "\n".join(problems)


def block(language: str, text: str = "", *notes: tuple[str, str]) -> Snippet:
    """Make a block of a page."""
    return Snippet("docs/how-to/collector.md", 1, language, text, notes)


@pytest.mark.parametrize(
    ("snippet", "is_run"),
    [
        (block("python", "pass\n"), True),
        (block("console", "$ true\n"), True),
        (block("console", "true\n"), False),
        (block("", "true\n"), False),
        (block("text", "true\n"), False),
        (block("text", "# requirements.txt\nfuncscope\n"), True),
        (block("text", "true\n", ("output", "")), True),
        (block("bicep", "param x string\n"), False),
        (block("kusto", "traces\n"), False),
        (block("bicep", "param x string\n", ("not run", "needs Azure")), True),
        (block("bicep", "param x string\n", ("not run", "")), False),
        (block("yaml", "", ("held by", "tests/test_collector_docs.py")), True),
        (block("yaml", "", ("held by", "tests/test_layout.py")), False),
        (block("yaml", "", ("held by", "tests/test_nothing.py")), False),
    ],
)
def test_block_that_nobody_would_run_is_found(snippet: Snippet, is_run: bool) -> None:
    """A block of no known kind is a fault, and so is a note that says nothing or what is not so."""
    assert (problem_of(snippet) is None) == is_run


def test_notes_are_those_directly_before_a_block() -> None:
    """A block has the notes between it and what comes before; other comments are none."""
    page = "<!-- run: a -->\n<!-- b -->\n<!-- output -->\n\n```text\nc\n```\n\n- d\n\n"
    first, second = read_snippets("page.md", f"{page}  ```e\n  f\n  ```\n")

    assert first == Snippet("page.md", 5, "text", "c\n", (("run", "a"), ("output", "")))
    assert second == Snippet("page.md", 11, "e", "f\n", ())


@pytest.mark.parametrize("after", ["", "text\n\n```text\n```\n"])
def test_note_before_no_block_is_refused(after: str) -> None:
    """A note that would say nothing of any block is an error, with its page."""
    with pytest.raises(ValueError, match=r"page\.md.*before no block"):
        list(read_snippets("page.md", f"<!-- output -->\n\n{after}"))


def test_pages_are_all_there_are() -> None:
    """The README and what contributors read are pages, too."""
    assert {"README.md", "CONTRIBUTING.md", "docs/how-to/collector.md"} <= set(pages())
    assert len(SHOWN) > 100


def extras_of(text: str) -> list[str]:
    """List the extras of funcscope that a line of requirements names."""
    return re.findall(r"[\w-]+", ",".join(re.findall(r"(?:funcscope\S*|\.)\[([\w,-]+)\]", text)))


def test_extras_are_there() -> None:
    """Whatever extra of funcscope a command or a requirements.txt names is one that it has."""
    lines = [text for _, text in COMMANDS] + [each.text for each in REQUIREMENTS]
    named = {extra for line in lines for extra in extras_of(line)}

    assert named
    assert [name for name in sorted(named) if not re.search(rf"^{name} = \[", PROJECT, re.M)] == []


@pytest.mark.parametrize("snippet", REQUIREMENTS, ids=lambda each: each.place)
def test_requirements(snippet: Snippet) -> None:
    """A requirements.txt is one: names with versions, or files beside it."""
    lines = [line.partition(" #")[0].strip() for line in snippet.text.splitlines()[1:]]

    for line in filter(None, lines):
        if not line.startswith(("#", "./")):
            Requirement(line)


@pytest.mark.parametrize(
    ("place", "command"), [row for row in COMMANDS if row[1].startswith("make ")]
)
def test_make(place: str, command: str) -> None:
    """A target that a page names is one of the Makefile's."""
    dry = ["make", "-n", *shlex.split(command, comments=True)[1:]]
    done = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, f"{place}: {done.stderr}"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")
def test_toml() -> None:
    """TOML is TOML."""
    import tomllib

    for snippet in SHOWN:
        if snippet.language == "toml":
            assert tomllib.loads(snippet.text), snippet.place


def test_yaml() -> None:
    """YAML is YAML; what is in it is for a test that a note names."""
    shown = [each for each in SHOWN if each.language == "yaml"]

    assert all(yaml.safe_load(each.text) for each in shown)
    assert [each.place for each in shown if each.is_run] == []
