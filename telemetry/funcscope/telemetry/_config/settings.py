"""The settings of an app, read once, each wrong one named."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from funcscope.telemetry._config.azure_monitor import (
    KEYWORD,
    SETTING,
    azure_monitor_problem,
    connection_string_problem,
    is_installed,
)
from funcscope.telemetry._config.options import DEFAULTS, read_options
from funcscope.telemetry._config.otlp import OtlpSettings, read_otlp
from funcscope.telemetry._config.otlp_target import SIGNALS, OtlpVariables
from funcscope.telemetry._integrations import AZURE_MONITOR
from funcscope.telemetry._integrations import EXPORTERS as INTEGRATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.telemetry._config.options import Value
    from funcscope.telemetry._config_file import ConfigFile

OTLP = "otlp"
EXPORTERS = (OTLP, "console", *INTEGRATIONS, "none")
_ALIASES = {"azure_monitor_opentelemetry_exporter": AZURE_MONITOR}
"""The names by which other packages register what we have, too."""

PROTOCOLS = ("http/protobuf", "grpc")
DISABLED = "OTEL_SDK_DISABLED"
_EXPORTER = "OTEL_{}_EXPORTER"
_CONFIG_FILE = "OTEL_CONFIG_FILE"
_PLUGINS = "funcscope.telemetry._plugins"  # loaded where something names one
_PLUGIN_SETTINGS = (
    "OTEL_TRACES_SAMPLER",
    "OTEL_PYTHON_ID_GENERATOR",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
)
_EXCEPTION_SIGNAL = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"
_EXCEPTION_SIGNALS = ("logs", "logs/dup")


class SignalSettings(NamedTuple):
    """
    The export of one signal.

    Attributes:
        exporters: Any of `otlp`, `console`, `azuremonitor` and what other packages have
            registered; empty where the signal is not exported.
        protocol: OTLP's transport, `http/protobuf` or `grpc`.
        is_explicit: Whether the signal was asked for by itself, and not with all others.
        is_implied: Whether `azuremonitor` is there because a connection string is.
        otlp: How the export worker sends it; None where it does not.
    """

    exporters: tuple[str, ...] = ()
    protocol: str = "http/protobuf"
    is_explicit: bool = False
    is_implied: bool = False
    otlp: OtlpSettings | None = None


class Settings(NamedTuple):
    """
    The settings of an app.

    Attributes:
        traces: How spans leave.
        logs: How log records leave.
        metrics: How measurements leave.
        problems: What was wrong, each naming the setting and the values it may have.
        connection_string: Azure Monitor's; empty where nothing goes there.
        lacks_azure_monitor: Whether something would, if its extra were installed.
        lacks_exporter: Whether an exporter that was asked for cannot be had, and why has been said.
        config_file: What `OTEL_CONFIG_FILE` says of all signals; None where it is not used.
        exception_signal: What the exceptions of invocations are: log events (`logs`), both these
            and events of spans (`logs/dup`); empty for log events where logs are exported, and
            events of spans where not.
        is_hurried: Whether the process may be killed at any time: nothing waits for long then.

    The others are described in `options.OPTIONS`.
    """

    traces: SignalSettings = SignalSettings()
    logs: SignalSettings = SignalSettings()
    metrics: SignalSettings = SignalSettings()
    problems: tuple[str, ...] = ()
    connection_string: str = ""
    lacks_azure_monitor: bool = False
    lacks_exporter: bool = False
    config_file: ConfigFile | None = None
    exception_signal: str = ""
    is_hurried: bool = False
    span_kind: str = DEFAULTS["span_kind"]
    parent_flag: str = DEFAULTS["parent_flag"]
    max_links: int = DEFAULTS["max_links"]
    max_text_length: int = DEFAULTS["max_text_length"]
    record_metrics: str = DEFAULTS["record_metrics"]
    capture_request_headers: tuple[str, ...] = DEFAULTS["capture_request_headers"]
    capture_response_headers: tuple[str, ...] = DEFAULTS["capture_response_headers"]
    redact: tuple[str, ...] = DEFAULTS["redact"]
    redact_stream: str = DEFAULTS["redact_stream"]
    baggage_keys: tuple[str, ...] = DEFAULTS["baggage_keys"]
    tag_response: str = DEFAULTS["tag_response"]
    instrument: tuple[str, ...] = DEFAULTS["instrument"]
    flush: str = DEFAULTS["flush"]
    flush_budget_ms: int = DEFAULTS["flush_budget_ms"]
    shutdown_budget_ms: int = DEFAULTS["shutdown_budget_ms"]
    unfinished: str = DEFAULTS["unfinished"]
    queue_size: int = DEFAULTS["queue_size"]
    queue_bytes: int = DEFAULTS["queue_bytes"]
    drop_first: str = DEFAULTS["drop_first"]
    spool_dir: str = DEFAULTS["spool_dir"]
    spool_max_mb: int = DEFAULTS["spool_max_mb"]
    spool_max_age_h: int = DEFAULTS["spool_max_age_h"]
    spool_fsync: str = DEFAULTS["spool_fsync"]
    keep_ratio: float = DEFAULTS["keep_ratio"]
    keep_slower_ms: int = DEFAULTS["keep_slower_ms"]
    propagate: str = DEFAULTS["propagate"]
    leave_threads: tuple[str, ...] = DEFAULTS["leave_threads"]
    log_level: str = DEFAULTS["log_level"]
    log_levels: tuple[str, ...] = DEFAULTS["log_levels"]
    log_buffer: int = DEFAULTS["log_buffer"]

    def __repr__(self) -> str:
        """Leave out the connection string, which may hold a key."""
        shown = (f"{k}={v!r}" for k, v in self._asdict().items() if k != "connection_string")
        return f"Settings({', '.join(shown)})"

    @property
    def signals(self) -> Mapping[str, SignalSettings]:
        """How each signal leaves, by its name."""
        return {"traces": self.traces, "logs": self.logs, "metrics": self.metrics}

    def without_implied(self, exporter: str) -> Settings:
        """Return settings in which signals go to an exporter only where they name it."""

        def left(signal: SignalSettings) -> SignalSettings:
            if not signal.is_implied:
                return signal
            return signal._replace(exporters=tuple(e for e in signal.exporters if e != exporter))

        return self._replace(
            traces=left(self.traces), logs=left(self.logs), metrics=left(self.metrics)
        )

    def with_log_exporters(self, exporters: tuple[str, ...]) -> Settings:
        """Return settings in which log records go to some of their exporters alone, or to none."""
        if not exporters:
            return self._replace(logs=SignalSettings())
        return self._replace(logs=self.logs._replace(exporters=exporters))

    @property
    def exports_nothing(self) -> bool:
        """Whether no signal has an exporter."""
        return not any(signal.exporters for signal in self.signals.values())


def read_settings(environ: Mapping[str, str], given: Mapping[str, Value] | None = None) -> Settings:
    """
    Read our settings, and OpenTelemetry's as its specification (1.50, SDK environment) names them.

    `OTEL_CONFIG_FILE` takes the place of OpenTelemetry's others, where it can be used. Else
    `OTEL_{TRACES,LOGS,METRICS}_EXPORTER` choose exporters. Where one is not set, OTLP is used
    if an endpoint is (`OTEL_EXPORTER_OTLP_ENDPOINT` or the signal's own), and Azure Monitor if
    `APPLICATIONINSIGHTS_CONNECTION_STRING` and its extra are there, else nothing; with
    `OTEL_SDK_DISABLED` nothing is, whatever else is set. All else (`OTEL_TRACES_SAMPLER`,
    limits, …) the SDK reads itself, but for what concerns OTLP over HTTP: a signal of which a
    setting is wrong that it cannot do without is not sent there.
    """
    problems: list[str] = []
    given = given or {}
    options = cast("dict[str, Any]", read_options(environ, given, problems))
    if environ.get(DISABLED, "").strip().lower() == "true":
        return Settings(problems=tuple(problems), **options)
    exception_signal = _exception_signal(environ, problems)
    if (declared := _declared(environ, given, problems)) is not None:
        values: dict[str, Any] = {**options, **declared}
        return Settings(problems=tuple(problems), exception_signal=exception_signal, **values)
    if any(environ.get(name) for name in _PLUGIN_SETTINGS):
        problems.extend(import_module(_PLUGINS).plugin_problems(environ))
    chosen = {name: _signal(environ, name, problems) for name in SIGNALS}
    signals = _with_otlp(chosen, environ, problems)
    target = _connection_string(environ, given, signals, problems)
    is_there = bool(target) and is_installed()
    for name, signal in signals.items():
        signals[name] = (
            _with_azure_monitor(signal, name, environ, given)
            if is_there
            else _without(AZURE_MONITOR, signal)
        )
    lacks_azure_monitor = bool(target) and not is_there and _is_open(environ)
    values = {**options, **signals}
    return Settings(
        problems=tuple(problems),
        connection_string=target,
        lacks_azure_monitor=lacks_azure_monitor,
        lacks_exporter=lacks_azure_monitor
        or bool(environ.get(SETTING, "").strip() and not target)
        or any(set(chosen[name].exporters) - set(signals[name].exporters) for name in SIGNALS),
        exception_signal=exception_signal,
        **values,
    )


def _declared(
    environ: Mapping[str, str], given: Mapping[str, Value], problems: list[str]
) -> dict[str, Any] | None:
    """Return what a configuration file says of our settings; None where there is none to use."""
    if not environ.get(_CONFIG_FILE, "").strip():
        return None
    module = import_module("funcscope.telemetry._config_file")
    file = cast("ConfigFile | None", module.read_config_file(environ, problems))
    if file is None:
        return None
    if KEYWORD in given:
        problems.append(f"configure_azure_monitor() sends nothing, as {_CONFIG_FILE} is used")
    signal = SignalSettings((module.EXPORTER,), is_explicit=True)
    signals = dict.fromkeys(file.signals, signal)
    # It says why nothing is exported, where that is so, and who is kept is decided by its sampler.
    return {"config_file": file, "lacks_exporter": True, "keep_ratio": 1.0, **signals}


def _exception_signal(environ: Mapping[str, str], problems: list[str]) -> str:
    """Read what exceptions are (semantic conventions 1.44, `exceptions/exceptions-logs.md`)."""
    chosen = environ.get(_EXCEPTION_SIGNAL, "").strip().lower()
    if not chosen or chosen in _EXCEPTION_SIGNALS:
        return chosen
    known = " or ".join(_EXCEPTION_SIGNALS)
    problems.append(f"{_EXCEPTION_SIGNAL}={chosen!r} is not known: use {known}")
    return ""


def _with_otlp(
    signals: Mapping[str, SignalSettings], environ: Mapping[str, str], problems: list[str]
) -> dict[str, SignalSettings]:
    """Read how signals go over OTLP; one that cannot is not sent there."""
    protocols = {n: signal.protocol for n, signal in signals.items() if OTLP in signal.exporters}
    otlp_settings = read_otlp(protocols, environ, problems)
    return {
        name: signal._replace(otlp=otlp_settings.get(name))
        if name in otlp_settings or OTLP not in signal.exporters
        else _without(OTLP, signal)
        for name, signal in signals.items()
    }


def _connection_string(
    environ: Mapping[str, str],
    given: Mapping[str, Value],
    signals: Mapping[str, SignalSettings],
    problems: list[str],
) -> str:
    """Return where Azure Monitor is; nothing where it is not asked for, or cannot be reached."""
    is_asked_for = any(AZURE_MONITOR in signal.exporters for signal in signals.values())
    text = str(given.get(KEYWORD) or environ.get(SETTING, "").strip())
    if not text and not is_asked_for:
        return ""
    if (needs := azure_monitor_problem()) is not None:
        if is_asked_for:
            problems.append(f"nothing goes to {AZURE_MONITOR}: {needs}")
            return ""
        return text
    if not text:
        problems.append(f"nothing goes to {AZURE_MONITOR}: set {SETTING}")
        return ""
    wrong = None if KEYWORD in given else connection_string_problem(text)
    if wrong is not None:
        problems.append(f"nothing goes to {AZURE_MONITOR}: {SETTING} is not known: {wrong}")
        return ""
    return text


def _with_azure_monitor(
    signal: SignalSettings, name: str, environ: Mapping[str, str], given: Mapping[str, Value]
) -> SignalSettings:
    """Send a signal there too, unless the settings choose other exporters; code adds to those."""
    chosen = _exporter_setting(environ, name).lower()
    if AZURE_MONITOR in signal.exporters or (chosen and (KEYWORD not in given or "none" in chosen)):
        return signal
    return signal._replace(exporters=(*signal.exporters, AZURE_MONITOR), is_implied=True)


def _is_open(environ: Mapping[str, str]) -> bool:
    """Tell whether the settings leave open by what a signal is exported."""
    return any(not _exporter_setting(environ, name) for name in SIGNALS)


def _exporter_setting(environ: Mapping[str, str], signal: str) -> str:
    return environ.get(_EXPORTER.format(signal.upper()), "").strip()


def _without(exporter: str, signal: SignalSettings) -> SignalSettings:
    return signal._replace(exporters=tuple(e for e in signal.exporters if e != exporter))


def _signal(environ: Mapping[str, str], signal: str, problems: list[str]) -> SignalSettings:
    endpoint = OtlpVariables(signal, environ).own_name("ENDPOINT")
    return SignalSettings(
        exporters=_exporters(environ, signal, problems),
        protocol=_protocol(environ, signal, problems),
        is_explicit=bool(_exporter_setting(environ, signal) or environ.get(endpoint, "").strip()),
    )


def _exporters(environ: Mapping[str, str], signal: str, problems: list[str]) -> tuple[str, ...]:
    chosen = _exporter_setting(environ, signal)
    if not chosen:
        _, endpoint = OtlpVariables(signal, environ).read("ENDPOINT")
        return (OTLP,) if endpoint else ()
    parts = [_ALIASES.get(part.strip(), part.strip()) for part in chosen.split(",")]
    exporters = [part.lower() if part.lower() in EXPORTERS else part for part in parts]
    others = [e for e in exporters if e not in EXPORTERS]
    plugins: list[str] = sorted(import_module(_PLUGINS).exporters(signal)) if others else []
    wrong = [e for e in others if e not in plugins]
    known = tuple(dict.fromkeys(e for e in exporters if e != "none" and e not in wrong))
    if wrong:
        name = _EXPORTER.format(signal.upper())
        outcome = "" if known else f"; {signal} are not exported"
        besides = ", ".join(plugin for plugin in plugins if plugin not in EXPORTERS) or "none"
        problems.append(
            f"{name}={chosen!r} names {wrong[0]!r}, which funcscope does not know: "
            f"use any of {', '.join(EXPORTERS)}, separated by commas{outcome} "
            f"(installed packages have registered: {besides})"
        )
    return known


def _protocol(environ: Mapping[str, str], signal: str, problems: list[str]) -> str:
    own_name = OtlpVariables(signal, environ).own_name("PROTOCOL")
    for name in (own_name, "OTEL_EXPORTER_OTLP_PROTOCOL"):
        chosen = environ.get(name, "").strip().lower()
        if chosen in PROTOCOLS:
            return chosen
        if chosen:
            problem = f"{name}={chosen!r} is not supported: use {' or '.join(PROTOCOLS)}"
            if problem not in problems:
                problems.append(problem)
    return PROTOCOLS[0]
