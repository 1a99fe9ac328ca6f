"""
The choice of an extractor for a function.

Many apps have HTTP triggers alone, so the tables of all others are loaded when a function has one
of these.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from funcscope.telemetry._triggers.extractor import TriggerExtractor
from funcscope.telemetry._triggers.http import NO_HEADERS, Headers, HttpExtractor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.extensions import Function

_FAMILIES = "funcscope.telemetry._triggers.families"


def extractor_for(
    function: Function,
    *,
    route_prefix: str,
    environ: Mapping[str, str],
    max_links: int | None = None,
    headers: Headers = NO_HEADERS,
) -> TriggerExtractor:
    """
    Choose the extractor for the trigger of a function's invocations.

    Args:
        function: The function, with its bindings.
        route_prefix: host.json's `extensions.http.routePrefix`.
        environ: App settings, for names such as `%QUEUE%`.
        max_links: How many links a span has at most; None for OpenTelemetry's own limit.
        headers: Which headers of requests and responses are recorded.
    """
    trigger = function.trigger
    if trigger is None:
        return TriggerExtractor(function, {"faas.trigger": "other"})
    if trigger.type.lower() == "httptrigger":
        return HttpExtractor(function, trigger, route_prefix, headers)
    extractor = import_module(_FAMILIES).table_extractor(function, trigger, environ, max_links)
    return cast("TriggerExtractor", extractor)
