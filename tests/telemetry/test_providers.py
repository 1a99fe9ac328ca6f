"""Which providers are set, in processes of their own: OpenTelemetry sets them once."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest
from tests.patience import PROCESS_S
from tests.sdk_versions import OWN_SPANS, since

PRELUDE = """
import logging, os
logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
logging.getLogger("funcscope").setLevel(logging.INFO)
from opentelemetry import _logs, metrics, trace
from funcscope.telemetry._recording.recorder import Recorder
from funcscope.telemetry._recording.session import Session
def names():
    getters = (trace.get_tracer_provider, _logs.get_logger_provider, metrics.get_meter_provider)
    return [type(get()).__module__.split(".")[1] for get in getters]
"""


KIND = (
    "INFO funcscope.telemetry spans of invocations are of their trigger's kind: "
    "nothing says that the host exports a span for the request"
)

LOGS = "INFO funcscope.telemetry log records of functions are exported {}"


def run(code: str, **environ: str) -> tuple[list[str], str]:
    """Run code in a fresh interpreter; return the lines it prints and logs."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**clean, **environ},
        check=False,
        timeout=PROCESS_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


def test_nothing_is_set_without_an_exporter() -> None:
    """Without an exporter the API's own stand-ins stay, and one line says what to set."""
    lines, log = run("Session().start(); print(*names())")

    assert lines == ["trace _logs metrics"]
    assert log.count("nothing is exported: set OTEL_EXPORTER_OTLP_ENDPOINT") == 1


