"""What other packages register is found by OpenTelemetry's settings, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.patience import PROCESS_S

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """
import json, sys
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource, ResourceDetector
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

SEEN = {"spans": [], "logs": [], "argument": None}

class Spans(SpanExporter):
    def export(self, spans):
        SEEN["spans"] += [json.loads(span.to_json()) for span in spans]
        return SpanExportResult.SUCCESS

class Logs(LogRecordExporter):
    def export(self, batch):
        SEEN["logs"] += [each.log_record.body for each in batch]
        return LogRecordExportResult.SUCCESS
    def force_flush(self, timeout_millis=0): return True
    def shutdown(self): pass

class Metrics(InMemoryMetricReader):
    def __init__(self):
        super().__init__()
        SEEN["reader"] = self

def sampler(argument):
    SEEN["argument"] = argument
    return ALWAYS_ON

class Ids(IdGenerator):
    def generate_trace_id(self): return 0xA
    def generate_span_id(self): return 0xB

class Detector(ResourceDetector):
    def detect(self): return Resource({"shop.city": "Delft"})

class Propagator(TextMapPropagator):
    fields = {"x-shop"}
    def extract(self, carrier, context=None, getter=None): return context
    def inject(self, carrier, context=None, setter=None): carrier["x-shop"] = "1"
"""

POINTS = """
[opentelemetry_traces_exporter]
Shop = shop_telemetry:Spans
[opentelemetry_logs_exporter]
Shop = shop_telemetry:Logs
[opentelemetry_metrics_exporter]
Shop = shop_telemetry:Metrics
[opentelemetry_traces_sampler]
shop = shop_telemetry:sampler
broken = shop_telemetry:Detector
[opentelemetry_id_generator]
shop = shop_telemetry:Ids
[opentelemetry_resource_detector]
shop = shop_telemetry:Detector
[opentelemetry_propagator]
shop = shop_telemetry:Propagator
"""

CODE = """
import json, logging, os, sys, types
logging.basicConfig(format="%(name)s: %(message)s")
from funcscope.extensions import Function, Invocation
from funcscope.telemetry._api.extension import recorder
from opentelemetry import _logs, metrics, trace

recorder().session.prepare("")
context = types.SimpleNamespace(invocation_id="1", trace_context=None, retry_context=None)
invocation = Invocation("1", Function("hello", "/app", False, "app.hello"), {}, context)
mark = recorder().begin(invocation)
logging.getLogger("app").warning("said")
metrics.get_meter("app").create_counter("c").add(1, {"url": "https://a.net/?sig=hush"})
recorder().end(invocation, mark, "result")
seen = {"sdk": type(trace.get_tracer_provider()).__module__}
if "shop_telemetry" in sys.modules:
    from opentelemetry import propagate
    for provider in (trace.get_tracer_provider(), _logs.get_logger_provider()):
        getattr(provider, "force_flush", int)()
    propagate.inject(carrier := {})
    seen |= sys.modules["shop_telemetry"].SEEN | {"carrier": carrier}
    if "reader" in seen:
        seen["reader"] = seen["reader"].get_metrics_data().to_json()
print(json.dumps(seen))
"""

ALL = {
    **{f"OTEL_{signal}_EXPORTER": "Shop" for signal in ("TRACES", "LOGS", "METRICS")},
    "OTEL_TRACES_SAMPLER": "shop",
    "OTEL_TRACES_SAMPLER_ARG": "half",
    "OTEL_PYTHON_ID_GENERATOR": "shop",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "shop",
    "OTEL_PROPAGATORS": "shop",
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Install a distribution with a plug-in of each kind."""
    info = tmp_path / "shop_telemetry-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-telemetry\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    (tmp_path / "shop_telemetry.py").write_text(MODULE)
    return tmp_path


def run(folder: Path, environ: dict[str, str]) -> tuple[dict[str, Any], str]:
    """Record an invocation in a fresh interpreter; return what the plug-ins saw, and the log."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=False,
        env={**clean, "PYTHONPATH": str(folder), **environ}, timeout=PROCESS_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[0]), done.stderr


def test_what_is_registered_is_used(shop: Path) -> None:
    """Each setting may name what a package has registered, and gets it without secrets."""
    seen, log = run(shop, ALL)
    (span,) = seen["spans"]

    assert span["context"]["trace_id"].endswith("00000a")
    assert span["context"]["span_id"].endswith("00000b")
    assert span["resource"]["attributes"]["shop.city"] == "Delft"
    assert (seen["logs"], seen["argument"], seen["carrier"]) == (["said"], "half", {"x-shop": "1"})
    assert '"name": "c"' in seen["reader"]
    assert "hush" not in seen["reader"]
    assert "funcscope" not in log


def test_what_is_not_registered_is_named(shop: Path) -> None:
    """A name that is nobody's is one line of ours, with what there is; the rest goes on."""
    wrong = {name: "shoop" for name in ALL if name != "OTEL_LOGS_EXPORTER"}
    seen, log = run(shop, {**wrong, "OTEL_TRACES_EXPORTER": "shoop,console"})
    lines = [line for line in log.splitlines() if line.startswith("funcscope.telemetry: OTEL_")]

    assert seen["sdk"].startswith("opentelemetry.sdk.")
    assert len(lines) == len(wrong) - 1  # one for each, and none for the sampler's argument
    assert [line.count("shoop") for line in lines if "there are" in line] == [1, 1, 1, 1]
    assert all("shop" in line.replace("shoop", "") for line in lines if "there are" in line)
    for signal in ("traces", "metrics"):
        (line,) = (line for line in lines if f"OTEL_{signal.upper()}_EXPORTER" in line)
        assert "otlp, console, azuremonitor, none" in line
        assert "Shop" in line
    assert "recognize" not in log  # the SDK's own word for it


def test_what_is_registered_and_wrong_is_named(shop: Path) -> None:
    """A plug-in that cannot be made is one line, and what holds in its place."""
    seen, log = run(shop, {"OTEL_TRACES_EXPORTER": "Shop", "OTEL_TRACES_SAMPLER": "broken"})

    assert len(seen["spans"]) == 1
    assert log.count("OTEL_TRACES_SAMPLER='broken' is not used: ") == 1
    assert "parentbased_always_on holds" in log
