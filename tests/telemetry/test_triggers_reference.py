"""The names that triggers use, and the reference that is made of their tables."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

import azure.functions as func
import pytest
from scripts.trigger_reference import reference, table_sources

import funcscope.telemetry as package
from funcscope.extensions import Binding, Function, Invocation
from funcscope.extensions._invocation import PartialContext
from funcscope.telemetry import _semconv as _names
from funcscope.telemetry._semconv import NAMES, OWN_NAMES, RENAMED, RESOURCE_GROUP, SYSTEMS
from funcscope.telemetry._triggers.choice import extractor_for
from funcscope.telemetry._triggers.families import TABLES
from funcscope.telemetry._triggers.http import HTTP_SOURCES

if TYPE_CHECKING:
    from funcscope.telemetry._triggers.table import TriggerTable

ROOT = Path(__file__).parent.parent.parent
SOURCES = [
    *sorted(Path(str(package.__file__)).parent.glob("**/*.py")),
    *sorted(ROOT.glob("contrib/funcscope/contrib/durable/*.py")),
]
PREFIXES = ("faas", "messaging", "cloudevents", "mcp", "gen_ai", "http", "url", "server", "client",
            "user_agent", "azure", "durabletask", "funcscope", "error", "code", "cloud",
            "service", "host", "process", "deployment", "exception", "telemetry")  # fmt: skip
MODULES = ("funcscope.telemetry", "funcscope.extensions", "funcscope.timing", "azure.monitor.",
           "azure.core.",
           "funcscope.contrib", "funcscope.durable", "azure.durable_functions",
           "azure.functions.", "durabletask.internal", "durabletask.worker")  # fmt: skip
OTHERS = {"azure.functions", "azure.monitor", "host.json", "funcscope.invocations"}
LATEST = {
    RESOURCE_GROUP,
    *SYSTEMS.values(),
    *(n for names in RENAMED.values() for n in names.values()),
}
"""Semantic conventions 1.45, which are compared in `test_semconv`."""
EVENTS = {"faas.invocation.exception"}
"""Semantic conventions 1.44, `faas`; their package for Python has no names of events."""
NAME = re.compile(rf'"((?:{"|".join(PREFIXES)})\.[a-z0-9_.]*[a-z0-9_])"')


def conventional_names() -> set[str]:
    """Read all names of attributes and metrics of the installed semantic-conventions package."""
    spec = importlib.util.find_spec("opentelemetry.semconv")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    names: set[str] = set()
    for file in (*folder.glob("**/*_attributes.py"), *folder.glob("**/*_metrics.py")):
        module = ".".join(file.relative_to(folder.parent).with_suffix("").parts)
        values = vars(importlib.import_module(f"opentelemetry.{module}")).values()
        names.update(value for value in values if isinstance(value, str))
    return names


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.name)
def test_names_are_known(file: Path) -> None:
    """Every attribute and metric in the sources is in one of the tables, with its version."""
    names = {name for name in NAME.findall(file.read_text()) if not name.startswith(MODULES)}

    assert names - OTHERS - LATEST <= {*NAMES, *OWN_NAMES, *EVENTS}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.title)
def test_attributes_of_tables_are_known(table: TriggerTable) -> None:
    """Every attribute of a table is conventional, or in the table of our own."""
    names = {name for name, _ in table_sources(table)}

    assert names <= conventional_names() | OWN_NAMES.keys()


def test_own_names_are_needed() -> None:
    """No name of our own has a conventional one, and each is used."""
    sources = "".join(f.read_text() for f in SOURCES if f.name != "_semconv.py")
    constants = {value: name for name, value in vars(_names).items() if name.isupper()
                 and isinstance(value, str)}  # fmt: skip
    unused = {name for name in OWN_NAMES if not re.search(rf"\b{constants[name]}\b", sources)}

    assert not OWN_NAMES.keys() & conventional_names()
    assert not unused


def test_http_attributes_are_documented() -> None:
    """What an HTTP trigger says is in its table, and nothing in it is never said."""
    binding = Binding("req", "httpTrigger", "in", {})
    function = Function("f", "/", False, "f", (binding,))
    extractor = extractor_for(function, route_prefix="api", environ={})
    request = func.HttpRequest(
        "GET", "https://a/b?c=d", headers={"user-agent": "x", "x-forwarded-for": "y"}, body=b""
    )
    invocation = Invocation(
        "0f8e", function, {"req": request}, PartialContext("0f8e", "f", "/", None)
    )
    said = {
        **extractor.constants,
        **extractor.attributes(extractor.snapshot(invocation)),
        **extractor.outcome(invocation, None).attributes,
        **extractor.error_attributes,
    }

    assert said.keys() == {name for name, _ in HTTP_SOURCES}


def test_reference_is_current() -> None:
    """The page in the docs is what the tables say now."""
    page = ROOT / "docs" / "reference" / "triggers.md"

    assert page.read_text() == reference(), "run `make docs`"
