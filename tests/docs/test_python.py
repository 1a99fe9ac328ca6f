"""Python on the pages: apps on the library worker, every function called; modules executed."""

from __future__ import annotations

import json
import multiprocessing
from typing import TYPE_CHECKING

import pytest
from scripts.snippets import Snippet, snippets, snippets_of
from tests.docs import in_child
from tests.patience import PROCESS_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

APP = "function_app.py"

SHOWN = [each for each in snippets() if each.language == "python" and each.is_run]
APPS = [each for each in SHOWN if each.file == APP]
MODULES = [each for each in SHOWN if each.file is None]
OTHERS = [each for each in snippets() if each.language == "py"]


def by_place(shown: list[Snippet]) -> pytest.MarkDecorator:
    """Take each block in turn."""
    return pytest.mark.parametrize("snippet", shown, ids=lambda each: each.place)


def run(call: Callable[..., None], folder: Path, *args: object) -> None:
    """Call a function in a process of its own, forked from one that has it imported."""
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload([in_child.__name__])
    printed = folder / "printed.txt"
    process = forking.Process(target=call, args=(str(folder), str(printed), *args))
    process.start()
    process.join(PROCESS_S)
    process.kill()
    process.join()

    assert process.exitcode == 0, printed.read_text()


def write_files(snippet: Snippet, folder: Path) -> None:
    """Write the files that a page shows, with one of its apps, where it has any."""
    (folder / "host.json").write_text('{"version": "2.0"}')
    for each in snippets_of(snippet.page):
        if each.language == "python" and each.file not in (None, APP):
            (folder / str(each.file)).write_text(each.text)
    if snippet.file == APP:
        (folder / APP).write_text(snippet.text)


@pytest.mark.library_worker
@by_place(APPS)
def test_app(snippet: Snippet, tmp_path: Path) -> None:
    """An app is loaded by the worker, and each of its functions returns; Durable's want a host."""
    write_files(snippet, tmp_path)

    run(in_child.run_app, tmp_path, json.loads(snippet.note("calls") or "{}"))


@by_place(MODULES)
def test_module(snippet: Snippet, tmp_path: Path) -> None:
    """A module that is no file of an app is executed, without an error or a warning."""
    write_files(snippet, tmp_path)

    run(in_child.run_module, tmp_path, snippet.text)


@by_place(OTHERS)
def test_code_of_others(snippet: Snippet) -> None:
    """What needs packages that are not installed here is Python at least."""
    compile(snippet.text, snippet.place, "exec")
