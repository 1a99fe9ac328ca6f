"""What the Functions host does itself, and what its sampling flag means."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    Decision,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from funcscope.extensions import Invocation
from funcscope.telemetry import TelemetryError, configure
from funcscope.telemetry._config.host import (
    Destinations,
    decide_destinations,
    host_mode,
    route_prefix,
    warning_times_s,
)
from funcscope.telemetry._config.options import OPTIONS, check_options
from funcscope.telemetry._config.settings import Settings, SignalSettings, read_settings
from funcscope.telemetry._context import context_of, host_parent, host_trace_headers
from funcscope.telemetry._integrations import AZURE_MONITOR
from funcscope.telemetry._providers import Exporter, OthersProvider
from funcscope.telemetry._spans.sampling import HostFlagSampler

if TYPE_CHECKING:
    from pathlib import Path

OTEL = {"AzureFunctionsJobHost__telemetryMode": "OpenTelemetry"}
INSIGHTS = {"APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=0"}
LOCAL = {"FUNCSCOPE_LOCAL_HOST": "1"}
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environ", "owns", "metrics", "sink"),
    [
        ({}, False, False, False),
        (ENDPOINT, False, False, False),
        (INSIGHTS, False, False, True),
        (OTEL, True, True, False),
        (OTEL | ENDPOINT, True, True, True),
        (OTEL | INSIGHTS, True, True, True),
        ({"AzureFunctionsJobHost__telemetryMode": "ApplicationInsights"}, False, False, False),
        (OTEL | INSIGHTS | ENDPOINT | LOCAL, True, False, False),
        (INSIGHTS | ENDPOINT | LOCAL, False, False, False),
    ],
)
def test_mode(environ: dict[str, str], owns: bool, metrics: bool, sink: bool) -> None:
    """What the host exports follows from its telemetry mode and from where it can send to."""
    mode = host_mode(Settings(), environ)

    assert (mode.owns_request_span, mode.emits_metrics, mode.has_sink) == (owns, metrics, sink)


def test_mode_of_host_json(tmp_path: Path) -> None:
    """The mode at the root of host.json counts, and one below `logging` does not."""
    root = {"AzureWebJobsScriptRoot": str(tmp_path)}
    (tmp_path / "host.json").write_text(json.dumps({"telemetryMode": "openTelemetry"}))
    assert host_mode(Settings(), root).owns_request_span
    (tmp_path / "host.json").write_text(json.dumps({"logging": {"telemetryMode": "openTelemetry"}}))
    assert not host_mode(Settings(), root).owns_request_span


@pytest.mark.parametrize(
    "text",
    [
        '{ // as of May\n "telemetryMode": /* not yet */ "openTelemetry" }',
        '{"telemetryMode": "openTelemetry", "extensions": {"x": [1,],},}',
        "{'telemetryMode': 'openTelemetry', version: '2.0'}",
    ],
)
def test_host_json_that_is_no_strict_json(tmp_path: Path, text: str) -> None:
    """What the host allows in host.json hides nothing that stands beside it."""
    (tmp_path / "host.json").write_text(text)

    assert host_mode(Settings(), {"AzureWebJobsScriptRoot": str(tmp_path)}).owns_request_span


def test_setting_in_place_of_host_json(tmp_path: Path) -> None:
    """A setting `AzureFunctionsJobHost__…` goes before what host.json says, an empty one, too."""
    (tmp_path / "host.json").write_text('{"extensions": {"http": {"routePrefix": "v1"}}}')
    root = {"AzureWebJobsScriptRoot": str(tmp_path)}

    assert route_prefix(root) == "v1"
    assert route_prefix({**root, "AzureFunctionsJobHost__extensions__http__routePrefix": ""}) == ""


@pytest.mark.parametrize(
    ("written", "sku", "times"),
    [
        (None, "", (1800, 10)),
        (None, "Dynamic", (300, 10)),
        (None, "FlexConsumption", (1800, 10)),
        ("00:00:50", "Dynamic", (50, 5)),
        ("01:02:03.5", "", (3723.5, 10)),
        ("1.00:00:01", "", (86401, 10)),
        ("00:05", "", (300, 10)),
        ("00:00:03", "", (3, 1)),
        ("00:00:01", "", (1, 0.5)),
        ("-1", "", None),
        ("00:00:00", "", None),
        ("10675199.02:48:05", "", None),
        ("soon", "", None),
    ],
)
def test_warning_times(
    tmp_path: Path, written: str | None, sku: str, times: tuple[float, float] | None
) -> None:
    """The time-out is host.json's, or the plan's default; `-1` is none; an app setting wins."""
    root = {"AzureWebJobsScriptRoot": str(tmp_path), "WEBSITE_SKU": sku}
    content = {} if written is None else {"functionTimeout": written}
    (tmp_path / "host.json").write_text(json.dumps(content))

    assert warning_times_s(root) == times
    own = {"AzureFunctionsJobHost__functionTimeout": "00:00:20"}
    assert warning_times_s(root | own) == (20, 2)


@pytest.mark.parametrize(("setting", "owns"), [("host", True), ("standalone", False)])
def test_mode_can_be_set(setting: str, owns: bool) -> None:
    """The setting wins over what the host says, and is the reason that is told."""
    mode = host_mode(Settings(span_kind=setting), OTEL)

    assert mode.owns_request_span is owns
    assert mode.reason == f"FUNCSCOPE_SPAN_KIND={setting}"


def destinations(settings: Settings, environ: dict[str, str], **others: Any) -> Destinations:
    """Decide where telemetry goes, in a worker where nobody else has set anything."""
    return decide_destinations(settings, environ, **({"has_host": True} | others))


IMPLIED = Settings(traces=SignalSettings(("otlp", "azuremonitor"), is_implied=True))


KEY = "00000000-0000-0000-0000-000000000000"


def theirs(*exporters: Exporter) -> OthersProvider:
    """Make what is known of a provider of somebody else's."""
    return OthersProvider("the app's own", exporters)


