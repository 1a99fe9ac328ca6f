"""How long functions and their stages take."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN

from funcscope.extensions import FuncExtension, Invocation, Step, current_invocation
from funcscope.extensions.integration import (
    OnceLog,
    is_decorated,
    leave_out_own_frames,
    replace_user_function,
)
from funcscope.telemetry._annotations import is_export_suppressed
from funcscope.telemetry._context import SPAN_KEY, current_context
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._scope import duration_histogram, get_meter, get_tracer
from funcscope.telemetry._semconv import TIMED_DURATION, TIMED_NAME
from funcscope.telemetry._spans.attributes import record_exception
from funcscope.telemetry._spans.contexts import SpanScope
from funcscope.telemetry._values.exceptions import type_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
    from types import CodeType, FrameType, TracebackType

    from opentelemetry.metrics import Histogram
    from opentelemetry.trace import Span

_P = ParamSpec("_P")
_F = TypeVar("_F", bound="Callable[..., object]")

_logger = logging.getLogger("funcscope.timing")

_problems = OnceLog(_logger, logging.ERROR, limit=100)  # which have stages' names


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
            _record(invocation.function_name, duration, error, invocation.function_name)
            outcome = "" if error is None else f", failed: {type_name(error)}"
            _logger.info("%s took %.1f ms%s", invocation.function_name, duration * 1e3, outcome)


class timed:  # noqa: N801  (reads as a statement)
    """
    Measure a stage of a function: a child span and a point of the histogram.

    A context manager, and a decorator of functions, coroutine functions and generator functions,
    whose stage lasts from the first step to the end of the generator. One object may serve any
    number of blocks, nested or at once, and a block may be left in another thread or context than
    it was entered in, as generators are.

    An exception makes the stage a failure, but for the `GeneratorExit` of a generator that is
    closed, as by a loop that is left.

    Args:
        name: The span's name, and the `funcscope.timed.name` of the histogram: use few.

    Raises:
        TelemetryError: It has no name.

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
        self._open: dict[_Stage, None] = {}

    def __reduce__(self) -> tuple[type[timed], tuple[str]]:
        """Copy a stage without its open blocks, as a function that it decorates may be copied."""
        return type(self), (self._name,)

    def __enter__(self) -> Span:
        """Start the span and make it current."""
        stage = _Stage(self._name, sys._getframe(1))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._open[stage] = None
        return stage.span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        frames: TracebackType | None,
    ) -> None:
        """End the span; an exception is recorded on it and goes on."""
        stage = self._left_by(sys._getframe(1))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        if stage is not None and self._open.pop(stage, stage) is None:
            stage.end(None if isinstance(error, GeneratorExit) else error)

    def __call__(self, function: _F) -> _F:
        """Measure each call of a function, below or above the decorators of azure.functions."""
        if is_decorated(function):
            if not replace_user_function(function, self):
                _logger.warning(
                    "timed(%r) measures nothing: put it below the decorators of azure.functions, "
                    "right above the function",
                    self._name,
                )
            return function
        target: Any = function  # its kind decides what a call returns
        if isinstance(function, (staticmethod, classmethod)):
            return cast("_F", type(target)(self(target.__func__)))
        if not _is_measured(target):
            _logger.warning(
                "timed(%r) measures nothing: %r is no function; decorate a class's methods, and "
                "a property's function below @property",
                self._name,
                target,
            )
            return function
        called = _called(function)
        if inspect.isgeneratorfunction(called):
            return cast("_F", self._decorate_generator(target))
        if inspect.isasyncgenfunction(called):
            return cast("_F", self._decorate_async_generator(target))
        if inspect.iscoroutinefunction(called):
            return cast("_F", self._decorate_async(target))

        @functools.wraps(function)
        def measured(*args: object, **kwargs: object) -> object:
            try:
                with self:
                    return function(*args, **kwargs)
            except BaseException as error:
                leave_out_own_frames(error)
                raise

        return cast("_F", measured)

    def _decorate_async(
        self, function: Callable[_P, Awaitable[object]]
    ) -> Callable[_P, Awaitable[object]]:
        @functools.wraps(function)
        async def measured(*args: _P.args, **kwargs: _P.kwargs) -> object:
            try:
                with self:
                    return await function(*args, **kwargs)
            except BaseException as error:
                leave_out_own_frames(error)
                raise

        return measured

    def _decorate_generator(
        self, function: Callable[_P, Generator[object, object, object]]
    ) -> Callable[_P, Generator[object, object, object]]:
        @functools.wraps(function)
        def measured(*args: _P.args, **kwargs: _P.kwargs) -> Generator[object, object, object]:
            try:
                with self:
                    return (yield from function(*args, **kwargs))
            except BaseException as error:
                leave_out_own_frames(error)
                raise

        return measured

    def _decorate_async_generator(
        self, function: Callable[_P, AsyncGenerator[object, object]]
    ) -> Callable[_P, AsyncGenerator[object, object]]:
        @functools.wraps(function)
        async def measured(*args: _P.args, **kwargs: _P.kwargs) -> AsyncGenerator[object, object]:
            with self:
                inner = function(*args, **kwargs)
                step = _first_step(inner)
                while True:
                    try:
                        value = await step
                    except StopAsyncIteration:
                        return
                    except BaseException as error:
                        leave_out_own_frames(error)
                        raise
                    try:
                        step = inner.asend((yield value))
                    except GeneratorExit:
                        await inner.aclose()
                        raise
                    except BaseException as error:  # noqa: BLE001  (it is the generator's to see)
                        step = inner.athrow(error)

        return measured

    def _left_by(self, frame: FrameType) -> _Stage | None:
        """
        Find the stage that is left: the one that the frame entered, the last if several.

        A `with` statement enters and leaves in one frame. What does it otherwise, such as an
        `ExitStack`, is taken to leave the stage whose span is current, else the last.
        """
        stages = list(self._open)
        if len(stages) > 1:
            for stage in reversed(stages):
                if stage.was_entered_by(frame):
                    return stage
            span = current_context().get(SPAN_KEY)
            for stage in reversed(stages):
                if stage.span is span:
                    return stage
        return stages[-1] if stages else None


