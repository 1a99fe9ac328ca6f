"""
The plan of the house: which room a module is in, and which rooms that one may know.

A room is a private package. Imports count wherever they stand: at the top, in a function, for types
alone, or as the name of a module in a string. One arrow goes upwards, and is the only one that may:
a plug-in of contrib's is loaded by its name, which stands in a string of one module of telemetry.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.sources import imported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parent.parent
MOST_MODULES = 10

X, T, C = "funcscope.extensions", "funcscope.telemetry", "funcscope.contrib"
FACES = {X, f"{X}.integration", T, f"{T}.integration", "funcscope.auto"}
"""What may be imported from outside a layer."""

ROOMS: Mapping[str, set[str]] = {
    "_values": set(),
    "_redaction": {"_values"},
    "_otlp": set(),
    "_config": {"ground", "_values"},
    "_http": {"ground", "_config"},
    "_triggers": {"ground", "_redaction"},
    "_spans": {"ground", "_config", "_otlp", "_redaction", "_triggers", "_values"},
    "_logs": {"ground", "_config", "_redaction", "_values"},
    "_metrics": {"ground", "_redaction", "_triggers"},
    "_delivery": {"ground", "_config", "_http", "_otlp"},
    "_pipeline": {
        "ground", "_config", "_delivery", "_logs", "_metrics", "_otlp", "_redaction", "_spans",
        "_values",
    },
    "_recording": {
        "ground", "_config", "_logs", "_metrics", "_pipeline", "_redaction", "_spans", "_triggers",
        "_values",
    },
    "_api": {
        "ground", "_config", "_logs", "_otlp", "_pipeline", "_recording", "_redaction", "_spans",
        "_triggers", "_values",
    },
    "ground": set(),
}  # fmt: skip
"""
Each room of telemetry, and what it may import of telemetry.

`ground` are the modules that stand in no room.
"""

NAMES_CONTRIB = f"{T}._integrations"
"""The one module of telemetry that names modules of contrib: plug-ins, which it loads by name."""


@cache
def modules() -> dict[str, ast.Module]:
    """Read all modules of ours by name; the demo's app is a user's."""
    found: dict[str, ast.Module] = {}
    for folder in ("extensions", "telemetry", "contrib"):
        for file in (ROOT / folder).rglob("*.py"):
            if file.parent.name != "app":
                name = ".".join(file.relative_to(ROOT / folder).with_suffix("").parts)
                found[name.removesuffix(".__init__")] = ast.parse(file.read_text())
    return found


def named(tree: ast.Module) -> Iterator[str]:
    """List what a module imports anywhere in it, and what it names in a string."""
    yield from imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            if text.startswith("funcscope.") and text.count(".") > 1:  # else a logger's name
                yield text


@cache
def arrows() -> dict[str, set[str]]:
    """List the modules of ours that each module knows; of a name in a package, its home alone."""
    known = modules()
    found: dict[str, set[str]] = {}
    for name, tree in known.items():
        targets = {target for target in named(tree) if target in known} - {name}
        # `from a.b import c` names a.b too, which is a package on the way.
        packages = {other.rpartition(".")[0] for other in targets}
        found[name] = targets - {each for each in packages if is_room(each)}
    return found


def is_room(module: str) -> bool:
    """Tell whether a module is a private package."""
    return module.rpartition(".")[2].startswith("_") and any(
        other.startswith(f"{module}.") for other in modules()
    )


def room_of(module: str) -> str:
    """Return the room of a module of telemetry; `ground` for those in none."""
    part = module.removeprefix(f"{T}.").partition(".")[0]
    return part if is_room(f"{T}.{part}") else "ground"


def is_face(module: str) -> bool:
    """Tell whether a module may be imported from other layers."""
    return module in FACES


def layer(module: str) -> str:
    """Return what a module is of: extensions, telemetry or contrib."""
    return T if module == "funcscope.auto" else ".".join(module.split(".")[:2])


def crossing(of: str, to: str) -> set[str]:
    """List the modules of a layer that another layer knows, faces left out."""
    return {
        target.removeprefix("funcscope.")
        for source, targets in arrows().items()
        for target in targets
        if layer(source) == of and layer(target) == to and not is_face(target)
    }


def downwards() -> dict[str, set[str]]:
    """
    List the same without the one arrow upwards that is allowed.

    A plug-in is found by its name, which is no import: what it needs of telemetry is there before.
    `test_contrib_is_named_in_one_place` sees to it that one module has all these names.
    """
    return {
        name: {target for target in targets if name != NAMES_CONTRIB or layer(target) != C}
        for name, targets in arrows().items()
    }


def circles() -> list[set[str]]:
    """Find the modules that reach each other: strongly connected ones (Tarjan 1972)."""
    graph, index, low = downwards(), dict[str, int](), dict[str, int]()
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in sorted(graph[name]):
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            cut = stack.index(name)
            if len(stack) - cut > 1:
                found.append({each.removeprefix("funcscope.") for each in stack[cut:]})
            del stack[cut:]

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return sorted(found, key=lambda each: sorted(each))


def test_rooms_know_what_the_plan_says() -> None:
    """A module of a room imports only from the rooms that its row allows."""
    found = {
        f"{source} > {target}".replace(f"{T}.", "")
        for source, targets in arrows().items()
        for target in targets
        if layer(source) == layer(target) == T and not {source, target} & FACES
        and room_of(source) != room_of(target)
        and room_of(target) not in ROOMS[room_of(source)]
    }  # fmt: skip

    assert found == set()


def test_no_room_is_above_itself() -> None:
    """The plan's arrows have an order."""
    left = {room: set(known) for room, known in ROOMS.items()}
    while free := {room for room, known in left.items() if not known & left.keys()}:
        left = {room: known for room, known in left.items() if room not in free}

    assert left == {}
    assert set(chain(*ROOMS.values())) <= set(ROOMS)


