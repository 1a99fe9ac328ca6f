"""
Annotations of a running invocation: what an integration says of it to whoever records it.

They stand in the invocation's state, and the recorder looks for them when the function has ended.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from funcscope.extensions import current_invocation
from funcscope.extensions.integration import look_up_invocation, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.trace import Span

    from funcscope.extensions import Invocation
    from funcscope.telemetry._semconv import Attributes

ROUTE, FAILURES, STATUS, EXPORT_SUPPRESSION = object(), object(), object(), object()
"""Keys of an invocation's state: the route, what failed, the status of a response, and what tells
whether nothing is exported."""

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


def record_route(invocation: Invocation, span: Span, own_name: str | None) -> Attributes:
    """
    Set the route that was annotated on an invocation's span.

    Args:
        invocation: The invocation, which has ended.
        span: Its span.
        own_name: The span's name by its function's route; None where it is not named by a route.

    Returns:
        The attributes that metrics have for it.
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


def suppress_export_while(invocation: Invocation, condition: Callable[[], bool]) -> None:
    """
    Export nothing of an invocation that is recorded while a condition holds.

    Log records that are made, spans that end, and stages that are measured.

    Args:
        invocation: The running one.
        condition: Asked on the thread that records, each time.
    """
    invocation.state[EXPORT_SUPPRESSION] = condition


def is_export_suppressed() -> bool:
    """Tell whether a log record, span or measurement of here and now is not to be exported."""
    invocation = look_up_invocation()
    if invocation is None or EXPORT_SUPPRESSION not in invocation.state:
        return False
    # A thread may outlive it, and goes on recording.
    return (
        runs(invocation.id) and cast("Callable[[], bool]", invocation.state[EXPORT_SUPPRESSION])()
    )


def report_failure(invocation: Invocation, error: BaseException) -> None:
    """Report what failed in an invocation whose function returns nevertheless."""
    cast("list[BaseException]", invocation.state.setdefault(FAILURES, [])).append(error)


def reported_failures(invocation: Invocation) -> Sequence[BaseException]:
    """Return the failures that were reported, in order."""
    return cast("Sequence[BaseException]", invocation.state.get(FAILURES, ()))


def report_status(invocation: Invocation, status: int) -> None:
    """Report the status of a response that a function answers by raising what holds the body."""
    invocation.state[STATUS] = status
