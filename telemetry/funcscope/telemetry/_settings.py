"""The settings of an app, read once, each wrong one named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from funcscope.telemetry._options import read_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.telemetry._options import Value

SIGNALS = ("traces", "logs", "metrics")
EXPORTERS = ("otlp", "console", "none")
PROTOCOLS = ("http/protobuf", "grpc")
DISABLED = "OTEL_SDK_DISABLED"


@dataclass(frozen=True, slots=True)
class SignalSettings:
    """
    How one signal leaves.

    Attributes:
        exporters: Any of `otlp` and `console`; empty where the signal is not exported.
        protocol: OTLP's transport, `http/protobuf` or `grpc`.
        is_explicit: Whether the signal was asked for by itself, and not with all others.
    """

    exporters: tuple[str, ...] = ()
    protocol: str = "http/protobuf"
    is_explicit: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """
    What the app settings ask for.

    Attributes:
        traces: How spans leave.
        logs: How log records leave.
        metrics: How measurements leave.
        problems: What was wrong, each naming the setting and the values it may have.

    The others are described in `_options.OPTIONS`.
    """

    traces: SignalSettings = SignalSettings()
    logs: SignalSettings = SignalSettings()
    metrics: SignalSettings = SignalSettings()
    problems: tuple[str, ...] = ()
    span_kind: str = "auto"
    parent_flag: str = "auto"
    max_links: int = 128
    record_metrics: str = "auto"
    capture_request_headers: tuple[str, ...] = ()
    capture_response_headers: tuple[str, ...] = ()
    redact: tuple[str, ...] = ()
    instrument: tuple[str, ...] = ()
    flush: str = "idle"
    flush_budget_ms: int = 500
    shutdown_budget_ms: int = 2000
    queue_size: int = 8192
    drop_first: str = "keep_errors"
    spool_dir: str = ""
    spool_max_mb: int = 64
    spool_max_age_h: int = 48
    keep_ratio: float = 1.0
    keep_slower_ms: int = 0
    propagate: str = "on"
    leave_threads: tuple[str, ...] = ()
    log_level: str = "NOTSET"
    log_levels: tuple[str, ...] = ()
    log_buffer: int = 0

    @property
    def exports_nothing(self) -> bool:
        """Whether no signal has an exporter."""
        return not (self.traces.exporters or self.logs.exporters or self.metrics.exporters)


def read_settings(environ: Mapping[str, str], given: Mapping[str, Value] | None = None) -> Settings:
    """
    Read our settings, and OpenTelemetry's as its specification (1.50, SDK environment) names them.

    `OTEL_{TRACES,LOGS,METRICS}_EXPORTER` choose exporters. Where one is not set, OTLP is used
    if an endpoint is (`OTEL_EXPORTER_OTLP_ENDPOINT` or the signal's own), else nothing; with
    `OTEL_SDK_DISABLED` nothing is, whatever else is set. All else (`OTEL_TRACES_SAMPLER`,
    limits, …) the SDK reads itself, and the courier what concerns OTLP over HTTP.
    """
    problems: list[str] = []
    options = cast("dict[str, Any]", read_options(environ, given or {}, problems))
    if environ.get(DISABLED, "").strip().lower() == "true":
        return Settings(problems=tuple(problems), **options)
    traces, logs, metrics = (_signal(environ, signal, problems) for signal in SIGNALS)
    return Settings(traces, logs, metrics, tuple(problems), **options)


def _signal(environ: Mapping[str, str], signal: str, problems: list[str]) -> SignalSettings:
    return SignalSettings(
        exporters=_exporters(environ, signal, problems),
        protocol=_protocol(environ, signal, problems),
        is_explicit=any(
            environ.get(name, "").strip()
            for name in (
                f"OTEL_{signal.upper()}_EXPORTER",
                f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT",
            )
        ),
    )


def _exporters(environ: Mapping[str, str], signal: str, problems: list[str]) -> tuple[str, ...]:
    name = f"OTEL_{signal.upper()}_EXPORTER"
    chosen = environ.get(name, "").strip()
    if not chosen:
        endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
        return ("otlp",) if any(environ.get(e, "").strip() for e in endpoints) else ()
    exporters = [part.strip().lower() for part in chosen.split(",")]
    known = tuple(dict.fromkeys(e for e in exporters if e in EXPORTERS and e != "none"))
    wrong = [e for e in exporters if e not in EXPORTERS]
    if wrong:
        outcome = "" if known else f"; {signal} are not exported"
        problems.append(
            f"{name}={chosen!r} names {wrong[0]!r}, which funcscope does not know: "
            f"use any of {', '.join(EXPORTERS)}, separated by commas{outcome}"
        )
    return known


def _protocol(environ: Mapping[str, str], signal: str, problems: list[str]) -> str:
    for name in (
        f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
    ):
        chosen = environ.get(name, "").strip().lower()
        if chosen in PROTOCOLS:
            return chosen
        if chosen:
            problem = f"{name}={chosen!r} is not supported: use {' or '.join(PROTOCOLS)}"
            if problem not in problems:
                problems.append(problem)
    return PROTOCOLS[0]