def _is_measured(function: object) -> bool:
    """Tell whether a call of something can be measured; a class is asked for more than calls."""
    return callable(function) and not isinstance(function, type)


def _called(function: object) -> Any:
    """Return the function that a call runs: of objects, their class's `__call__`."""
    if inspect.isroutine(function) or isinstance(function, functools.partial):
        return cast("Any", function)
    return getattr(type(function), "__call__", function)  # noqa: B004  (it is called)


def _first_step(inner: AsyncGenerator[object, object]) -> Awaitable[object]:
    """
    Begin a generator that another one ends.

    An event loop that shuts down closes all generators that were begun on it, at once: one of the
    two would be found running.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return inner.__anext__()
    finally:
        sys.set_asyncgen_hooks(*hooks)


class _Stage:
    """
    A stage that is under way.

    Args:
        name: The stage's name.
        frame: Where it is entered; known by its address and code, as keeping it would keep all
            that the frame has.

    Attributes:
        span: Its span, which is current.
    """

    __slots__ = ("_code", "_frame_id", "_function_name", "_name", "_scope", "_start", "span")

    def __init__(self, name: str, frame: FrameType) -> None:
        self._name = name
        self._frame_id = id(frame)
        self._code: CodeType = frame.f_code
        invocation = current_invocation()
        self._function_name = None if invocation is None else invocation.function_name
        self._scope: SpanScope | None = None
        try:
            self.span = get_tracer().start_span(name)
            self._scope = SpanScope(self.span)
        except Exception as trouble:  # noqa: BLE001  (logged once)
            self.span = INVALID_SPAN
            _problems.log("the stage %r gets no span", name, error=trouble)
        self._start = perf_counter()

    def was_entered_by(self, frame: FrameType) -> bool:
        """Return whether the stage was entered in a frame."""
        return self._frame_id == id(frame) and self._code is frame.f_code

    def end(self, error: BaseException | None) -> None:
        """Record the stage, with its error; no fault of that reaches the function."""
        try:
            duration_s = perf_counter() - self._start
            # Not in the context that is current: it may be another's.
            context = Context({SPAN_KEY: self.span})
            _record(self._name, duration_s, error, self._function_name, context)
            if error is not None:
                record_exception(self.span, error)
        except Exception as trouble:  # noqa: BLE001  (logged once)
            _problems.log("the stage %r could not be recorded", self._name, error=trouble)
        try:
            if self._scope is not None:
                self._scope.close()
            self.span.end()
        except Exception as trouble:  # noqa: BLE001  (logged once)
            _problems.log("the span of the stage %r could not be ended", self._name, error=trouble)


@functools.cache
def _histogram() -> Histogram:
    description = "Duration of functions and stages measured with Timing and timed."
    return duration_histogram(get_meter(), TIMED_DURATION, description)


def _record(
    name: str,
    duration_s: float,
    error: BaseException | None,
    function_name: str | None,
    context: Context | None = None,
) -> None:
    if is_export_suppressed():
        return
    attributes = {TIMED_NAME: name}
    if function_name is not None:
        attributes["faas.name"] = function_name
    if error is not None:
        attributes["error.type"] = type_name(error)
    _histogram().record(duration_s, attributes, context)
