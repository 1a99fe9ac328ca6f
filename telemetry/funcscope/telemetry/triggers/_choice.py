"""
Which description fits a function.

Many apps have HTTP triggers alone, so the tables of all others are loaded when a function has one
of these.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from opentelemetry.trace import SpanKind

from funcscope.telemetry._headers import NO_HEADERS, Headers
from funcscope.telemetry.triggers import _http
from funcscope.telemetry.triggers._description import Description

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.extensions import Function

_FAMILIES = "funcscope.telemetry.triggers._families"


def describe(
    function: Function,
    *,
    route_prefix: str,
    environ: Mapping[str, str],
    max_links: int | None = None,
    headers: Headers = NO_HEADERS,
) -> Description:
    """
    Choose how to describe a function's invocations.

    Args:
        function: The function, with its bindings.
        route_prefix: host.json's `extensions.http.routePrefix`.
        environ: App settings, for names such as `%QUEUE%`.
        max_links: How many links a span has at most; None for OpenTelemetry's own limit.
        headers: Which headers of requests and responses are recorded.
    """
    trigger = function.trigger
    if trigger is None:
        return Description(SpanKind.SERVER, {"faas.trigger": "other"}, lambda _: function.name)
    if trigger.type.lower() == "httptrigger":
        return _http.describe(function, trigger, route_prefix, headers)
    families = import_module(_FAMILIES)
    return cast("Description", families.describe(function, trigger, environ, max_links))
