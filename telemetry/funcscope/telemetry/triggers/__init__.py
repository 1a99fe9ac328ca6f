"""What each trigger says of an invocation: name, kind and attributes, as pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.telemetry.triggers import _http, _named
from funcscope.telemetry.triggers._description import Attributes, Description, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.extensions import Function

__all__ = ["Attributes", "Description", "Outcome", "describe"]


def describe(function: Function, *, route_prefix: str, environ: Mapping[str, str]) -> Description:
    """
    Choose how to describe a function's invocations.

    Args:
        function: The function, with its bindings.
        route_prefix: host.json's `extensions.http.routePrefix`.
        environ: App settings, for names such as `%QUEUE%`.
    """
    trigger = function.trigger
    if trigger is not None and trigger.type.lower() == "httptrigger":
        return _http.describe(function, trigger, route_prefix)
    return _named.describe(function, trigger, environ)