def test_no_modules_import_each_other() -> None:
    """There is no way along imports from a module to itself."""
    assert circles() == []


def test_rooms_are_small() -> None:
    """No room has more than ten modules."""
    sizes = {
        room.removeprefix("funcscope."): sum(
            name.rpartition(".")[0] == room for name in modules() if not is_room(name)
        )
        for room in modules()
        if is_room(room)
    }

    assert {room: size for room, size in sizes.items() if size > MOST_MODULES} == {}


def test_contrib_stands_on_faces() -> None:
    """Contrib imports of extensions and telemetry what their faces offer."""
    assert crossing(C, X) | crossing(C, T) == set()


def test_telemetry_stands_on_faces() -> None:
    """Telemetry imports of extensions what its faces offer."""
    assert crossing(T, X) == set()


def test_contrib_is_named_in_one_place() -> None:
    """One module of telemetry names modules of contrib, and imports none."""
    naming = {
        name
        for name, tree in modules().items()
        if layer(name) == T and any(each.startswith(f"{C}.") for each in named(tree))
    }

    assert naming == {NAMES_CONTRIB}


def test_packages_of_contrib_stand_alone() -> None:
    """A package of contrib imports the shared ground, which imports none, and what it extends."""
    packages = {
        (source.split(".")[2], target.split(".")[2])
        for source, targets in arrows().items()
        for target in targets
        if layer(source) == layer(target) == C
    }

    others = {(of, to) for of, to in packages if to not in (of, "_local")}
    assert others == {("opencensus", "azuremonitor")}  # which is a destination of its options


WHERE = re.compile(r"^\|.*`((?:extensions|telemetry)/[\w/]+)\.py`: `(\w+)` \|", re.MULTILINE)
"""A row of a table: a file below a layer's folder, and what it defines."""


def defined(tree: ast.Module) -> set[str]:
    """List what a module defines at its top."""
    return {
        name
        for node in tree.body
        for name in (
            [node.name]
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            else [target.id for target in node.targets if isinstance(target, ast.Name)]
            if isinstance(node, ast.Assign)
            else [node.target.id]
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
            else []
        )
    }


@pytest.mark.parametrize("page", ["architecture", "glossary"])
def test_pages_say_where_things_are(page: str) -> None:
    """Each file in the tables of these pages is a module of ours that defines what it names."""
    rows = WHERE.findall((ROOT / "docs" / f"{page}.md").read_text())
    wrong = [
        f"{file}.py: {name}"
        for file, name in rows
        if name not in defined(modules()["funcscope." + file.replace("/", ".")])
    ]

    assert len(rows) >= 30
    assert not wrong


STEP = re.compile(r"─ ([\w.]+) +((?:extensions|telemetry)/[\w/]+)\.py")
"""A step of one of the architecture's ways: what is called, and the file in which it is."""


def has(tree: ast.Module, name: str) -> bool:
    """Tell whether a module defines a function, a class, or a class's method."""
    owner, _, method = name.rpartition(".")
    if not owner:
        return name in defined(tree)
    return any(
        isinstance(node, ast.ClassDef)
        and node.name == owner
        and any(isinstance(each, ast.FunctionDef) and each.name == method for each in node.body)
        for node in tree.body
    )


def test_architecture_tells_ways_that_are_taken() -> None:
    """Each step of the architecture's ways is in the file that it names."""
    steps = STEP.findall((ROOT / "docs" / "architecture.md").read_text())
    wrong = [
        f"{file}.py: {name}"
        for name, file in steps
        if not has(modules()["funcscope." + file.replace("/", ".")], name)
    ]

    assert len(steps) >= 25
    assert not wrong
