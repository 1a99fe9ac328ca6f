"""
Speed without a clock: what runs at each invocation, and what is loaded at a cold start.

A test that fails here has found no mistake, but something that every invocation or every cold
start pays for. Where that is worth it, the number is raised, and the commit says for what.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.patience import PROCESS_S
from tests.sdk_versions import OWN_SPANS, since

from funcscope.contrib.host import OtlpReceiver, TelemetryStore

HERE = Path(__file__).parent
APP = HERE.parent / "apps" / "v2_plain"

SETTINGS = {
    "all": {},
    "no_metrics": {"OTEL_METRICS_EXPORTER": "none"},
    "spans_alone": {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"},
}
"""By what is exported over OTLP/HTTP: the app settings for it."""

FUNCTIONS = {
    ("no_metrics", "hello"): 24,
    ("no_metrics", "logs"): 46,
    ("all", "hello"): 31,
    ("all", "logs"): 53,
}
"""
By what is exported and called: how many functions of ours run on the function's thread.

Counted on Python 3.13.0 with azure-functions-runtime 1.3.0 at commit 254d11c. `logs` logs one
line more than `hello`; the worker's own line at each invocation, which is of no invocation, takes
the first three. Counting files instead of modules, as before, leaves out `Logger.callHandlers`'s
replacement and the dataclass `InvocationOutcome`: 22 and 43 without metrics.
"""

MODULES = {"all": 140, "no_metrics": 136, "spans_alone": 128}
"""
By what is exported: how many modules of ours are loaded once the first span has left.

Counted at commit fdb7e08. Each takes 0.1 ms or more (docs/decisions/024). The encoder of metrics
has come since, in place of 63 modules of protobuf's and OpenTelemetry's (docs/decisions/054), and
what takes out of the environment what the SDK cannot read (docs/decisions/048).
"""

NOT_ASKED_FOR = {
    "triggers other than HTTP's": [
        "funcscope.telemetry._triggers.conversion",
        "funcscope.telemetry._triggers.messaging",
        "funcscope.telemetry._triggers.families",
        "funcscope.telemetry._triggers.table",
        "funcscope.telemetry._triggers.links",
        "funcscope.telemetry._triggers.other",
        "funcscope.telemetry._triggers.fields",
    ],
    "the spool": [
        "funcscope.telemetry._delivery.spool",
        "funcscope.telemetry._delivery.spool_file",
    ],
    "the SDK's batches and exporters": [
        "funcscope.telemetry._pipeline.sdk_batches",
    ],
    "redaction of what the host is sent": ["funcscope.telemetry._logs.stream"],
    "what an app calls": [
        "funcscope.telemetry._api.messages",
        "funcscope.telemetry._api.processes",
        "funcscope.telemetry._api.tags",
        "funcscope.telemetry._api.timing",
    ],
    "the command line": ["funcscope.extensions.__main__"],
    "tests": ["funcscope.extensions._lifecycle.registrations"],
    "other people's libraries": [
        "funcscope.contrib.azuremonitor",
        "funcscope.contrib.durable",
        "funcscope.contrib.opencensus",
        "funcscope.contrib.testing",
        "funcscope.contrib.web",
    ],
}
"""By what asks for them: modules that a plain app must not load, nor any below them."""

OF_METRICS = [
    "funcscope.telemetry._pipeline.metrics",
    "funcscope.telemetry._metrics.redaction",
    "funcscope.telemetry._metrics.sums",
]
OF_LOGS = [
    "funcscope.telemetry._pipeline.logs",
    "funcscope.telemetry._logs.capture",
    "funcscope.telemetry._logs.processor",
    "funcscope.telemetry._logs.records",
    "funcscope.telemetry._otlp.logs",
    "funcscope.telemetry._place",
    "funcscope.telemetry._values.plain",
    "funcscope.telemetry._logs.claims",
]

PLAIN = [name for names in NOT_ASKED_FOR.values() for name in names]
UNWANTED = {
    "all": PLAIN,
    "no_metrics": [*PLAIN, *OF_METRICS],
    "spans_alone": [*PLAIN, *OF_METRICS, *OF_LOGS],
}
"""By what is exported: modules that must not be loaded then."""


class Counted(NamedTuple):
    """
    What an app took.

    Attributes:
        modules: Ours that were loaded once the first span had left.
        ran: By the app's function: ours that ran on its thread, in order.
    """

    modules: list[str]
    ran: dict[str, list[str]]


@cache
def count(exported: str) -> Counted:
    """Run the app in a process of its own."""
    store = TelemetryStore()
    with OtlpReceiver(store.add) as receiver:
        environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "FUNCSCOPE_"))},
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
            "PYTHONWARNINGS": "error",
            **SETTINGS[exported],
        }
        done = subprocess.run(
            [sys.executable, "-m", "tests.integration.counting", str(APP)],
            cwd=HERE.parents[1],
            env=environ,
            capture_output=True,
            text=True,
            timeout=PROCESS_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert store.spans
    return Counted(**json.loads(done.stdout))


@since(42, OWN_SPANS)
@pytest.mark.library_worker
@pytest.mark.parametrize(("exported", "function"), FUNCTIONS)
def test_functions_per_invocation(exported: str, function: str) -> None:
    """A warmed-up invocation runs no more functions of ours on its thread than were counted."""
    ran = count(exported).ran[function]

    assert len(ran) <= FUNCTIONS[exported, function], in_order(ran)


@since(42, OWN_SPANS)
@pytest.mark.library_worker
@pytest.mark.parametrize("exported", MODULES)
def test_modules_at_a_cold_start(exported: str) -> None:
    """Once the first span has left, no more modules of ours are loaded than were counted."""
    modules = count(exported).modules

    assert len(modules) <= MODULES[exported], in_order(modules)


@pytest.mark.library_worker
@pytest.mark.parametrize("exported", UNWANTED)
def test_what_is_not_asked_for_is_not_loaded(exported: str) -> None:
    """What other apps need is left alone by one that has HTTP functions and exports over OTLP."""
    unwanted = UNWANTED[exported]
    names = count(exported).modules
    loaded = {n for n in names for u in unwanted if n == u or n.startswith(f"{u}.")}

    assert not loaded, in_order(sorted(loaded))


def test_unwanted_modules_exist() -> None:
    """Each name in these lists is a module's: one that is nobody's would forbid nothing."""
    gone = [n for n in UNWANTED["spans_alone"] if importlib.util.find_spec(n) is None]

    assert gone == []


def in_order(names: list[str]) -> str:
    """List what was counted, one a line and numbered, for whoever looks what came in."""
    return "\n" + "\n".join(f"{number:4} {name}" for number, name in enumerate(names, 1))
