"""
The table of the developer guide's sections, made of the tests that run its apps.

Read from the source of `tests/integration/test_guide.py`: `section` marks a test, and its docstring
says what is checked.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests" / "integration" / "test_guide.py"

GUIDE = """\
# The developer guide, section by section

Microsoft's [Python developer guide](https://learn.microsoft.com/azure/azure-functions/functions-reference-python)
describes these systems. Each has an app in `tests/apps/guide`, which `funcscope run` runs on Microsoft's own
worker, and a test that calls it from outside and looks at its answer and at what it exports.

| section | app | what is checked |
|---|---|---|
{rows}
"""


def guide_reference() -> str:
    """Make the page."""
    tree = ast.parse(TESTS.read_text(encoding="utf-8"))
    rows = [row for node in tree.body if isinstance(node, ast.FunctionDef) for row in _rows(node)]
    return GUIDE.format(rows="\n".join(rows))


def _rows(test: ast.FunctionDef) -> list[str]:
    checked = " ".join((ast.get_docstring(test) or "").split())
    rows: list[str] = []
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "section":
            name, *apps = (ast.literal_eval(argument) for argument in decorator.args)
            links = ", ".join(f"[`{app}`](../../tests/apps/guide/{app})" for app in apps)
            rows.append(f"| {name} | {links} | {checked} |")
    return rows
