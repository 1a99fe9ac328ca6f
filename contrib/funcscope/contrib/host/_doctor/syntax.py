"""Names in a module's source: what an expression refers to, by the imports alone."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def imports(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Yield each import anywhere in a tree: the local name, the full name, the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                # `import a.b` binds `a`.
                full = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or full, full, node.lineno
                if full != alias.name:
                    yield alias.name, alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                prefix = f"{'.' * node.level}{node.module or ''}"
                yield alias.asname or alias.name, f"{prefix}.{alias.name}", node.lineno


def imported_names(tree: ast.AST) -> dict[str, str]:
    """Return the full name of each local name that an import binds."""
    return {local: full for local, full, _ in imports(tree)}


def full_name(node: ast.expr, names: Mapping[str, str]) -> str:
    """Return the dotted name of what an expression refers to; `""` for any other expression."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        owner = full_name(node.value, names)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def calls(tree: ast.AST, names: Mapping[str, str]) -> Iterator[tuple[str, ast.Call]]:
    """Yield each call in a tree with the full name of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield full_name(node.func, names), node


def subclasses(tree: ast.AST, bases: set[str], names: Mapping[str, str]) -> dict[str, int]:
    """Return the classes that derive from any of `bases`, by way of each other too: name, line."""
    found: dict[str, int] = {}
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for _ in classes:  # a base may stand after a class in the walk
        for node in classes:
            known = bases | found.keys()
            if any(full_name(base, names) in known for base in node.bases):
                found[node.name] = node.lineno
    return found
