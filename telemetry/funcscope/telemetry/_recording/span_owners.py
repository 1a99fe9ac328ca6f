"""Others that make or export the spans of invocations, named in one line of the log."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import trace

from funcscope.extensions.integration import log_quietly
from funcscope.telemetry._scope import is_provider_set

if TYPE_CHECKING:
    from collections.abc import Iterator

_logger = logging.getLogger("funcscope.telemetry")

_SDK = "opentelemetry.sdk."
_OWNERS = {
    "azure": "Azure Monitor's distro",
    "ddtrace": "Datadog's tracer",
    "logfire": "Logfire",
    "newrelic": "New Relic's agent",
    "sentry_sdk": "Sentry's SDK",
}
"""By the package that a provider, processor or exporter comes from."""

_DYNATRACE = "dynatrace.opentelemetry.azure.functions"


def log_span_owners(*, is_export_wanted: bool) -> None:
    """Log whose spans are, before funcscope sets a provider, as far as others' objects show it."""
    try:
        provider = trace.get_tracer_provider()
        sentences = other_owner(provider, is_asked_for=is_export_wanted), second_request()
    except Exception as error:  # noqa: BLE001  (somebody's provider)
        log_quietly(_logger, logging.WARNING, "who has spans cannot be told: %r", error)
        return
    for sentence in filter(None, sentences):
        _logger.info("%s", sentence)


def other_owner(provider: object, *, is_asked_for: bool) -> str | None:
    """
    Describe who gets the spans of invocations; None where that is funcscope alone.

    Args:
        provider: The tracer provider that is set before the first invocation.
        is_asked_for: Whether the settings ask for an exporter of spans, which gets none then.
    """
    if not is_provider_set(provider):
        return None
    parts = [f"spans of invocations go to {_name(provider)}, set before the first invocation"]
    if is_asked_for:
        parts.append("exporters that OTEL_* settings name get none of them")
        if _is_sdks(provider):
            parts.append("configure(span_processors=[…]) adds one")
    parts.extend(_doubled(provider))
    return "; ".join(parts)


def second_request() -> str | None:
    """
    Say what makes a span of its own for each request, whoever has set the provider.

    Dynatrace's `wrap_handler` does, below nothing where the trigger is not HTTP
    (`dynatrace-opentelemetry-azure-functions` 1.349, `_wrapper.py`, `_triggers.py`).
    """
    if _DYNATRACE not in sys.modules:
        return None
    return (
        "functions with Dynatrace's wrap_handler have two spans for each invocation: remove the "
        "decorator, or set FUNCSCOPE_DISABLE=TelemetryExtension"
    )


def _is_sdks(provider: object) -> bool:
    return any(kind.__module__.startswith(_SDK) for kind in type(provider).__mro__)


def _name(provider: object) -> str:
    """Name who has set a provider, by its package or by those of what it sends spans to."""
    kinds = list(_kinds(provider))
    for kind in kinds:
        owner = _OWNERS.get(kind.__module__.partition(".")[0])
        if owner is not None:
            return owner
    first = kinds[0]
    if not first.__module__.startswith(_SDK):
        return f"{first.__module__}.{first.__qualname__}"
    exporters = sorted({kind.__name__ for kind in kinds if kind.__name__.endswith("Exporter")})
    by = f" with {', '.join(exporters)}" if exporters else ""
    return f"the app's own tracer provider{by}"


def _kinds(provider: object) -> Iterator[type]:
    """List the classes of a provider, its processors and their exporters (SDK 1.45)."""
    yield type(provider)
    active: Any = getattr(provider, "_active_span_processor", None)
    for processor in cast("tuple[object, ...]", getattr(active, "_span_processors", ())):
        yield type(processor)
        for holder in (processor, getattr(processor, "_batch_processor", None)):
            for name in ("span_exporter", "_exporter"):
                exporter: object = getattr(holder, name, None)
                if exporter is not None:
                    yield type(exporter)


def _doubled(provider: object) -> Iterator[str]:
    """
    Say what gives each request a second span at the same place, and how to be without it.

    `ddtrace/_monkey.py` and `contrib/internal/azure_functions/patch.py` of ddtrace 4.16;
    `newrelic/config.py` of newrelic 14.1, whose hook knows the classic worker alone.
    """
    package = type(provider).__module__.partition(".")[0]
    if package == "ddtrace":
        if getattr(sys.modules.get("azure.functions"), "_datadog_patch", False):
            yield (
                "each request has Datadog's own span, too, unless "
                "DD_TRACE_AZURE_FUNCTIONS_ENABLED=false"
            )
    elif package == "newrelic" and "azure_functions_worker.dispatcher" in sys.modules:
        yield (
            "each HTTP request is New Relic's own transaction, too, unless its configuration file "
            "has enabled=false in [import-hook:azure_functions_worker.dispatcher]"
        )
