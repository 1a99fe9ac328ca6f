"""How long functions and their stages take."""

from __future__ import annotations

import functools
import inspect
import logging
from contextvars import ContextVar
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar, cast

from opentelemetry.context import attach, detach
from opentelemetry.trace import set_span_in_context

from funcscope.extensions import FuncExtension, Invocation, Step, current_invocation
from funcscope.telemetry._attributes import record_exception, type_name
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._names import TIMED_DURATION, TIMED_NAME
from funcscope.telemetry._scope import duration_histogram, get_meter, get_tracer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.metrics import Histogram
    from opentelemetry.trace import Span

_P = ParamSpec("_P")
_R = TypeVar("_R")

_logger = logging.getLogger("funcscope.timing")


class Timing(FuncExtension):
    """
    Measure one function: a log line and a point of the histogram for each invocation.

    Args:
        function: The function's name, or `__file__` in a v1 function's folder; None to apply it
            as a decorator.

    Raises:
        ExtensionError: A path was given that belongs to no v1 function.
    """

    def around_invocation(self, invocation: Invocation) -> Step:
        """Measure one invocation, whether it succeeds or fails."""
        start = perf_counter()
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            duration = perf_counter() - start
            _record(invocation.function_name, duration, error)
            outcome = "" if error is None else f", failed: {type_name(error)}"
            _logger.info("%s took %.1f ms%s", invocation.function_name, duration * 1e3, outcome)


class timed:  # noqa: N801  (reads as a statement)
    """
    Measure a stage of a function: a child span and a point of the histogram.

    A context manager, and a decorator of functions, `async` ones included. One object may serve
    any number of blocks, nested or at once.

    Args:
        name: The span's name, and the `funcscope.timed.name` of the histogram: use few.

    Raises:
        TelemetryError: It has no name, or decorates a generator function, whose stages lie
            outside the call.

    Example:
        >>> with timed("load-model"):
        ...     total = sum(range(10))
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TelemetryError(
                f'timed({name!r}) has no name: write `with timed("load-model"):` or '
                '`@timed("load-model")`'
            )
        self._name = name

    def __enter__(self) -> Span:
        """Start the span and make it current."""
        span = get_tracer().start_span(self._name)
        token = attach(set_span_in_context(span))
        _open_stages.set((*_open_stages.get(), _Stage(span, token, perf_counter())))
        return span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        frames: TracebackType | None,
    ) -> None:
        """End the span; an exception is recorded on it and goes on."""
        *rest, stage = _open_stages.get()
        _open_stages.set(tuple(rest))
        _record(self._name, perf_counter() - stage.start, error)
        if error is not None:
            record_exception(stage.span, error)
        detach(stage.token)
        stage.span.end()

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Measure each call of a function."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TelemetryError(
                f"timed({self._name!r}) cannot decorate the generator function "
                f"{function.__qualname__!r}: use `with timed(…)` around what it does"
            )
        if inspect.iscoroutinefunction(function):
            return cast("Callable[_P, _R]", self._decorate_async(function))

        @functools.wraps(function)
        def measured(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            with self:
                return function(*args, **kwargs)

        return measured

    def _decorate_async(
        self, function: Callable[_P, Awaitable[object]]
    ) -> Callable[_P, Awaitable[object]]:
        @functools.wraps(function)
        async def measured(*args: _P.args, **kwargs: _P.kwargs) -> object:
            with self:
                return await function(*args, **kwargs)

        return measured


class _Stage(NamedTuple):
    """A stage that is under way."""

    span: Span
    token: Token[Context]
    start: float


_open_stages: ContextVar[tuple[_Stage, ...]] = ContextVar("funcscope_stages", default=())
"""The stages under way in this thread or task, the innermost last."""


@functools.cache
def _histogram() -> Histogram:
    description = "Duration of functions and stages measured with Timing and timed."
    return duration_histogram(get_meter(), TIMED_DURATION, description)


def _record(name: str, duration_s: float, error: BaseException | None) -> None:
    attributes = {TIMED_NAME: name}
    invocation = current_invocation()
    if invocation is not None:
        attributes["faas.name"] = invocation.function_name
    if error is not None:
        attributes["error.type"] = type_name(error)
    _histogram().record(duration_s, attributes)