AZURE = theirs(Exporter("OTLPSpanExporter", "otlp", ""), Exporter("AMExporter", AZURE_MONITOR, KEY))


@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
@pytest.mark.parametrize("others", [AZURE, theirs(), None])
def test_implied_azure_monitor_is_left_to_who_exports_there(
    signal: str, others: OthersProvider | None
) -> None:
    """Spans go to Azure Monitor without being asked to where nobody else exports there."""
    decided = destinations(IMPLIED, {}, **{signal: others})

    left = ("otlp",) if others is AZURE else ("otlp", "azuremonitor")
    assert decided.settings.traces.exporters == left


@pytest.mark.parametrize(
    ("others", "key", "owns"),
    [
        (AZURE, KEY, True),
        (AZURE, KEY.replace("0", "1"), False),  # not the host's resource
        (AZURE, "", False),
        (theirs(), KEY, False),  # ours, which settings imply, gets no spans
        (None, KEY, True),
    ],
)
def test_spans_are_below_the_hosts_where_they_go_to_its_resource(
    others: OthersProvider | None, key: str, owns: bool
) -> None:
    """Whether spans go where the host's requests do, the exporter that gets them tells."""
    environ = {"APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey={key}"} if key else {}
    settings = IMPLIED._replace(connection_string=f"InstrumentationKey={KEY}")

    assert destinations(settings, environ, traces=others).mode.owns_request_span is owns


def test_log_records_are_left_to_the_host_that_sends_them_there() -> None:
    """Of log records that the host exports none are exported here, in a child process all are."""
    settings = read_settings(OTEL | ENDPOINT)
    in_worker = destinations(settings, OTEL | ENDPOINT)
    in_child = destinations(settings, OTEL | ENDPOINT, has_host=False)

    assert in_worker.settings.logs.exporters == ()
    assert in_worker.is_export_wanted
    assert in_child.settings.logs.exporters == ("otlp",)


@pytest.mark.parametrize(
    ("environ", "others", "sentence"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, {}, "nothing is exported: OTEL_SDK_DISABLED=true"),
        ({}, {"traces": theirs()}, None),
        (
            {},
            {},
            "nothing is exported: set OTEL_EXPORTER_OTLP_ENDPOINT, or OTEL_TRACES_EXPORTER=console",
        ),
    ],
)
def test_lack_of_exporters_is_explained(
    environ: dict[str, str], others: dict[str, OthersProvider], sentence: str | None
) -> None:
    """The log says which setting exports nothing, unless somebody else has set a provider."""
    assert destinations(Settings(), environ, **others).lack_of_exporters == sentence


Make = Callable[..., Invocation]


