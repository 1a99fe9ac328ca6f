"""
The API's reference, made from the code: a page for each public module, with all of its `__all__`.

`make site` writes the pages and hands this module to Sphinx, as an extension of it.
"""

from __future__ import annotations

import ast
import inspect
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("extensions", "telemetry", "contrib")
_BACK = re.compile(r'<a class="viewcode-back".*?</a>')
_DECISION = re.compile(r"docs/decisions/(\d{3})")


def public_modules() -> Iterator[str]:
    """Name the modules that have an `__all__`, and no private part in their path."""
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.py"):
            parts = file.relative_to(ROOT / folder).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            is_public = not any(part.startswith("_") for part in name.split("."))
            if is_public and re.search(r"^__all__\b", file.read_text("utf-8"), re.MULTILINE):
                yield name


MODULES = sorted(public_modules())
"""The public modules' names."""


def setup(app: Sphinx) -> dict[str, Any]:
    """Let Sphinx link decisions and public names, and leave out what is documented already."""
    app.connect("autodoc-process-docstring", _link_decisions)
    app.connect("autodoc-skip-member", _skip_fields)
    app.connect("missing-reference", _resolve_public)
    app.connect("html-page-context", _drop_back_links)
    app.connect("viewcode-follow-imported", _stay_at_home)
    return {"parallel_read_safe": True}


class Definition(NamedTuple):
    """
    Where a name is defined.

    Attributes:
        node: The definition: of a class, of a function, or an assignment.
        doc: What stands below it, where it is an assignment.
    """

    node: ast.stmt
    doc: str


def module_page(name: str) -> str:
    """
    Make a module's page, in reStructuredText.

    Raises:
        LookupError: A public name has no docstring.
    """
    parts = [f"{name}\n{'=' * len(name)}\n", f".. automodule:: {name}\n   :no-members:\n"]
    public = import_module(name).__all__
    return "\n".join(parts + [_entry(name, own) for own in sorted(public, key=str.lower)])


def _entry(module: str, name: str) -> str:
    """Document one name, by autodoc where it is a class or a function."""
    definition = define(module, name)
    match definition.node:
        case ast.ClassDef():
            value = getattr(import_module(module), name)
            members = "" if issubclass(value, BaseException) else "   :members:\n"
            return f".. autoclass:: {module}.{name}\n{members}"
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return f".. autofunction:: {module}.{name}\n"
    if not definition.doc:
        raise LookupError(f"{module}.{name} has no docstring: write one below its assignment")
    doc = _DECISION.sub(_decision_role, definition.doc).replace("\n", "\n   ")
    return f".. py:data:: {name}\n{_options(definition.node)}\n   {doc}\n"


def _options(node: ast.stmt) -> str:
    """Say a constant's value; or its type, where that is what counts."""
    match node:
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias"), value=ast.expr() as value):
            return f"   :value: {ast.unparse(value)}\n"
        case ast.AnnAssign(annotation=annotation):
            return f"   :type: {ast.unparse(annotation)}\n"
        case ast.Assign(value=value):
            return f"   :value: {ast.unparse(value)}\n"
    raise TypeError(f"{ast.unparse(node)!r} is no assignment")


def define(module: str, name: str) -> Definition:
    """
    Find a module's name where it is defined, through the imports that hand it on.

    Raises:
        LookupError: It is nowhere.
    """
    spec = find_spec(module)
    body = list(_statements(ast.parse(Path(str(spec and spec.origin)).read_text("utf-8"))))
    for node, after in zip(body, [*body[1:], None], strict=True):
        match node:
            case ast.ImportFrom(module=str(origin), names=names):
                if any((alias.asname or alias.name) == name for alias in names):
                    return define(origin, name)
            case ast.ClassDef(name=found) | ast.FunctionDef(name=found):
                if found == name:
                    return Definition(node, "")
            case (
                ast.Assign(targets=[ast.Name(id=found)]) | ast.AnnAssign(target=ast.Name(id=found))
            ):
                if found == name:
                    return Definition(node, _doc(after))
    raise LookupError(f"{module} defines no {name!r}")


def _statements(module: ast.Module) -> Iterator[ast.stmt]:
    """List a module's statements, those for type checkers alone among them."""
    for node in module.body:
        yield from node.body if isinstance(node, ast.If) else [node]


def _doc(node: ast.stmt | None) -> str:
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return inspect.cleandoc(text)
    return ""


def _decision_role(match: re.Match[str]) -> str:
    """Link a decision that a docstring names."""
    (page,) = (ROOT / "docs" / "decisions").glob(f"{match[1]}-*.md")
    return f":doc:`decision {match[1]} </decisions/{page.stem}>`"


def _link_decisions(*event: Any) -> None:  # what Sphinx calls with: the last are the lines
    lines: list[str] = event[-1]
    lines[:] = [_DECISION.sub(_decision_role, line) for line in lines]


def _skip_fields(*event: Any) -> bool | None:  # app, kind, name, object, whether it is skipped, …
    """Leave out a tuple's fields, which its class documents."""
    return True if type(event[3]).__name__ == "_tuplegetter" else None


def _drop_back_links(*event: Any) -> None:  # app, page, template, context, …
    """Take viewcode's links to documentation away, which lead nowhere where a name is handed on."""
    if event[1].startswith("_modules/"):
        event[3]["body"] = _BACK.sub("", event[3]["body"])


def _stay_at_home(*event: Any) -> str | None:  # app, module, name
    """Show no source of Python's own for a constant, whose type has its module."""
    module: str = event[1]
    value = getattr(import_module(module), event[2].partition(".")[0], None)
    is_ours = str(getattr(value, "__module__", "")).startswith("funcscope.")
    return None if is_ours else module


def _resolve_public(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element
) -> nodes.Element | None:
    """Find what is referred to by the place where it is defined by its public name."""
    if node.get("refdomain") != "py":
        return None
    name = node["reftarget"].rpartition(".")[2]
    places = [module for module in MODULES if name in import_module(module).__all__]
    if len(places) != 1 or not node["reftarget"].startswith("funcscope."):
        return None
    python = env.domains.python_domain
    target = f"{places[0]}.{name}"
    return python.resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, contnode)
