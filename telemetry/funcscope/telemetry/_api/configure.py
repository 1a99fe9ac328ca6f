"""Options given in code."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from funcscope.telemetry._api.activation import activate, instrument_early
from funcscope.telemetry._config.options import check_options
from funcscope.telemetry._logs.filters import check_filters

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import SpanProcessor


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
