"""What other packages register is found by OpenTelemetry's settings, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.patience import PROCESS_S
from tests.sdk_versions import without_advice

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """
import json, os, sys
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
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

def note(event):
    with open(os.environ["SHOP_NOTES"], "a") as file: file.write(event + " ")

class Points(MetricExporter):
    def export(self, data, timeout_millis=0, **_):
        note("export")
        return MetricExportResult.SUCCESS
    def force_flush(self, timeout_millis=0): return True
    def shutdown(self, timeout_millis=0, **_): note("shutdown")

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

class Bare: pass
class Idle(SpanExporter): pass
class NoReader:
    def export(self, *_, **__): pass
    def shutdown(self, *_, **__): pass
    def force_flush(self, *_, **__): pass

class Finds(ResourceDetector):
    def __init__(self): super().__init__(raise_on_error=True)
    def detect(self): return None

class Fails(Finds):
    def detect(self): raise LookupError("no city")

class Leaves(Finds):
    def detect(self): sys.exit(3)

class Unmade(Bare):
    def __init__(self): raise LookupError("no key")
"""

POINTS = """
[opentelemetry_traces_exporter]
Shop = shop_telemetry:Spans
bare = shop_telemetry:Bare
idle = shop_telemetry:Idle
unmade = shop_telemetry:Unmade
gone = shop_telemetry:Gone
[opentelemetry_logs_exporter]
Shop = shop_telemetry:Logs
bare = shop_telemetry:Bare
[opentelemetry_metrics_exporter]
Shop = shop_telemetry:Metrics
points = shop_telemetry:Points
bare = shop_telemetry:Bare
noreader = shop_telemetry:NoReader
[opentelemetry_traces_sampler]
shop = shop_telemetry:sampler
broken = shop_telemetry:Detector
[opentelemetry_id_generator]
shop = shop_telemetry:Ids
bare = shop_telemetry:Bare
[opentelemetry_resource_detector]
shop = shop_telemetry:Detector
bare = shop_telemetry:Bare
none = shop_telemetry:Finds
fails = shop_telemetry:Fails
leaves = shop_telemetry:Leaves
unmade = shop_telemetry:Unmade
[opentelemetry_propagator]
shop = shop_telemetry:Propagator
bare = shop_telemetry:Bare
unmade = shop_telemetry:Unmade
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
if "SHUT_DOWN" in os.environ:
    metrics.get_meter_provider().shutdown()
"""

FILE = """
file_format: "1.0"
meter_provider:
  readers:
    - periodic: {exporter: {points: {}}}
