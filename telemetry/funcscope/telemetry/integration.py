"""
The face for integrations, which take more of telemetry than apps do.

For `funcscope.contrib`, which imports from here and from `funcscope.telemetry` and from no private
module, and for integrations of others. No page for users tells of it; it changes only with an entry
in the changelog. Each name is loaded when it is asked for, as an integration stands in the way of
an app's first import as telemetry itself does. Why there are faces and rooms: docs/decisions/039.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from funcscope.telemetry._annotations import (
        is_request,
        report_failure,
        report_status,
        set_route,
        suppress_export_while,
    )
    from funcscope.telemetry._api.activation import activate, is_active
    from funcscope.telemetry._api.extension import recorder, replace_recorder
    from funcscope.telemetry._config.azure_monitor import (
        azure_monitor_problem,
        connection_string_problem,
    )
    from funcscope.telemetry._config.host import decide_destinations
    from funcscope.telemetry._config.options import LOCAL_HOST
    from funcscope.telemetry._config.otlp_target import OtlpTarget, OtlpVariables, read_target
    from funcscope.telemetry._config.proxy import split_url
    from funcscope.telemetry._config.resource import resource
    from funcscope.telemetry._config.settings import Settings, read_settings
    from funcscope.telemetry._context import invocation_span_context, is_sending
    from funcscope.telemetry._delivery.retry import (
        Accepted,
        ExportOutcome,
        Retryable,
        classify_error,
        classify_response,
    )
    from funcscope.telemetry._http.connection import Connection
    from funcscope.telemetry._http.deadline import Deadline
    from funcscope.telemetry._logs.capture import LogCapture
    from funcscope.telemetry._metrics.redaction import MetricRedactor
    from funcscope.telemetry._pipeline.context import ExportContext
    from funcscope.telemetry._pipeline.policies import Policies, logger_provider, tracer_provider
    from funcscope.telemetry._recording.deferred_end import DeferredEnd, defer_ends_with
    from funcscope.telemetry._redaction.redactor import redact
    from funcscope.telemetry._scope import SCOPE, is_provider_set
    from funcscope.telemetry._semconv import (
        EXPORTED_ITEMS,
        INVOCATION_ID,
        TASK_INSTANCE,
        TASK_NAME,
        TASK_OPERATION,
        WAITING_ITEMS,
        Attributes,
    )
    from funcscope.telemetry._spans.attributes import record_exception
    from funcscope.telemetry._spans.sampling import probability

__all__ = [
    "EXPORTED_ITEMS",
    "INVOCATION_ID",
    "LOCAL_HOST",
    "SCOPE",
    "TASK_INSTANCE",
    "TASK_NAME",
    "TASK_OPERATION",
    "WAITING_ITEMS",
    "Accepted",
    "Attributes",
    "Connection",
    "Deadline",
    "DeferredEnd",
    "ExportContext",
    "ExportOutcome",
    "LogCapture",
    "MetricRedactor",
    "OtlpTarget",
    "OtlpVariables",
    "Policies",
    "Retryable",
    "Settings",
    "activate",
    "azure_monitor_problem",
    "classify_error",
    "classify_response",
    "connection_string_problem",
    "decide_destinations",
    "defer_ends_with",
    "invocation_span_context",
    "is_active",
    "is_provider_set",
    "is_request",
    "is_sending",
    "logger_provider",
    "probability",
    "read_settings",
    "read_target",
    "record_exception",
    "recorder",
    "redact",
    "replace_recorder",
    "report_failure",
    "report_status",
    "resource",
    "set_route",
    "split_url",
    "suppress_export_while",
    "tracer_provider",
]

_HOMES = {
    "is_request": "_annotations",
    "report_failure": "_annotations",
    "report_status": "_annotations",
    "set_route": "_annotations",
    "suppress_export_while": "_annotations",
    "activate": "_api.activation",
    "is_active": "_api.activation",
    "recorder": "_api.extension",
    "replace_recorder": "_api.extension",
    "azure_monitor_problem": "_config.azure_monitor",
    "connection_string_problem": "_config.azure_monitor",
    "decide_destinations": "_config.host",
    "LOCAL_HOST": "_config.options",
    "OtlpTarget": "_config.otlp_target",
    "OtlpVariables": "_config.otlp_target",
    "read_target": "_config.otlp_target",
    "split_url": "_config.proxy",
    "resource": "_config.resource",
    "Settings": "_config.settings",
    "read_settings": "_config.settings",
    "invocation_span_context": "_context",
    "is_sending": "_context",
    "Accepted": "_delivery.retry",
    "ExportOutcome": "_delivery.retry",
    "Retryable": "_delivery.retry",
    "classify_error": "_delivery.retry",
    "classify_response": "_delivery.retry",
    "Connection": "_http.connection",
    "Deadline": "_http.deadline",
    "LogCapture": "_logs.capture",
    "MetricRedactor": "_metrics.redaction",
    "ExportContext": "_pipeline.context",
    "Policies": "_pipeline.policies",
    "logger_provider": "_pipeline.policies",
    "tracer_provider": "_pipeline.policies",
    "DeferredEnd": "_recording.deferred_end",
    "defer_ends_with": "_recording.deferred_end",
    "redact": "_redaction.redactor",
    "SCOPE": "_scope",
    "is_provider_set": "_scope",
    "Attributes": "_semconv",
    "EXPORTED_ITEMS": "_semconv",
    "INVOCATION_ID": "_semconv",
    "TASK_INSTANCE": "_semconv",
    "TASK_NAME": "_semconv",
    "TASK_OPERATION": "_semconv",
    "WAITING_ITEMS": "_semconv",
    "record_exception": "_spans.attributes",
    "probability": "_spans.sampling",
}


def __getattr__(name: str) -> object:
    """Load what a name stands for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(_import_module(f"funcscope.telemetry.{_HOMES[name]}"), name)
    globals()[name] = value  # asked for once
    return value


def __dir__() -> list[str]:
    """List what may be asked for."""
    return __all__
