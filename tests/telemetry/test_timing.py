"""Function-level timing."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import logging
import pickle
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

import azure.functions as func
import pytest
from opentelemetry import trace
from tests.extended import call_extended

from funcscope.extensions import Invocation
from funcscope.telemetry import TelemetryError, Timing, timed

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from funcscope.contrib.testing import Spans

Make = Callable[..., Invocation]


def run(invocation: Invocation, function: Callable[..., object]) -> object:
    """Run a call with all that is registered for its function."""
    returned: object = call_extended(invocation, function)
    return returned


def test_timing_logs_each_invocation(invocation: Make, caplog: pytest.LogCaptureFixture) -> None:
    """One INFO line for each invocation names the function and its duration."""
    caplog.set_level(logging.INFO)
    Timing("Hello")
    run(invocation(), lambda: "r")

    assert [r.name for r in caplog.records] == ["funcscope.timing"]
    assert caplog.records[0].getMessage().startswith("hello took ")


def test_timing_logs_a_failure(invocation: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A function that raises is measured too, and the line names the exception's type."""
    caplog.set_level(logging.INFO)
    Timing("hello")

    def fail() -> None:
        raise LookupError("secret")

    with pytest.raises(LookupError):
        run(invocation(), fail)

    assert caplog.records[0].getMessage().endswith("failed: LookupError")


def fail(*_: object) -> None:
    """Fail."""
    raise ValueError("as it should")


async def fail_later() -> None:
    """Fail in a coroutine."""
    fail()


def fail_in_steps() -> Iterator[int]:
    """Fail at the second step."""
    yield 1
    fail()


async def fail_in_later_steps() -> AsyncIterator[int]:
    """Fail at the second step, in a coroutine."""
    yield 1
    fail()


async def all_of(steps: AsyncIterator[int]) -> list[int]:
    """Go through the steps."""
    return [step async for step in steps]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 raises again with all frames")
@pytest.mark.parametrize(
    "call",
    [
        lambda: timed("stage")(fail)(),
        lambda: asyncio.run(timed("stage")(fail_later)()),
        lambda: list(timed("stage")(fail_in_steps)()),
        lambda: asyncio.run(all_of(timed("stage")(fail_in_later_steps)())),
        lambda: timed("outer")(timed("inner")(fail))(),
    ],
    ids=["function", "coroutine", "generator", "async generator", "twice"],
)
def test_timed_adds_no_frame(call: Callable[[], object]) -> None:
    """The traceback of what a decorated function raises is as without the decorator."""
    with pytest.raises(ValueError, match="as it should") as failed:
        call()

    names = [frame.f_globals["__name__"] for frame, _ in walk_tb(failed.tb)]
    assert not [name for name in names if name.startswith("funcscope.")]
    assert names[-1] == __name__


def test_timed_passes_results_and_errors() -> None:
    """A decorated function, sync or async, gives what it gave before and looks the same."""

    @timed("stage")
    def double(x: int) -> int:
        """Double it."""
        return 2 * x

    @timed("stage")
    async def later(x: int) -> int:
        if x < 0:
            raise ValueError("negative")
        return x

    assert double(4) == 8
    assert double.__doc__ == "Double it."
    assert inspect.iscoroutinefunction(later)
    assert asyncio.run(later(3)) == 3
    with pytest.raises(ValueError, match="negative"):
        asyncio.run(later(-1))


def test_timed_generators_look_the_same() -> None:
    """A decorated generator function, sync or async, is still one, and gives what it gave."""

    @timed("stage")
    def numbers() -> Iterator[int]:
        """Count."""
        yield from range(3)

    @timed("stage")
    async def later() -> AsyncIterator[int]:
        yield 1

    async def walk() -> list[int]:
        return [number async for number in later()]

    assert inspect.isgeneratorfunction(numbers)
    assert inspect.isasyncgenfunction(later)
    assert numbers.__doc__ == "Count."
    assert list(numbers()) == [0, 1, 2]
    assert asyncio.run(walk()) == [1]


def test_timed_lets_errors_through() -> None:
    """An exception leaves a timed block as the same object."""
    error = ValueError("x")
    with pytest.raises(ValueError, match="x") as raised, timed("stage"):
        raise error

    assert raised.value is error


