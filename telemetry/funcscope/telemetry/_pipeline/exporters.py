"""The exporters that settings name, loaded where needed: it takes long."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar, cast

from funcscope.telemetry._config.otlp import GRPC, NEEDS_GRPC
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._integrations import EXPORTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from funcscope.telemetry._pipeline.context import ExportContext

T = TypeVar("T")

_HTTP = "opentelemetry.exporter.otlp.proto.http"
_OTLP: Mapping[str, tuple[str, str]] = {  # below the protocol's package
    "traces": ("trace_exporter", "OTLPSpanExporter"),
    "logs": ("_log_exporter", "OTLPLogExporter"),
    "metrics": ("metric_exporter", "OTLPMetricExporter"),
}
_CONSOLE: Mapping[str, tuple[str, str]] = {
    "traces": ("opentelemetry.sdk.trace.export", "ConsoleSpanExporter"),
    "logs": ("opentelemetry.sdk._logs.export", "ConsoleLogRecordExporter"),
    "metrics": ("opentelemetry.sdk.metrics.export", "ConsoleMetricExporter"),
}

_logger = logging.getLogger("funcscope.telemetry")


def each_exporter(signal: str, names: Sequence[str], make: Callable[[str], T]) -> dict[str, T]:
    """Make what each exporter of a signal needs; one that cannot be made costs itself alone."""
    made: dict[str, T] = {}
    for name in names:
        try:
            made[name] = make(name)
        except TelemetryError as error:
            _logger.error("%s do not go to %s: %s", signal, name, error)  # noqa: TRY400  (says all)
        except Exception:
            _logger.exception("%s do not go to %s", signal, name)
    return made


def make_exporter(context: ExportContext, signal: str, name: str, protocol: str) -> object:
    """
    Make the exporter of a signal that the settings name.

    Args:
        context: What the signals share.
        signal: `traces`, `logs` or `metrics`.
        name: `otlp`, `console` or an integration's.
        protocol: OTLP's transport, where it is OTLP's.

    Raises:
        TelemetryError: It is gRPC's, and its package cannot be imported.
    """
    if name in EXPORTERS:
        return cast("object", import_module(EXPORTERS[name]).make_exporter(signal, context))
    if name == "console":
        return _made(*_CONSOLE[signal])
    module, class_name = _OTLP[signal]
    if protocol != "grpc":
        return _made(f"{_HTTP}.{module}", class_name)
    try:
        return _made(f"{GRPC}.{module}", class_name)
    except ImportError as error:
        raise TelemetryError(f"{NEEDS_GRPC} ({error})") from error


def _made(module: str, class_name: str) -> object:
    return cast("object", getattr(import_module(module), class_name)())
