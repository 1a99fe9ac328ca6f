"""Build the providers that the settings ask for, and leave alone those that are set."""

from __future__ import annotations

import logging
from contextvars import Context
from importlib import import_module
from typing import TYPE_CHECKING

from funcscope.telemetry._config.resource import resource
from funcscope.telemetry._pipeline.context import Setup
from funcscope.telemetry._pipeline.exporters import INTEGRATIONS
from funcscope.telemetry._pipeline.pipeline import Pipeline
from funcscope.telemetry._redaction.limited import LimitedRedactor
from funcscope.telemetry._redaction.redactor import make_redactor
from funcscope.telemetry._redaction.scopes import redacted_resource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.sdk.trace import SpanProcessor

    from funcscope.telemetry._config.host import HostMode
    from funcscope.telemetry._config.settings import Settings, SignalSettings

_logger = logging.getLogger("funcscope.telemetry")


def set_providers(
    settings: Settings,
    mode: HostMode,
    span_processors: Sequence[SpanProcessor],
    environ: Mapping[str, str],
) -> Pipeline:
    """
    Set the global providers that the settings ask for and nobody has set.

    Args:
        settings: What they ask for.
        mode: What the host does itself.
        span_processors: What the app adds; to the tracer provider that is set, whoever set it.
        environ: The app settings.

    Returns:
        What sends what goes over OTLP/HTTP.
    """
    # In an empty context, so that exporters' threads do not carry the first invocation.
    return Context().run(_set_providers, settings, mode, span_processors, environ)


def load(settings: Settings) -> None:
    """Load what the signals that are exported need, ahead of time."""
    for _, signal, module in _wanted(settings, ()):
        import_module(module)
        for name in INTEGRATIONS.keys() & set(signal.exporters):
            import_module(INTEGRATIONS[name])


def _wanted(
    settings: Settings, span_processors: Sequence[SpanProcessor]
) -> Iterator[tuple[str, SignalSettings, str]]:
    """List the signals that need a provider, with the module that sets it."""
    if settings.metrics.exporters:
        yield "metrics", settings.metrics, "funcscope.telemetry._pipeline.metrics"
    if settings.traces.exporters or span_processors:
        yield "traces", settings.traces, "funcscope.telemetry._pipeline.traces"
    if settings.logs.exporters:
        yield "logs", settings.logs, "funcscope.telemetry._pipeline.logs"


def _set_providers(
    settings: Settings,
    mode: HostMode,
    span_processors: Sequence[SpanProcessor],
    environ: Mapping[str, str],
) -> Pipeline:
    pipeline = Pipeline(settings, environ)
    flag = settings.parent_flag
    redactor = LimitedRedactor(make_redactor(settings.redact), settings.max_text_length)
    setup = Setup(
        settings,
        environ,
        pipeline,
        redacted_resource(resource(environ), redactor),
        redactor,
        span_processors,
        is_honoured=flag == "honour" or (flag == "auto" and mode.has_sink),
        has_host_failures=mode.exports_failures,
    )
    for name, signal, module in _wanted(settings, span_processors):
        try:
            import_module(module).set_provider(setup, signal)
        except Exception:
            _logger.exception("%s are not exported", name)
    return pipeline
