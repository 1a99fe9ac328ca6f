"""The settings of signals over OTLP, and what is wrong with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from funcscope.telemetry._config.options import read_number
from funcscope.telemetry._config.otlp_target import OtlpTarget, read_target
from funcscope.telemetry._errors import TelemetryError

if TYPE_CHECKING:
    from collections.abc import Mapping

GRPC = "opentelemetry.exporter.otlp.proto.grpc"
HTTP = "opentelemetry.exporter.otlp.proto.http"
NEEDS = {
    GRPC: f"OTEL_EXPORTER_OTLP_PROTOCOL=grpc needs {GRPC}, which cannot be imported: "
    'pip install "funcscope[grpc]", or use http/protobuf',
    HTTP: f"OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER needs {HTTP}, which cannot be "
    'imported: pip install "funcscope[http]"',
}
"""By the package of the SDK's exporters over OTLP: what is said where it is not there."""

_SCHEDULES = {"traces": "OTEL_BSP_SCHEDULE_DELAY", "logs": "OTEL_BLRP_SCHEDULE_DELAY"}
# An app may give the SDK's exporter a session of its own, by an entry point (1.45): only that
# exporter can use it.
_CREDENTIALS = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_{}CREDENTIAL_PROVIDER"
_METRICS_CHOICES = {  # OTLP metrics exporter specification, 1.50
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": ("cumulative", "delta", "lowmemory"),
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": (
        "explicit_bucket_histogram",
        "base2_exponential_bucket_histogram",
    ),
}


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """
    Settings by which the export worker sends one signal.

    Attributes:
        target: Where to.
        interval_s: How long an item waits at most under load; None where the app does not say.
    """

    target: OtlpTarget
    interval_s: float | None = None


def read_otlp(
    protocols: Mapping[str, str], environ: Mapping[str, str], problems: list[str]
) -> dict[str, OtlpSettings | None]:
    """
    Read how signals go over OTLP, and say which cannot.

    Args:
        protocols: Of the signals that OTLP was chosen for.
        environ: The app settings.
        problems: Gets a sentence for each setting that is wrong.

    Returns:
        The signals that can be sent; None for those that the SDK's exporters send, which read
        their settings themselves.
    """
    by_signal: dict[str, OtlpSettings | None] = {}
    failures: dict[str, list[str]] = {}
    notes: list[str] = []
    for signal, protocol in protocols.items():
        try:
            by_signal[signal] = _read(signal, protocol, environ, notes)
        except TelemetryError as error:
            failures.setdefault(str(error), []).append(signal)
    problems.extend(
        f"{_listed(signals)} do not go to OTLP: {what}" for what, signals in failures.items()
    )
    problems.extend(dict.fromkeys(notes))  # what is common to signals is wrong once
    return by_signal


def _read(
    signal: str, protocol: str, environ: Mapping[str, str], problems: list[str]
) -> OtlpSettings | None:
    if signal == "metrics":
        _check_choices(environ, problems)
    if protocol == "grpc" or _has_credentials(signal, environ):
        _check_there(GRPC if protocol == "grpc" else HTTP)
        return None
    target = read_target(signal, environ, problems)
    return OtlpSettings(target, _read_interval(signal, environ, problems))


def _check_there(package: str) -> None:
    """Say what is to be installed for the SDK's exporters, where they are not."""
    try:
        is_there = find_spec(package) is not None
    except (ImportError, ValueError):  # a package above it is not there, or put together by hand
        is_there = False
    if not is_there:
        raise TelemetryError(NEEDS[package])


def _listed(signals: list[str]) -> str:
    *others, last = signals
    return f"{', '.join(others)} and {last}" if others else last


def _has_credentials(signal: str, environ: Mapping[str, str]) -> bool:
    names = (_CREDENTIALS.format(f"{signal.upper()}_"), _CREDENTIALS.format(""))
    return any(environ.get(name, "").strip() for name in names)


def _read_interval(signal: str, environ: Mapping[str, str], problems: list[str]) -> float | None:
    name = _SCHEDULES.get(signal, "")
    text = environ.get(name, "").strip()
    if not text:
        return None
    delay_ms = read_number(text, int, 1, math.inf)
    if delay_ms is not None:
        return delay_ms / 1000
    problems.append(f"{name}={text!r} is not known: use milliseconds, from 1 on")
    return None


def _check_choices(environ: Mapping[str, str], problems: list[str]) -> None:
    """Name the settings that would be read as their defaults (`_pipeline/metrics`)."""
    for name, choices in _METRICS_CHOICES.items():
        chosen = environ.get(name, "").strip()
        if chosen and chosen.lower() not in choices:
            problems.append(f"{name}={chosen!r} is not known: use {' or '.join(choices)}")