@since(42, OWN_SPANS)
def test_what_the_settings_ask_for_is_set() -> None:
    """An endpoint sets the SDK's providers for all signals."""
    lines, log = run(
        """
        Session().start()
        print(*names())
        for provider in (trace.get_tracer_provider(), _logs.get_logger_provider()):
            provider.shutdown()
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_METRICS_EXPORTER="none",
    )

    assert lines == ["sdk sdk metrics"]
    assert log.splitlines() == [LOGS.format("by this process to OTLP"), KIND]


@since(42, OWN_SPANS)
def test_a_provider_that_is_set_stays() -> None:
    """A tracer provider of the app's is neither replaced nor given another exporter."""
    lines, log = run(
        """
        from opentelemetry.sdk.trace import TracerProvider
        mine = TracerProvider()
        trace.set_tracer_provider(mine)
        Session().start()
        print(trace.get_tracer_provider() is mine)
        print(mine._active_span_processor._span_processors)
        """,
        OTEL_TRACES_EXPORTER="console",
    )

    assert lines == ["True", "()"]
    # OpenTelemetry warns of a second provider.
    owner, *rest = log.splitlines()
    assert "spans of invocations go to the app's own tracer provider" in owner
    assert rest == [LOGS.format("by nobody"), KIND]


def test_wrong_setting_is_logged_once() -> None:
    """A wrong value is one error line, and the app goes on."""
    lines, log = run(
        "s = Session(); s.read_settings(); s.start(); print(*names())",
        OTEL_TRACES_EXPORTER="jaeger",
    )

    assert lines == ["trace _logs metrics"]
    assert log.count("OTEL_TRACES_EXPORTER='jaeger' names 'jaeger'") == 1


def test_service_is_named() -> None:
    """The service is what the standard settings say, else the site, else the app's folder."""
    code = """
    from funcscope.telemetry._config.resource import resource
    print(resource(os.environ).attributes["service.name"])
    """
    root = {"AzureWebJobsScriptRoot": "/home/site/my-app"}

    assert run(code, **root)[0] == ["my-app"]
    assert run(code, **root, WEBSITE_SITE_NAME="site")[0] == ["site"]
    assert run(code, **root, WEBSITE_SITE_NAME="site", OTEL_SERVICE_NAME="mine")[0] == ["mine"]
    attributes = "a=b,service.name=theirs"
    assert run(code, **root, OTEL_RESOURCE_ATTRIBUTES=attributes)[0] == ["theirs"]


def test_wrong_otlp_setting_is_named_when_a_function_is_loaded() -> None:
    """Nobody has to call the app to learn of it, and the other signals' providers are set."""
    lines, log = run(
        """
        session = Session()
        session.prepare("")
        logging.getLogger("funcscope").info("loaded")
        session.start()
        print(*names())
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_METRICS_HEADERS="key",
    )
    before, _, after = log.partition("loaded")

    assert lines == ["sdk sdk metrics"]
    assert before.count("OTEL_EXPORTER_OTLP_METRICS_HEADERS is wrong in pair 1") == 1
    assert "OTEL_EXPORTER" not in after


def test_wrong_otlp_endpoint_is_all_that_is_said() -> None:
    """Who has set an endpoint that is none is not told to set one."""
    _, log = run("Session().start()", OTEL_EXPORTER_OTLP_ENDPOINT="collector:4318")

    assert "traces, logs and metrics do not go to OTLP" in log
    assert "nothing is exported: set" not in log


def test_missing_grpc_says_what_to_install() -> None:
    """`grpc` without its extra is an error that names the extra; the app goes on."""
    _, log = run(
        """
        import sys
        sys.modules["opentelemetry.exporter.otlp.proto.grpc"] = None
        Session().start()
        """,
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
    )

    assert 'pip install "funcscope[grpc]"' in log
    assert "ERROR funcscope.telemetry traces do not go to OTLP: OTEL_EXPORTER_OTLP" in log
    assert len(log.splitlines()) == 2


def test_exporter_that_cannot_be_made_is_not_told_of() -> None:
    """Who exports log records is said of exporters that are there, after what is wrong."""
    _, log = run(
        """
        import sys
        sys.modules["grpc"] = None  # gRPC's exporter is there, but cannot be imported
        Session().start()
        """,
        OTEL_LOGS_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
    )
    error, who, _ = log.splitlines()

    assert error.startswith("ERROR funcscope.telemetry logs do not go to otlp: OTEL_EXPORTER_OTLP")
    assert who == LOGS.format("by nobody")


@pytest.mark.parametrize(
    ("signal", "own"), [("TRACES", "sdk _logs metrics"), ("METRICS", "trace _logs sdk")]
)
def test_exporter_that_cannot_be_made_costs_itself_alone(signal: str, own: str) -> None:
    """What goes to another exporter still does; with no exporter left there is no provider."""
    broken = """
        import sys
        sys.modules["grpc"] = None
        Session().start()
        print(*names())
        """
    grpc = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    lines, log = run(broken, **grpc, **{f"OTEL_{signal}_EXPORTER": "otlp,console"})
    alone, _ = run(broken, **grpc, **{f"OTEL_{signal}_EXPORTER": "otlp"})

    assert (lines[0], alone) == (own, ["trace _logs metrics"])
    assert log.count(f"ERROR funcscope.telemetry {signal.lower()} do not go to otlp: OTEL_") == 1


LIMITS = (
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
)


@pytest.mark.parametrize("wrong", ["junk", "-1", "12.5"])
def test_wrong_limits_of_the_sdk_cost_no_signal(wrong: str) -> None:
    """Each limit that the SDK would fail on is named once, with what to use; its default holds."""
    lines, log = run(
        """
        Session().start()
        Session().start()
        from opentelemetry.sdk.trace import SpanLimits
        print(*names())
        print(SpanLimits().max_span_attributes, SpanLimits().max_links)
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        FUNCSCOPE_SHUTDOWN_BUDGET_MS="0",
        OTEL_METRICS_EXEMPLAR_FILTER=wrong,
        **dict.fromkeys(LIMITS, wrong),
    )

    assert lines == ["sdk sdk sdk", "128 128"]
    for name in LIMITS:
        said = f"ERROR funcscope.telemetry {name}='{wrong}' is not known: use a whole number from 0"
        assert log.count(said) == 1
    assert log.count(f"OTEL_METRICS_EXEMPLAR_FILTER='{wrong}' is not known: use one of trace_") == 1
    assert log.count("ERROR") == len(LIMITS) + 1


def test_right_limits_of_the_sdk_stay() -> None:
    """What the SDK can read is left to it: numbers, and the empty text that it takes for none."""
    lines, log = run(
        """
        Session().start()
        from opentelemetry.sdk.trace import SpanLimits
        print(SpanLimits().max_span_attributes, SpanLimits().max_links, SpanLimits().max_events)
        """,
        OTEL_TRACES_EXPORTER="console",
        OTEL_ATTRIBUTE_COUNT_LIMIT=" 7 ",
        OTEL_SPAN_LINK_COUNT_LIMIT="",
        OTEL_SPAN_EVENT_COUNT_LIMIT="0",
    )

    assert lines == ["7 None 0"]
    assert "ERROR" not in log


def test_wrong_limits_are_mended_before_the_app_is_imported() -> None:
    """An app that imports the SDK after funcscope can do so, and one line says what was wrong."""
    lines, log = run(
        """
        import funcscope.auto
        from opentelemetry.sdk.trace import TracerProvider
        from funcscope.telemetry._api.extension import recorder
        trace.set_tracer_provider(TracerProvider())
        recorder().session.prepare("")
        print(*names())
        """,
        OTEL_TRACES_EXPORTER="console",
        OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="many",
    )

    assert lines == ["sdk _logs metrics"]
    assert log.count("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT='many' is not known") == 1


def test_wrong_limits_are_nobodys_concern_where_nothing_is_recorded() -> None:
    """With `OTEL_SDK_DISABLED` the environment stays as it is."""
    lines, log = run(
        """
        Session().start()
        print(os.environ["OTEL_ATTRIBUTE_COUNT_LIMIT"])
        """,
        OTEL_SDK_DISABLED="true",
        OTEL_ATTRIBUTE_COUNT_LIMIT="many",
    )

    assert lines == ["many"]
    assert "OTEL_ATTRIBUTE_COUNT_LIMIT" not in log


def test_connection_string_that_is_none_is_told_of_once() -> None:
    """Nobody exports by it, the host neither, and who has set it is not told what else to set."""
    lines, log = run(
        "Session().start(); print(*names())",
        APPLICATIONINSIGHTS_CONNECTION_STRING="here",
        OTEL_LOGS_EXPORTER="console",
    )
    _, alone = run("Session().start()", APPLICATIONINSIGHTS_CONNECTION_STRING="here")

    assert lines == ["trace sdk metrics"]
    assert "nothing goes to azuremonitor: APPLICATIONINSIGHTS_CONNECTION_STRING" in log
    assert LOGS.format("by this process to console") in log
    assert "Application Insights" not in alone
    assert "nothing is exported: set" not in alone


def test_sdk_that_cannot_be_used_is_told_once() -> None:
    """Where the SDK cannot be imported the app runs, and one error says that nothing is sent."""
    lines, log = run(
        """
        import sys
        sys.modules["opentelemetry.sdk.trace"] = None
        session = Session()
        session.start()
        session.start()
        print("runs")
        """,
        OTEL_TRACES_EXPORTER="console",
    )

    assert lines == ["runs"]
    assert log.count("ERROR funcscope.telemetry nothing is exported") == 1


def test_opentelemetry_that_cannot_be_imported() -> None:
    """Where packaging stripped OpenTelemetry's entry points the app runs, and a line says why."""
    lines, log = run(
        """
        import sys
        class Broken:
            def find_spec(self, name, path=None, target=None):
                if name == "funcscope.telemetry._logs.correlation":
                    raise StopIteration
        sys.modules.pop("funcscope.telemetry._logs.correlation", None)
        sys.modules.pop("funcscope.telemetry._api.activation", None)
        sys.meta_path.insert(0, Broken())
        import funcscope.auto
        print("runs")
        """
    )

    assert lines == ["runs"]
    assert "no telemetry: OpenTelemetry cannot be used (StopIteration())" in log


def test_azure_monitor_without_its_extra() -> None:
    """With a connection string and no exporter for it, one line says what to install."""
    code = """
        from funcscope.telemetry._config import azure_monitor as _azure_monitor
        _azure_monitor.find_spec = lambda name: None  # as if it were not installed
        Session().start()
        """
    key = "00000000-0000-0000-0000-000000000000"
    string = f"InstrumentationKey={key}"
    _, log = run(code, APPLICATIONINSIGHTS_CONNECTION_STRING=string)
    _, of_otlp = run(
        code, APPLICATIONINSIGHTS_CONNECTION_STRING=string, OTEL_TRACES_EXPORTER="console"
    )

    assert log.count("install funcscope[azuremonitor]") == 1
    assert of_otlp.count("install funcscope[azuremonitor]") == 1
    assert key not in log


def test_azure_monitor_that_an_app_has_set_up() -> None:
    """Where the app exports to Azure Monitor itself, what goes there is its own choice."""
    lines, log = run(
        """
        import opentelemetry.sdk.trace as sdk
        from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        mine = sdk.TracerProvider()
        mine.add_span_processor(SimpleSpanProcessor(AzureMonitorTraceExporter()))
        trace.set_tracer_provider(mine)
        Session().start()
        print(trace.get_tracer_provider() is mine, *names())
        """,
        APPLICATIONINSIGHTS_CONNECTION_STRING=(
            "InstrumentationKey=00000000-0000-0000-0000-000000000000"
        ),
    )

    assert lines == ["True sdk _logs metrics"]
    assert "the app exports to Azure Monitor, as the host does" in log


def test_azure_monitor_that_an_app_has_imported() -> None:
    """An imported exporter is no exporter in use, whoever has set a provider."""
    lines, log = run(
        """
        import azure.monitor.opentelemetry.exporter
        from opentelemetry.sdk._logs import LoggerProvider
        _logs.set_logger_provider(LoggerProvider())
        Session().start()
        print(*names())
        """,
        APPLICATIONINSIGHTS_CONNECTION_STRING=(
            "InstrumentationKey=00000000-0000-0000-0000-000000000000"
        ),
        OTEL_METRICS_EXPORTER="none",
    )

    assert lines == ["sdk sdk metrics"]
    hosts = "by the host to Application Insights; no handler brings them to the app's own logger"
    assert LOGS.format(hosts) in log


def test_log_records_beside_a_provider_that_gets_none() -> None:
    """What no handler brings to another's provider is exported here, and all else there."""
    lines, log = run(
        """
        from opentelemetry.sdk._logs import LoggerProvider, export
        theirs = export.InMemoryLogRecordExporter()
        mine = LoggerProvider(shutdown_on_exit=False)
        mine.add_log_record_processor(export.SimpleLogRecordProcessor(theirs))
        _logs.set_logger_provider(mine)
        class Own(logging.Handler):
            def emit(self, record):
                made_ns = int(record.created * 1e9)
                mine.get_logger(record.name).emit(timestamp=made_ns, body=record.getMessage())
        logging.getLogger("one").addHandler(Own())
        active = Session().start()
        logging.getLogger("one").warning("theirs")
        logging.getLogger("two").warning("ours")
        active.pipeline.end(5)
        print([each.log_record.body for each in theirs.get_finished_logs()])
        print(_logs.get_logger_provider() is mine)
        """,
        OTEL_LOGS_EXPORTER="console",
    )
    bodies = [line.strip(' ,"').removeprefix('body": "') for line in lines if '"body"' in line]

    assert [body for body in bodies if body in ("ours", "theirs")] == ["ours"]
    assert lines[-2:] == ["['theirs']", "True"]
    assert "by this process to console; no handler brings them to the app's own logger" in log
    assert "Overriding" not in log


def test_no_more_is_loaded_than_is_asked_for() -> None:
    """For HTTP functions' spans over OTLP/HTTP, what other apps need is left alone."""
    lines, _ = run(
        """
        import sys
        from funcscope.extensions import Binding, Function
        http = Function("f", "/app", False, "f", (Binding("req", "httpTrigger", "in", {}),))
        session = Session()
        Recorder(session)._template(session.start(), http)
        unwanted = (
            "opentelemetry.exporter",
            "opentelemetry.sdk._logs",
            "opentelemetry.sdk.metrics",
            "opentelemetry.sdk.trace.export",
            "funcscope.telemetry._delivery.spool",
            "funcscope.telemetry._triggers.families",
        )
        print(*names(), [m for m in sys.modules if m.startswith(unwanted)])
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_LOGS_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none",
    )

    assert lines == ["sdk _logs metrics []"]


def test_azure_monitor_is_loaded_late() -> None:
    """Neither `import funcscope.auto` nor the integration loads the exporter: invocations do."""
    lines, _ = run(
        """
        import sys
        import funcscope.auto
        from funcscope.contrib.azuremonitor import configure
        configure("InstrumentationKey=00000000-0000-0000-0000-000000000000")
        found = [m for m in sys.modules if m.startswith(("azure.monitor", "opentelemetry.sdk"))]
        print(found)
        """
    )

    assert lines == ["[]"]


@since(43, "an exporter that can be told to be quiet")
def test_azure_monitor_says_nothing_of_itself() -> None:
    """The exporter's reports of itself are off, unless the app settings say otherwise."""
    reports = [
        f"APPLICATIONINSIGHTS_{name}"
        for name in ("STATSBEAT_DISABLED_ALL", "SDKSTATS_DISABLED", "CONTROLPLANE_DISABLED")
    ]
    settings = {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": (
            "InstrumentationKey=00000000-0000-0000-0000-000000000000"
        ),
        "OTEL_METRICS_EXPORTER": "none",
    }
    code = f"""
        import threading
        Session().start()
        print(*(os.environ[name] for name in {reports}))
        print([t.name for t in threading.enumerate() if "Configuration" in t.name])
        """
    lines, _ = run(code, **settings)
    kept, _ = run(code, **settings, APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED="false")

    assert lines == ["true true true", "[]"]
    assert kept == ["true true false", "['ConfigurationWorker']"]
