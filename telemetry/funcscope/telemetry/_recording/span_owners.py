"""Others that make or export what is recorded of invocations, and what is said of them."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from contextvars import Context
from importlib import import_module
from typing import TYPE_CHECKING, cast

from opentelemetry import _logs

from funcscope.telemetry._logs.filters import has_handler_of_others
from funcscope.telemetry._scope import is_provider_set
from funcscope.telemetry._sdk_settings import sdk_environment
from funcscope.telemetry._semconv import read_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from funcscope.telemetry._config.settings import Settings
    from funcscope.telemetry._providers import OthersProvider

_OTHERS = "funcscope.telemetry._providers"

_logger = logging.getLogger("funcscope.telemetry")

_DYNATRACE = "dynatrace.opentelemetry.azure.functions"


def log_span_owners(provider: OthersProvider | None, exporters: Sequence[str]) -> None:
    """
    Log whose spans are, before funcscope sets a provider.

    Args:
        provider: The tracer provider that somebody has set.
        exporters: Those of spans that settings ask for.
    """
    for sentence in other_owner(provider, exporters), second_request():
        if sentence is not None:
            _logger.info("%s", sentence)


def other_owner(provider: OthersProvider | None, exporters: Sequence[str]) -> str | None:
    """Describe who gets the spans of invocations; None where that is funcscope alone."""
    if provider is None:
        return None
    parts = [f"spans of invocations go to {provider.name}, set before the first invocation"]
    if lacking := [name for name in exporters if not provider.has(name)]:
        parts.append(f"exporters that settings ask for ({', '.join(lacking)}) get none of them")
        if provider.takes_processors:
            parts.append("configure(span_processors=[…]) adds one")
    parts.extend(_doubled(provider.owner))
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


def _doubled(owner: str) -> Iterator[str]:
    """
    Say what gives each request a second span at the same place, and how to be without it.

    `ddtrace/_monkey.py` and `contrib/internal/azure_functions/patch.py` of ddtrace 4.16;
    `newrelic/config.py` of newrelic 14.1, whose hook knows the classic worker alone.
    """
    if owner == "Datadog's tracer":
        if getattr(sys.modules.get("azure.functions"), "_datadog_patch", False):
            yield (
                "each request has Datadog's own span, too, unless "
                "DD_TRACE_AZURE_FUNCTIONS_ENABLED=false"
            )
    elif owner == "New Relic's agent" and "azure_functions_worker.dispatcher" in sys.modules:
        yield (
            "each HTTP request is New Relic's own transaction, too, unless its configuration file "
            "has enabled=false in [import-hook:azure_functions_worker.dispatcher]"
        )


def others(provider: object, noun: str) -> OthersProvider | None:
    """Describe a provider that somebody else has set; None where nobody has."""
    if not is_provider_set(provider):
        return None
    found = cast("OthersProvider", import_module(_OTHERS).describe(provider, noun))
    return found._replace(gets_records=noun != "logger" or has_handler_of_others())


def declared_sender(settings: Settings) -> OthersProvider | None:
    """Describe what a configuration file sends spans by; None where it does not, or cannot."""
    file = settings.config_file
    if file is None or "traces" not in file.signals:
        return None
    with suppress(Exception):  # said where its provider is to be set
        sdk_environment.hold_detectors()
        sending = Context().run(file.span_processor)
        return cast("OthersProvider", import_module(_OTHERS).describe(sending, "tracer"))
    return None


def name_records() -> None:
    """Have somebody else's provider, which gets what is logged, name the invocation in it."""
    processor = import_module("funcscope.telemetry._logs.processor")
    processor.name_invocations(_logs.get_logger_provider(), read_names(os.environ))