@pytest.mark.parametrize("mode", [OTEL, {}])
def test_local_host_exports_nothing_of_a_function(mode: dict[str, str]) -> None:
    """On the local host, this process exports all, and nothing is said to arrive twice."""
    settings = Settings(
        logs=SignalSettings((AZURE_MONITOR, "otlp")),
        traces=SignalSettings((AZURE_MONITOR,)),
        connection_string=INSIGHTS["APPLICATIONINSIGHTS_CONNECTION_STRING"],
    )
    handed_over = {"PYTHON_ENABLE_OPENTELEMETRY": "true"}
    environ = {**INSIGHTS, **ENDPOINT, **LOCAL, **handed_over, **mode}

    found = destinations(settings, environ)

    assert found.routing.exporters == (AZURE_MONITOR, "otlp")
    assert "by the host" not in found.routing.sentence
    assert found.routing.warning is None
    assert found.mode.owns_request_span == bool(mode)
    assert not found.mode.exports_failures
    assert "nothing says" not in found.mode.sentence


def parent_of(invocation: Invocation, flag: str, state: str = "vendor=1") -> Any:
    """Make the context of an invocation whose host sends this flag."""
    parent = f"00-{'a' * 32}-{'b' * 16}-{flag}"
    sent = SimpleNamespace(trace_parent=parent, trace_state=state, attributes={})
    cast("Any", invocation.context).trace_context = sent
    return context_of(host_parent(host_trace_headers(invocation.context)))


@pytest.mark.parametrize("is_honoured", [True, False])
@pytest.mark.parametrize(
    ("sampler", "as_root"),
    [
        (DEFAULT_ON, True),
        (DEFAULT_OFF, False),
        (ALWAYS_OFF, False),
        (ParentBased(ALWAYS_OFF), False),
    ],
)
def test_unsampled_flag(
    invocation: Make, sampler: Sampler, as_root: bool, is_honoured: bool
) -> None:
    """Honoured, the flag leaves the trace out; ignored, the sampler decides as for a root."""
    context = parent_of(invocation(), "00")
    result = HostFlagSampler(sampler, is_honoured=is_honoured).should_sample(context, 0xA, "x")

    assert (result.decision is Decision.RECORD_AND_SAMPLE) is (as_root and not is_honoured)


def test_ignored_flag_keeps_the_trace_state(invocation: Make) -> None:
    """The parent stays the parent: its trace state goes on."""
    context = parent_of(invocation(), "00")
    result = HostFlagSampler(DEFAULT_ON, is_honoured=False).should_sample(context, 0xA, "x")

    assert result.trace_state is not None
    assert result.trace_state.to_header() == "vendor=1"


def test_sampled_flag_and_other_parents_are_the_samplers_own(invocation: Make) -> None:
    """A sampled host, and an unsampled parent that is not the host, go to the sampler as ever."""
    sampler = HostFlagSampler(DEFAULT_ON, is_honoured=False)
    other = set_span_in_context(
        NonRecordingSpan(SpanContext(0xC, 0xD, is_remote=True)), parent_of(invocation(), "00")
    )

    sampled = parent_of(invocation(), "01")
    assert sampler.should_sample(sampled, 1, "x").decision is Decision.RECORD_AND_SAMPLE
    assert sampler.should_sample(other, 0xC, "x").decision is Decision.DROP
    assert sampler.should_sample(None, 1, "x").decision is Decision.RECORD_AND_SAMPLE


