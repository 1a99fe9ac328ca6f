"""Extensions that look on: called as they stand where they are alone, as steps elsewhere."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from funcscope.extensions import AppExtension, Invocation, Step, current_invocation
from funcscope.extensions._invocation import when_idle
from funcscope.extensions._lifecycle.observers import observing

if TYPE_CHECKING:
    from types import SimpleNamespace

pytestmark = pytest.mark.library_worker
Register = Callable[..., Any]  # see conftest; a worker's FunctionInfo has no types


class Watching:
    """Notes what it sees, and fails where it is told to."""

    def __init__(self, failing: str = "") -> None:
        self.seen: list[tuple[object, ...]] = []
        self._failing = failing

    def begin(self, invocation: Invocation) -> str:
        self._note("begin", invocation.args["req"])
        return f"mark of {invocation.id}"

    def end(
        self, invocation: Invocation, mark: str, result: object, error: BaseException | None = None
    ) -> None:
        if error is None:
            self._note("succeed", mark, result)
            return
        error.__context__ = KeyError("what an extension did")
        self._note("fail", mark, error)

    def _note(self, what: str, *more: object) -> None:
        self.seen.append((what, *more, current_invocation() is not None))
        if what == self._failing:
            raise OSError(f"cannot {what}")


@pytest.fixture(params=["alone", "not alone"])
def observe(request: pytest.FixtureRequest) -> Callable[[Watching], None]:
    """Register an observer: alone, or with another extension around it."""

    def register(watching: Watching) -> None:
        if request.param == "not alone":

            class Other(AppExtension):
                @classmethod
                def around_invocation(cls, invocation: Invocation) -> Step:
                    yield

        class Observing(AppExtension):
            around_invocation = staticmethod(observing(lambda: watching))  # type: ignore[assignment]

    return register


@pytest.fixture(params=["sync", "async"])
def call(
    request: pytest.FixtureRequest, register: Register, worker_context: SimpleNamespace
) -> Callable[[Callable[[str], object]], object]:
    """Register a function as it is, or as a coroutine function, and call it."""

    def run(function: Callable[[str], object]) -> object:
        def hello(req: str) -> object:
            return function(req)

        async def hello_async(req: str) -> object:
            await asyncio.sleep(0)
            return function(req)

        if request.param == "sync":
            return register(hello).func(req="r", context=worker_context)
        return asyncio.run(register(hello_async).func(req="r", context=worker_context))

    return run


Call = Callable[[Callable[[str], object]], object]
Observe = Callable[[Watching], None]


def test_sees_what_a_function_returns(observe: Observe, call: Call) -> None:
    """It sees the call and its result, in the invocation, and the caller has the result."""
    watching = Watching()
    observe(watching)

    assert call(lambda req: f"got {req}") == "got r"
    assert watching.seen == [
        ("begin", "r", True),
        ("succeed", "mark of 0f8e", "got r", True),
    ]


def test_sees_what_a_function_raises(observe: Observe, call: Call) -> None:
    """It sees the exception, which reaches the caller as the function raised it."""
    watching, error = Watching(), ValueError("mine")
    observe(watching)

    def fail(_: str) -> object:
        raise error

    with pytest.raises(ValueError, match="mine") as raised:
        call(fail)

    assert raised.value is error
    assert error.__context__ is None
    assert traceback.extract_tb(error.__traceback__)[-1].name == "fail"
    assert watching.seen == [("begin", "r", True), ("fail", "mark of 0f8e", error, True)]


@pytest.mark.parametrize("failing", ["begin", "succeed"])
def test_its_failure_is_told_and_changes_nothing(
    observe: Observe, call: Call, failing: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An observer that raises is named in the log once; the function's result is its own."""
    watching = Watching(failing)
    observe(watching)

    assert call(lambda req: f"got {req}") == "got r"
    seen = {"begin": ["begin"], "succeed": ["begin", "succeed"]}
    assert [what for what, *_ in watching.seen] == seen[failing]
    (record,) = caplog.records
    assert "Observing" in record.getMessage()


def test_its_failure_hides_no_error(
    observe: Observe, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    """An observer that raises when it is told of an error leaves that error as it was."""
    observe(Watching("fail"))

    def fail(_: str) -> object:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine") as raised:
        call(fail)

    assert raised.value.__context__ is None
    (record,) = caplog.records
    assert "Observing" in record.getMessage()


def test_who_waits_for_an_idle_app_is_told(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    """It is told after each last invocation, and what it raises reaches nobody but the log."""
    told: list[Invocation | None] = []

    def note() -> None:
        told.append(current_invocation())
        raise OSError("cannot send")

    when_idle(note)

    assert call(lambda _: len(told)) == 0
    assert len(told) == 1
    assert "failed when no invocation was left" in caplog.text
