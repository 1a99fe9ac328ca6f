"""The request that an invocation hands to a web framework."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from time import time_ns
from typing import TYPE_CHECKING

from opentelemetry.trace import get_current_span

from funcscope.extensions import current_invocation
from funcscope.extensions.integration import guarded, log_quietly
from funcscope.telemetry.integration import invocation_span_context, is_request, set_route

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from opentelemetry.trace import Span
    from opentelemetry.util.types import AnyValue

_REQUEST = object()

_logger = logging.getLogger("funcscope.telemetry")


class FrameworkRequest:
    """
    One request, while a framework serves it in an invocation.

    Args:
        span: The invocation's span.

    Attributes:
        span: The same.
        is_joined: Whether the framework has a span of its own for it, which was made one with that.
    """

    def __init__(self, span: Span) -> None:
        self.span = span
        self.is_joined = False
        self._held: list[tuple[BaseException, int, Mapping[str, AnyValue] | None]] = []

    def hold(self, error: BaseException, attributes: Mapping[str, AnyValue] | None) -> None:
        """Hold an exception that is to be recorded, until it is known who else records it."""
        if all(held is not error for held, _, _ in self._held):
            self._held.append((error, time_ns(), attributes))

    def release(self, failure: BaseException | None) -> None:
        """
        Record the exceptions that are held.

        Args:
            failure: What leaves the app, which the invocation records itself.
        """
        for error, when, attributes in self._held:
            if error is not failure:
                self.span.record_exception(error, attributes, when)
        self._held.clear()


@contextmanager
def serving(find_route: Callable[[], str | None]) -> Generator[None, None, None]:
    """
    Serve a request of the running invocation in a block, and set its route after.

    Outside an invocation of a request, and a second time in one, it does nothing.

    Args:
        find_route: Returns the route once the framework has served it; None where it knows of none.
    """
    request = _begin()
    if request is None:
        yield
        return
    failure: BaseException | None = None
    try:
        yield
    except BaseException as error:
        failure = error
        raise
    finally:

        def end() -> None:
            request.release(failure)
            if route := find_route():
                set_route(route)

        guarded(end, _logger, "the route that served a request cannot be told")


def framework_request() -> FrameworkRequest | None:
    """Return the request that the running invocation has handed to a framework; None where none."""
    invocation = current_invocation()
    request = None if invocation is None else invocation.state.get(_REQUEST)
    return request if isinstance(request, FrameworkRequest) else None


def _begin() -> FrameworkRequest | None:
    """Make the running invocation's request; None where there is none, or it has one already."""
    try:
        invocation = current_invocation()
        if invocation is None or not is_request(invocation) or _REQUEST in invocation.state:
            return None
        span = get_current_span()
        if span.get_span_context() != invocation_span_context(invocation):
            return None
        request = invocation.state[_REQUEST] = FrameworkRequest(span)
    except Exception as error:  # noqa: BLE001  (the app serves it all the same)
        log_quietly(_logger, logging.ERROR, "the route of a request cannot be told", error=error)
        return None
    return request
