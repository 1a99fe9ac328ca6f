"""Turning telemetry on, with options given in code or without."""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import TYPE_CHECKING, cast

import wrapt

from funcscope.extensions import install
from funcscope.extensions.integration import is_switched_off
from funcscope.telemetry._config.options import check_options
from funcscope.telemetry._logs.correlation import add_record_fields
from funcscope.telemetry._logs.filters import check_filters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from opentelemetry.sdk.trace import SpanProcessor

WEB_FRAMEWORKS = ("flask", "starlette", "opentelemetry.instrumentation.flask")
"""What serves many routes behind one function, once an app imports it (docs/decisions/020); and
what imports it before it has itself all that we look for."""

_EXTENSION = "funcscope.telemetry._api.extension"
_INSTRUMENTATIONS = "funcscope.telemetry._recording.instrumentations"

_logger = logging.getLogger("funcscope.telemetry")
_watched: list[str] = []


def activate() -> None:
    """
    Record every invocation from now on; calling it again changes nothing.

    Hooks the worker, gives log records their fields, and registers the extension, which
    importing its module does. Invocations are carried into threads from when the settings are
    read, which may switch that off: when the first function was loaded.
    """
    install()
    add_record_fields()
    _redact_stream_early()
    import_module(_EXTENSION)
    for name in WEB_FRAMEWORKS:
        if name not in _watched:
            _watched.append(name)
            wrapt.register_post_import_hook(_join_web_framework, name)


def configure(
    *,
    span_processors: Sequence[SpanProcessor] = (),
    log_filters: Sequence[logging.Filter | Callable[[logging.LogRecord], object]] = (),
    **options: object,
) -> None:
    """
    Turn telemetry on, as `import funcscope.auto` does, with options that win over app settings.

    Call it when the app is imported. Called again, later options win over earlier ones, and
    span processors add up, as instrumentations do: what is on stays on.

    Args:
        span_processors: Processors to add to the tracer provider, whoever sets it.
        log_filters: Filters, as handlers have them, for the log records that are exported. Each
            gets a copy; a record that one refuses, or fails on, is not exported.
        options: `span_kind`, `parent_flag`, `max_links`, `max_text_length`, `record_metrics`,
            `capture_request_headers`, `capture_response_headers`, `redact`, `redact_stream`,
            `instrument`, `propagate`, `leave_threads`, `log_level`, `log_levels`, `log_buffer`:
            each means what the app setting of that name does (docs/reference/settings.md).

    Raises:
        TelemetryError: An option is unknown or cannot have its value, or the first invocation
            has started.
    """
    values = check_options(options)
    filters = check_filters(log_filters)
    activate()
    # Not at the top: importing the extension's module registers it.
    from funcscope.telemetry._api.extension import recorder

    recorder().configure(values, span_processors, filters)
    instrument_early(cast("tuple[str, ...] | None", values.get("instrument")))


def instrument_early(given: Sequence[str] | None = None) -> None:
    """
    Turn on the instrumentations that are asked for, before the app makes what they replace.

    Without one nothing is loaded for it.

    Args:
        given: Their names, which win over the app setting; None where code gives none.
    """
    if given is None and not os.environ.get("FUNCSCOPE_INSTRUMENT", "").strip():
        return
    extension = import_module(_EXTENSION).TelemetryExtension
    if is_switched_off(extension):
        return
    try:
        import_module(_INSTRUMENTATIONS).instrumentations.turn_on_early(given)
    except Exception:
        _logger.exception("instrumentations are not turned on")


def _redact_stream_early() -> None:
    """Redact what handlers get from the app's import on; without the setting, load nothing."""
    if os.environ.get("FUNCSCOPE_REDACT_STREAM", "").strip().lower() != "on":
        return
    try:
        names = os.environ.get("FUNCSCOPE_REDACT", "").split(",")
        import_module("funcscope.telemetry._logs.stream").redact_stream(names)
    except Exception:
        _logger.exception("log handlers get records with their secrets")


def _join_web_framework(_framework: ModuleType) -> None:
    """Load what knows web frameworks: by name, as telemetry does not import integrations."""
    try:
        import_module("funcscope.contrib.web").install()
    except Exception:
        _logger.exception("the routes of web frameworks are not recorded")
