"""Names of others' in the source, and the inventory of them."""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = runpy.run_path(str(Path(__file__).with_name("private_names.py")))["NAMES"]
ROOT = Path(__file__).parent.parent
FOLDERS = ("extensions", "telemetry", "contrib")
TOOLS = ("/contrib/host/", "/contrib/testing/")  # in no app
PRIVATE = re.compile(r"_[a-zA-Z]\w*").fullmatch
OURS = {"_asdict", "_replace", "_fields", "_F", "_P", "_T", "_meta"}
"""What is private by its name alone: methods of named tuples, type variables, a key of MCP's."""


def sources() -> Iterator[ast.Module]:
    """Parse each module that is in an app."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not any(tool in path.as_posix() for tool in TOOLS):
                yield ast.parse(path.read_text("utf-8"))


def used(node: ast.AST) -> Iterator[str]:
    """Name what a part of a module may take of others: an attribute, an import, a name as text."""
    if isinstance(node, ast.Attribute):
        is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        yield "" if is_own else node.attr
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("funcscope"):
        yield from (node.module or "").split(".")
        yield from (alias.name for alias in node.names)


def defined(node: ast.AST) -> Iterator[str]:
    """Name what a part of a module defines."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            yield node.attr
    elif isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "__slots__" for target in node.targets
    ):
        yield from (str(c.value) for c in ast.walk(node.value) if isinstance(c, ast.Constant))


def test_every_private_name_of_others_is_known() -> None:
    """A private name that is used, and not defined here, is in the inventory; and no other is."""
    nodes = [node for module in sources() for node in ast.walk(module)]
    modules = {p.stem for folder in FOLDERS for p in (ROOT / folder).rglob("_*.py")}
    taken = {name for node in nodes for name in used(node) if PRIVATE(name)}
    own = {name for node in nodes for name in defined(node)} | modules | OURS
    # Made of parts, or the start and end of some text.
    texts = {name for name in taken if name.isupper() or name.startswith("_fs_")}
    known = {name.name for name in NAMES}

    assert taken - own - texts - known - PARTS == set()
    assert {name for name in known if PRIVATE(name)} - taken == set()


PARTS = {
    "_app", "_app_level", "_application", "_application_level", "_func_level", "_function_level",
    "_level", "_funcscope_joined", "_funcscope_trigger_metadata", "_tag", "_log",
}  # fmt: skip
"""Texts that are no names of others': ends of names, keys of our own, a function of `logging`'s."""
