"""What is put in another's place in the process, and the inventory of it."""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
PATCHES = runpy.run_path(str(HERE / "patches.py"))["PATCHES"]
OURS = runpy.run_path(str(HERE / "patches.py"))["OURS"]
USES = runpy.run_path(str(HERE / "integration" / "patches_beside.py"))["USES"]
FOLDERS = ("extensions", "telemetry", "contrib")
TOOLS = ("/contrib/host/", "/contrib/testing/")  # in no app
CALLS = {
    "setattr", "wrap_function_wrapper", "_replace", "Place", "_complete_with", "signal",
    "set_wakeup_fd", "add_signal_handler",
}  # fmt: skip
"""What puts something somewhere."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Parse each module that is in an app."""
    for folder in FOLDERS:
        for path in sorted((HERE.parent / folder).rglob("*.py")):
            if not any(tool in path.as_posix() for tool in TOOLS):
                yield path.relative_to(HERE.parent).as_posix(), ast.parse(path.read_text("utf-8"))


def is_self(node: ast.AST) -> bool:
    """Tell an object's own attributes."""
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def fields(module: ast.Module) -> Iterator[str]:
    """Name the fields of our own objects; a protocol tells of others'."""
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if is_self(node.value):
                yield node.attr
        elif isinstance(node, ast.ClassDef) and "Protocol" not in map(ast.unparse, node.bases):
            for part in node.body:
                if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                    yield part.target.id


def puts(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Find what puts something somewhere: as its source has it, and the attribute's name."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            called = node.func
            name = getattr(called, "id", None) or getattr(called, "attr", "")
            is_ours = name == "_replace" and isinstance(called, ast.Attribute)  # a named tuple's
            if name in CALLS and not is_ours:
                yield ast.unparse(node), ""
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, (ast.Store, ast.Del)):
            if not is_self(node.value):
                yield ast.unparse(node), node.attr
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del)):
            of = node.value
            is_dict = isinstance(of, ast.Call) or ast.unparse(of).endswith(("fields", "__dict__"))
            if is_dict:
                yield ast.unparse(node), ""


def test_every_patch_is_known() -> None:
    """What is put in another's place is in the inventory; and nothing that is gone is."""
    parsed = dict(modules())
    own = {name for module in parsed.values() for name in fields(module)} - {"fn", "_func"}
    found = {
        (path.rpartition("/funcscope/")[2], text)
        for path, module in parsed.items()
        for text, name in puts(module)
        if name not in own
    }
    listed = {(patch.module, patch.text) for patch in PATCHES}

    assert found - listed - OURS == set()
    assert listed - found == set()
    assert OURS - found == set()


def test_every_patch_is_tried_beside_others() -> None:
    """Each function that is replaced is tried with others' wrappers, or says why not."""
    assert [p for p in PATCHES if not p.uses and not p.why] == []
    assert {use for patch in PATCHES for use in patch.uses} == set(USES)


def test_security_page_tells_of_each() -> None:
    """The page on security says what is replaced in each file of the inventory, and no more."""
    page = Path(__file__).parents[1] / "docs" / "how-to" / "security.md"
    told = re.findall(r"`((?:extensions|telemetry|contrib)/[\w/]+\.py)`", page.read_text())

    assert sorted(told) == sorted({patch.module for patch in PATCHES})
