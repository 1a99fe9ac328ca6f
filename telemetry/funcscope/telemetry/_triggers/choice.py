"""
Which description fits a function.

Many apps have HTTP triggers alone, so the tables of all others are loaded when a function has one
of these.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.trace import SpanKind

from funcscope.telemetry._triggers import http as _http
from funcscope.telemetry._triggers.extractor import NOTHING, Description, Outcome
from funcscope.telemetry._triggers.http import NO_HEADERS, Headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.extensions import Function, Invocation

_FAMILIES = "funcscope.telemetry._triggers.families"
_CONVERSION = "funcscope.telemetry._triggers.conversion"


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
        return _http.describe(function, trigger, route_prefix, Refusals(function), headers)
    families = import_module(_FAMILIES)
    described = cast("Description", families.describe(function, trigger, environ, max_links))
    if function.conversions is None:
        return described
    return replace(described, result=_result(function))


class Refusals:
    """
    Tells what a worker refuses of a function's results; loads what knows it when it is asked.

    Args:
        function: The function.
    """

    __slots__ = ("_conversion", "_function")

    def __init__(self, function: Function) -> None:
        self._function = function
        self._conversion: Any = None  # `Conversion`

    def __call__(self, invocation: Invocation, returned: object) -> Outcome | None:
        """Say what is refused of what a function returned and put out; None: nothing."""
        try:
            if self._conversion is None:
                self._conversion = import_module(_CONVERSION).Conversion(self._function)
            return cast("Outcome | None", self._conversion.refusal(invocation, returned))
        except Exception:  # noqa: BLE001  (a user's object, asked as the worker will ask it)
            return None


def _result(function: Function) -> Callable[[Invocation, object], Outcome]:
    """Return what says of a result that the worker refuses it, where that is known."""
    refuse = Refusals(function)
    takes_none = not function.conversions  # nothing is put out: as most of these functions are

    def result(invocation: Invocation, returned: object) -> Outcome:
        if returned is None and takes_none:
            return NOTHING
        return refuse(invocation, returned) or NOTHING

    return result
