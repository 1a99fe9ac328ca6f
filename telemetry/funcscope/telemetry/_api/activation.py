"""Turning telemetry on, with options given in code or without."""

from __future__ import annotations

import logging
import os
import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, cast

from funcscope.extensions import install
from funcscope.extensions.integration import guarded, is_switched_off, switch
from funcscope.telemetry._config.options import check_options
from funcscope.telemetry._integrations import await_libraries
from funcscope.telemetry._logs.correlation import add_record_fields
from funcscope.telemetry._logs.filters import check_filters
from funcscope.telemetry._sdk_settings import sdk_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.trace import SpanProcessor

    from funcscope.telemetry._logs.filters import Filter

_EXTENSION = "funcscope.telemetry._api.extension"
_INSTRUMENTATIONS = "funcscope.telemetry._recording.instrumentations"
_PLUGINS = "funcscope.telemetry._plugins"
_CONFIG_FILE = "OTEL_CONFIG_FILE"
_DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_NAME = "azure_functions"
"""The name of the whole among OpenTelemetry's instrumentations: its entry point's."""

_logger = logging.getLogger("funcscope.telemetry")


def activate(
    options: Mapping[str, object] | None = None,
    span_processors: Sequence[SpanProcessor] = (),
    log_filters: Sequence[Filter] = (),
) -> None:
    """
    Record every invocation from now on; calling it again adds options and changes nothing else.

    Hooks the worker, gives log records their fields, and registers the extension, which
    importing its module does. Invocations are carried into threads from when the settings are
    read, which may switch that off: when the first function was loaded. Instrumentations that are
    asked for are turned on at once, before the app makes what they replace.

    Args:
        options: What `configure` takes, checked; and `connection_string`, where Azure Monitor's
            exporter sends to. None where code gives nothing.
        span_processors: Processors to add to the tracer provider.
        log_filters: Filters for the log records that are exported.

    Raises:
        TelemetryError: Options are given, and the first invocation has started.
    """
    install()
    add_record_fields()
    _redact_stream_early()
    sdk_environment.mend()  # before anything imports the SDK
    if os.environ.get(_CONFIG_FILE, "").strip():
        declared = import_module("funcscope.telemetry._config_file")
        heed = partial(declared.apply_early, os.environ)
        guarded(heed, _logger, "instrumentations of the configuration file are not turned on")
    _heed_disabled(import_module(_EXTENSION).TelemetryExtension)
    await_libraries()
    if options is not None:
        recorder = import_module(_EXTENSION).recorder()
        recorder.session.configure(options, span_processors, log_filters)
    _instrument_early(cast("tuple[str, ...] | None", (options or {}).get("instrument")))


def start() -> None:
    """
    Turn telemetry on, and set OpenTelemetry's providers at once.

    They are set when the first invocation starts, unless this is called, so that an app can set
    its own until then. A library that looks for them when it is imported and is off for good
    where it finds none needs them before: call this first, and after `configure()`, which is
    refused from then on. It takes the time that the SDK's import takes (docs/decisions/052).
    """
    activate()
    extension = import_module(_EXTENSION)
    if not is_switched_off(extension.TelemetryExtension):
        session = extension.recorder().session
        guarded(session.start_early, _logger, "OpenTelemetry's providers are not set early")


def is_active() -> bool:
    """Tell whether telemetry was turned on in this process, without turning it on."""
    return _EXTENSION in sys.modules


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
            `baggage_keys`, `tag_response`, `instrument`, `propagate`, `leave_threads`, `log_level`,
            `log_levels`, `log_buffer`: each means what the app setting of that name does
            (docs/reference/settings.md).

    Raises:
        TelemetryError: An option is unknown or cannot have its value, or the first invocation
            has started.
    """
    activate(check_options(options), span_processors, check_filters(log_filters))


def _heed_disabled(extension: type) -> None:
    """Record nothing where the whole is named by the setting that turns instrumentations off."""
    names = os.environ.get(_DISABLED, "").split(",")
    source = _DISABLED if _NAME in (name.strip() for name in names) else ""
    if not source and os.environ.get(_CONFIG_FILE, "").strip():
        declared = import_module("funcscope.telemetry._config_file")
        source = _CONFIG_FILE if declared.leaves_out(os.environ, _NAME) else ""
    if source and not is_switched_off(extension):
        switch(extension, is_on=False)
        _logger.info("invocations are not recorded: %s switches %s off", source, _NAME)


def _instrument_early(given: Sequence[str] | None) -> None:
    """Turn on the instrumentations of the app setting, or of code, which wins; load no others."""
    if given is None and not os.environ.get("FUNCSCOPE_INSTRUMENT", "").strip():
        return
    extension = import_module(_EXTENSION).TelemetryExtension
    if is_switched_off(extension):
        return
    try:
        if os.environ.get("OTEL_PROPAGATORS"):
            import_module(_PLUGINS).mend_propagators()  # before instrumentations load them
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
