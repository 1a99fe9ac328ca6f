"""
The choice of an extractor for a function.

Many apps have HTTP triggers alone, so the tables of all others are loaded when a function has one
of these.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from funcscope.telemetry._triggers.extractor import TriggerExtractor
from funcscope.telemetry._triggers.http import NO_HEADERS, Headers, HttpExtractor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.extensions import Function, Invocation
    from funcscope.telemetry._triggers.extractor import Outcome

_FAMILIES = "funcscope.telemetry._triggers.families"
_CONVERSION = "funcscope.telemetry._triggers.conversion"


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
        return TriggerExtractor({"faas.trigger": "other"})
    refusals = Refusals(function)
    if trigger.type.lower() == "httptrigger":
        return HttpExtractor(function, trigger, route_prefix, refusals, headers)
    table_extractor = import_module(_FAMILIES).table_extractor
    extractor = table_extractor(function, trigger, environ, max_links, refusals)
    return cast("TriggerExtractor", extractor)


class Refusals:
    """
    Asks what a worker refuses of a function's results; loads what knows it when it is asked.

    Args:
        function: The function.
    """

    __slots__ = ("_conversion", "_function")

    def __init__(self, function: Function) -> None:
        self._function = function
        self._conversion: Any = None  # `Conversion`

    def __call__(self, invocation: Invocation, returned: object) -> Outcome | None:
        """Return why what a function returned and put out is refused; None where it is not."""
        try:
            if self._conversion is None:
                self._conversion = import_module(_CONVERSION).Conversion(self._function)
            return cast("Outcome | None", self._conversion.refusal(invocation, returned))
        except Exception:  # noqa: BLE001  (a user's object, asked as the worker will ask it)
            return None
