"""The decisions keep up with the code, and the code names those that explain it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
DECISIONS = ROOT / "docs" / "decisions"
PRODUCT = ("extensions", "telemetry", "contrib")

SUPERSEDED = re.compile(r"^\*\*Superseded\*\* by \[(\d{3})\]", re.MULTILINE)
"""How a decision that no longer holds begins, with the one that took its place."""

OF_OTHERS = {
    "ActivityTriggerAttributeBindingProvider", "Any", "AsgiMiddleware", "AsgiResponse",
    "AzureLogHandler", "BaseException", "DurableEntityContext", "DurableOrchestrationContext",
    "Entity", "Final", "GeneratorExit", "HttpResponse", "InvocationResponse", "IsPlayed",
    "KeyboardInterrupt", "Logger", "LoggingHandler", "NativeTelemetry", "NoopTracer",
    "ParentTraceContext", "RpcTraceContext", "Span",
    "SpanContext", "SystemExit", "TaskOrchestrationExecutor", "Thread", "ThreadPool", "Timer",
    "TracebackException", "Tracer", "WsgiResponse", "_RuntimeOrchestrationContext",
}  # fmt: skip
"""Classes in the decisions that are Microsoft's, OpenTelemetry's, OpenCensus's or Python's."""


@cache
def sources() -> str:
    """Read all modules of the product as one text."""
    files = (file for folder in PRODUCT for file in sorted((ROOT / folder).rglob("*.py")))
    return "\n".join(file.read_text() for file in files)


@cache
def decisions() -> dict[str, str]:
    """Read the decisions by number."""
    return {file.name[:3]: file.read_text() for file in sorted(DECISIONS.glob("[0-9]*.md"))}


def standing() -> dict[str, str]:
    """List the decisions that nothing has superseded."""
    return {number: text for number, text in decisions().items() if not SUPERSEDED.search(text)}


@cache
def defined() -> set[str]:
    """List the classes of the product."""
    tree = [
        ast.parse(file.read_text()) for folder in PRODUCT for file in (ROOT / folder).rglob("*.py")
    ]
    return {node.name for each in tree for node in ast.walk(each) if isinstance(node, ast.ClassDef)}


def named() -> set[str]:
    """List the decisions that a docstring or comment of the product names."""
    return set(re.findall(r"decisions?[/ ](\d{3})", sources()))


def test_code_names_the_decisions_that_explain_it() -> None:
    """Each decision that stands is named where it was carried out."""
    assert standing().keys() - named() == set()


def test_code_names_decisions_that_stand() -> None:
    """No code rests on a decision that was superseded, or that is not there."""
    assert named() - standing().keys() == set()


def test_superseded_decisions_say_by_what() -> None:
    """What superseded a decision is one that stands."""
    by = {number: SUPERSEDED.search(text) for number, text in decisions().items()}

    assert {match[1] for match in by.values() if match} <= standing().keys()


def test_decisions_name_classes_that_are_there() -> None:
    """A class that a standing decision names is in the product, or somebody else's."""
    missing = {
        f"{number}: {name}"
        for number, text in standing().items()
        for name in re.findall(r"`(_?[A-Z][A-Za-z]+[a-z][A-Za-z]*)[`.]", text)
        if name not in defined() | OF_OTHERS
    }

    assert missing == set()


def test_decisions_name_files_that_are_there() -> None:
    """A file of ours that a standing decision names is in the repository."""
    files = [str(file) for folder in (*PRODUCT, "tests") for file in (ROOT / folder).rglob("*.py")]
    missing = {
        f"{number}: {name}"
        for number, text in standing().items()
        for name in re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", text)
        if not any(file.endswith(f"/{name}") for file in files)
        and name != "bindings/tracecontext.py"  # Microsoft's
    }

    assert missing == set()


def test_index_lists_every_decision() -> None:
    """The index has a row for each decision, with its title, and says which no longer holds."""
    index = (DECISIONS / "README.md").read_text()

    for file in sorted(DECISIONS.glob("[0-9]*.md")):
        assert f"]({file.name})" in index