"""

ALL = {
    **{f"OTEL_{signal}_EXPORTER": "Shop" for signal in ("TRACES", "LOGS", "METRICS")},
    "OTEL_TRACES_SAMPLER": "shop",
    "OTEL_TRACES_SAMPLER_ARG": "half",
    "OTEL_PYTHON_ID_GENERATOR": "shop",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "shop",
    "OTEL_PROPAGATORS": "shop",
}

BARE = "shop_telemetry:Bare makes Bare, which is no"


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
    return json.loads(done.stdout.splitlines()[0]), without_advice(done.stderr)


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


@pytest.mark.parametrize("by", ["settings", "file"])
@pytest.mark.parametrize("more", [{}, {"SHUT_DOWN": "1"}], ids=["ours", "the app's"])
def test_exporters_of_metrics_are_shut_down(shop: Path, by: str, more: dict[str, str]) -> None:
    """At the end of the process one gets its points once, is shut down once, and that is all."""
    environ = {"OTEL_METRICS_EXPORTER": "points"}
    if by == "file":
        pytest.importorskip("opentelemetry.configuration")
        (shop / "otel.yaml").write_text(FILE)
        environ = {"OTEL_CONFIG_FILE": str(shop / "otel.yaml")}
    _, log = run(shop, {**environ, **more, "SHOP_NOTES": str(shop / "notes")})

    assert (shop / "notes").read_text().split() == ["export", "shutdown"]
    assert "shutdown" not in log


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


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none", "it returns NoneType, which is no Resource"),
        ("fails", "it fails: LookupError('no city')"),
        ("leaves", "it fails: SystemExit(3)"),
        ("unmade", "shop_telemetry:Unmade fails: LookupError('no key')"),
        ("bare", f"{BARE} resource detector: it lacks detect()"),
    ],
)
@pytest.mark.parametrize("names", ["{},shop", "*"])
def test_resource_detectors_that_fail_cost_themselves(
    shop: Path, name: str, says: str, names: str
) -> None:
    """A detector that raises or finds no resource is one line; what others find is there."""
    environ = {"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": names.format(name)}
    seen, log = run(shop, {"OTEL_TRACES_EXPORTER": "Shop", **environ})
    (span,) = seen["spans"]

    assert span["resource"]["attributes"]["shop.city"] == "Delft"
    assert span["resource"]["attributes"]["telemetry.sdk.language"] == "python"
    said = f"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS={name!r} is not used: {says}; it is left out"
    assert log.count(said) == 1
    assert "Traceback" not in log


@pytest.mark.parametrize("names", ["nobody", "nobody, shop", "shop,,nobody", "*,nobody", "OTEL"])
def test_resource_detector_that_is_not_there_is_left_out(shop: Path, names: str) -> None:
    """A detector that nobody has registered is one line of ours at most, and none of the SDK's."""
    environ = {"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": names}
    seen, log = run(shop, {"OTEL_TRACES_EXPORTER": "Shop", **environ})
    (span,) = seen["spans"]
    attributes = span["resource"]["attributes"]

    assert attributes.get("shop.city") == (None if names in ("nobody", "OTEL") else "Delft")
    assert log.count("names 'nobody', which is not installed") == ("nobody" in names)
    assert "Failed to load" not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("signal", "name", "says"),
    [
        ("traces", "bare", f"{BARE} exporter: it lacks export(), shutdown()"),
        ("traces", "idle", "makes Idle, which is no exporter: it lacks export()"),
        ("traces", "unmade", "shop_telemetry:Unmade fails: LookupError('no key')"),
        ("traces", "gone", "shop_telemetry:Gone fails: AttributeError("),
        ("logs", "bare", f"{BARE} exporter: it lacks export(), shutdown()"),
        ("metrics", "bare", "is no MetricExporter: it lacks export(), force_flush(), shutdown()"),
        ("metrics", "noreader", "makes NoReader, which is not derived from MetricExporter"),
    ],
)
def test_exporters_that_lack_something_are_left_out(
    shop: Path, signal: str, name: str, says: str
) -> None:
    """An exporter that could not export is named, with what it lacks; all else goes on."""
    shops = {key: "Shop" for key in ALL if key.endswith("_EXPORTER")}
    both = {f"OTEL_{signal.upper()}_EXPORTER": f"{name},Shop"}
    seen, log = run(shop, {**shops, **both})

    assert (len(seen["spans"]), seen["logs"]) == (1, ["said"])
    assert '"name": "c"' in seen["reader"]
    (line,) = (line for line in log.splitlines() if line.startswith("funcscope"))
    assert line.startswith(f"funcscope.telemetry: {signal} do not go to {name}: ")
    assert says in line
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("names", "left", "otherwise"),
    [
        ("bare,shop", {"x-shop": "1"}, "it is left out"),
        ("unmade,shop", {"x-shop": "1"}, "it is left out"),
        ("nosuch,bare", {}, "tracecontext,baggage hold"),
    ],
)
def test_propagators_that_lack_something_are_left_out(
    shop: Path, names: str, left: dict[str, str], otherwise: str
) -> None:
    """A propagator that calls would fail with is named and left out, before it is loaded."""
    seen, log = run(shop, {"OTEL_TRACES_EXPORTER": "Shop", "OTEL_PROPAGATORS": names})
    (line,) = (line for line in log.splitlines() if line.startswith("funcscope"))

    assert (len(seen["spans"]), seen["carrier"]) == (1, left)
    assert line.endswith(f"; {otherwise}")
    for name in {"bare", "unmade", "nosuch"} & set(names.split(",")):
        assert repr(name) in line
    assert "Traceback" not in log


def test_propagators_that_are_not_there_beside_a_file(shop: Path) -> None:
    """They are left out beside a configuration file, and no default holds in its place."""
    pytest.importorskip("opentelemetry.configuration")
    (shop / "otel.yaml").write_text('file_format: "1.0"\n')
    environ = {"OTEL_CONFIG_FILE": str(shop / "otel.yaml"), "OTEL_PROPAGATORS": "nosuch"}
    _, log = run(shop, environ)

    assert "OTEL_PROPAGATORS names 'nosuch', which is not installed" in log
    assert "tracecontext,baggage hold" not in log


def test_id_generator_that_lacks_something_is_named(shop: Path) -> None:
    """Ids are random where what should make them has not the methods, and a line says which."""
    environ = {"OTEL_TRACES_EXPORTER": "Shop", "OTEL_PYTHON_ID_GENERATOR": "bare"}
    seen, log = run(shop, environ)

    assert len(seen["spans"]) == 1
    lacks = "it lacks generate_span_id(), generate_trace_id(); ids are random"
    assert (
        log.count(f"OTEL_PYTHON_ID_GENERATOR='bare' is not used: {BARE} IdGenerator: {lacks}") == 1
    )
