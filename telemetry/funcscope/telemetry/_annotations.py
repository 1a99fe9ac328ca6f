"""The route that a web framework chose for a request, where one function serves many."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from funcscope.extensions import current_invocation

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from funcscope.extensions import Invocation
    from funcscope.telemetry._semconv import Attributes

ROUTE = object()
"""Where an invocation's state keeps the route."""

_HTTP_ROUTE = "http.route"

_logger = logging.getLogger("funcscope.telemetry")


def set_route(route: str) -> None:
    """
    Say which route serves the running invocation, in place of its function's own; the last counts.

    Where none runs, or no request triggered it, this does nothing.

    It is `http.route` of the invocation's span and of its HTTP metric, and with the method the
    span's name, unless the app names the span itself or the host's span is the request's.

    Args:
        route: A template such as `/items/{item_id}`, never a path: each makes a metric's series.
    """
    invocation = current_invocation()
    if invocation is not None and is_request(invocation):
        invocation.state[ROUTE] = route


def is_request(invocation: Invocation) -> bool:
    """Tell whether an HTTP request is what triggered an invocation."""
    trigger = invocation.function.trigger
    return trigger is not None and trigger.type.lower() == "httptrigger"


def tell_route(invocation: Invocation, span: Span, own_name: str | None) -> Attributes:
    """
    Tell an invocation's span of the route that was set.

    Args:
        invocation: The invocation, which has ended.
        span: Its span.
        own_name: What its function's route had it named; None where it is not named by a route.

    Returns:
        What metrics are to say of it.
    """
    route = str(invocation.state[ROUTE])
    try:
        if span.is_recording():
            span.set_attribute(_HTTP_ROUTE, route)
            if own_name is not None and getattr(span, "name", own_name) == own_name:
                span.update_name(f"{own_name.partition(' ')[0]} {route}")
    except Exception:
        _logger.exception("the route of %s could not be recorded", invocation.function_name)
    return {_HTTP_ROUTE: route}