@pytest.mark.parametrize(("is_honoured", "setting"), [(True, "ignore"), (False, "honour")])
def test_flag_is_told_once(
    invocation: Make, is_honoured: bool, setting: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The first unsampled trace is told once, with the setting that changes what it means."""
    caplog.set_level("INFO")
    sampler = HostFlagSampler(ALWAYS_ON, is_honoured=is_honoured)
    for _ in range(3):
        sampler.should_sample(parent_of(invocation(), "00"), 1, "x")

    assert len(caplog.records) == 1
    assert f"FUNCSCOPE_PARENT_FLAG={setting}" in caplog.text


def test_every_option_is_a_setting_and_a_keyword() -> None:
    """Each option is read from its app setting, and from `configure()` by its keyword."""
    samples = {
        "span_kind": "host",
        "parent_flag": "ignore",
        "max_links": "5",
        "max_text_length": "500",
        "record_metrics": "off",
        "flush": "invocation",
        "flush_budget_ms": "50",
        "shutdown_budget_ms": "500",
        "queue_size": "100",
        "queue_bytes": "100000",
        "drop_first": "newest",
        "spool_dir": "spool",
        "spool_max_mb": "1",
        "spool_max_age_h": "1",
        "spool_fsync": "on",
        "keep_ratio": "0.5",
        "keep_slower_ms": "100",
        "propagate": "off",
        "log_level": "warning",
        "log_levels": "azure=ERROR, orders.sql = off",
        "log_buffer": "200",
        "redact_stream": "on",
        "tag_response": "on",
        "unfinished": "off",
    }
    for option in OPTIONS:
        sample = samples.get(option.keyword, "A, b")
        settings = read_settings({option.name: sample})
        given = check_options({option.keyword: sample})

        assert settings.problems == ()
        assert getattr(settings, option.keyword) == given[option.keyword] != option.default


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        (
            {"FUNCSCOPE_SPAN_KIND": "server"},
            "FUNCSCOPE_SPAN_KIND='server' is not known: use one of auto, host, standalone",
        ),
        (
            {"FUNCSCOPE_MAX_LINKS": "many"},
            "FUNCSCOPE_MAX_LINKS='many' is not known: use a whole number from 0 to 10000",
        ),
        (
            {"FUNCSCOPE_LOG_LEVEL": "loud"},
            (
                "FUNCSCOPE_LOG_LEVEL='loud' is not known: use one of NOTSET, DEBUG, INFO, WARNING, "
                "WARN, ERROR, CRITICAL, OFF"
            ),
        ),
        (
            {"FUNCSCOPE_LOG_LEVELS": "azure"},
            (
                "FUNCSCOPE_LOG_LEVELS='azure' is not known: 'azure' is not LOGGER=LEVEL, such as "
                "azure=WARNING"
            ),
        ),
        (
            {"FUNCSCOPE_LOG_LEVELS": "azure=loud"},
            (
                "FUNCSCOPE_LOG_LEVELS='azure=loud' is not known: in 'azure=loud', use one of "
                "NOTSET, DEBUG, INFO, WARNING, WARN, ERROR, CRITICAL, OFF"
            ),
        ),
    ],
)
def test_wrong_setting_is_named(environ: dict[str, str], problem: str) -> None:
    """A wrong value is named with its setting and the values it may have; the default holds."""
    settings = read_settings(environ)

    assert settings.problems == (problem,)
    assert (settings.span_kind, settings.max_links) == ("auto", 128)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parent_flag": "always"}, "parent_flag='always'.*use one of auto, honour, ignore"),
        ({"instrument": 3}, "instrument=3.*use names, separated by commas"),
        ({"colour": "red"}, "no option 'colour': use baggage_keys, "),
    ],
)
def test_wrong_option_is_refused(options: dict[str, object], message: str) -> None:
    """`configure()` refuses what it does not know, with what it does."""
    with pytest.raises(TelemetryError, match=message):
        configure(**options)  # type: ignore[arg-type]


def test_levels_as_a_mapping() -> None:
    """In code the levels of loggers may be given as a mapping."""
    given = check_options({"log_levels": {"azure": "ERROR", "orders.sql": "off"}})

    assert given == {"log_levels": ("azure=ERROR", "orders.sql=off")}


def test_code_wins_over_settings() -> None:
    """What code gives wins over app settings, and a wrong app setting is then nobody's problem."""
    settings = read_settings({"FUNCSCOPE_MAX_LINKS": "many"}, check_options({"max_links": 3}))

    assert settings.max_links == 3
    assert settings.problems == ()


RATIO = TraceIdRatioBased(0.5)


@pytest.mark.parametrize(
    ("sampler", "is_honoured", "said"),
    [
        (DEFAULT_ON, False, "its invocation is recorded all the same"),
        (ALWAYS_ON, False, "its invocation is recorded all the same"),
        (ALWAYS_OFF, False, "its invocation is not recorded"),
        (ParentBased(ALWAYS_OFF), False, "its invocation is not recorded"),
        (RATIO, False, "its invocation is recorded if the sampler says so"),
        (DEFAULT_ON, True, "its invocation is not recorded"),
        (ALWAYS_ON, True, "its invocation is recorded all the same"),
        (ALWAYS_OFF, True, "its invocation is not recorded"),
        (RATIO, True, "its invocation is recorded if the sampler says so"),
    ],
)
def test_what_is_said_of_an_unsampled_trace_is_so(
    sampler: Sampler, is_honoured: bool, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The line says what is recorded with the sampler at hand, and that is what is recorded."""
    caplog.set_level("INFO")
    context = context_of(SpanContext(0xA, 0xB, is_remote=True, trace_flags=TraceFlags(0)))

    result = HostFlagSampler(sampler, is_honoured=is_honoured).should_sample(context, 0xA, "x")

    assert said in caplog.text
    if "if the sampler" not in said:
        assert result.decision.is_sampled() == ("all the same" in said)  # type: ignore[no-untyped-call]  # OpenTelemetry's