@pytest.mark.parametrize("name", ["", 5, None, print])
def test_timed_needs_a_name(name: object) -> None:
    """`@timed` without a name, or one that is no text, is an error where it is written."""
    with pytest.raises(TelemetryError, match="has no name: write"):
        timed(name)  # type: ignore[arg-type]


def test_timed_above_the_decorators_of_azure_functions() -> None:
    """Above them it measures the function that they hold, on an app and on a blueprint."""
    entered: list[str] = []

    class Noting(timed):
        def __enter__(self) -> Span:
            entered.append(self._name)
            return super().__enter__()

    blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # Microsoft's
    app = func.FunctionApp()

    @Noting("above")
    @blueprint.route("one")
    def one(req: func.HttpRequest) -> str:
        return "one"

    @Noting("above all")
    @Timing()
    @app.function_name("Two")
    @app.route("two")
    async def two(req: func.HttpRequest) -> str:
        return "two"

    app.register_functions(blueprint)
    functions = {f.get_function_name(): f.get_user_function() for f in app.get_functions()}

    assert inspect.iscoroutinefunction(functions["Two"])
    assert not inspect.iscoroutinefunction(functions["one"])
    assert list(inspect.signature(functions["one"]).parameters) == ["req"]
    assert functions["one"](None) == "one"
    assert asyncio.run(functions["Two"](None)) == "two"
    assert entered == ["above", "above all"]


def test_timed_where_a_function_is_kept_elsewhere(caplog: pytest.LogCaptureFixture) -> None:
    """Where what the decorators return is not as expected, one line says where to put it."""

    class Declared:
        def get_user_function(self) -> object:
            return len

    class Builder:
        _function = Declared()

    builder: Any = Builder()

    assert timed("above")(builder) is builder
    assert "timed('above') measures nothing: put it below" in caplog.text


def test_timed_on_what_is_no_plain_function(spans: Spans) -> None:
    """Static and class methods, partial functions and callable objects stay what they are."""

    class Caller:
        async def __call__(self, text: str) -> str:
            await asyncio.sleep(0)
            return text if trace.get_current_span().get_span_context().is_valid else ""

    class Box:
        @timed("static")
        @staticmethod
        def static(text: str) -> str:
            return text

        @timed("class")
        @classmethod
        def made(cls, text: str) -> tuple[type, str]:
            return cls, text

    assert (Box.static("a"), Box().static("a")) == ("a", "a")
    assert Box.made("a") == Box().made("a") == (Box, "a")
    assert asyncio.run(timed("partial")(functools.partial(Caller.__call__, Caller()))("a")) == "a"
    assert asyncio.run(timed("object")(Caller())("a")) == "a"
    ended = ["static", "static", "class", "class", "partial", "object"]
    assert [span.name for span in spans] == ended


def test_timed_on_what_cannot_be_measured(caplog: pytest.LogCaptureFixture) -> None:
    """A class or a property stays as it is, and one line says that nothing is measured."""

    @timed("class")
    class Box:
        """Measured by none of its methods."""

    text: Any = property(str)

    assert isinstance(Box, type)
    assert timed("property")(text) is text
    assert len([record for record in caplog.records if "measures nothing" in record.msg]) == 2


def test_timed_is_copied_without_its_stages(spans: Spans) -> None:
    """A copy made while a stage is open, as of a function sent to another process, has none."""
    stage = timed("stage")
    with stage:
        for made in (copy.copy(stage), copy.deepcopy(stage), pickle.loads(pickle.dumps(stage))):
            with made:
                pass
            made.__exit__(None, None, None)

    assert [span.name for span in spans] == ["stage"] * 4


def test_a_loop_that_closes_with_a_decorated_generator_left() -> None:
    """A decorated generator that is left when its loop shuts down is closed without an error."""
    troubles: list[dict[str, object]] = []
    closed: list[str] = []

    @timed("rows")
    async def rows() -> AsyncGenerator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            closed.append("closed")

    left = rows()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: troubles.append(what))
        await left.__anext__()

    asyncio.run(main())

    assert closed == ["closed"]
    assert not troubles
