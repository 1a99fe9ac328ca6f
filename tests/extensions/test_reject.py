"""Guards that keep a function from being called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import azure.functions as func
import pytest
from tests.extended import call_extended

from funcscope.extensions import AppExtension, Function, Invocation, Reject, Step

Make = Callable[..., Invocation]


def run(invocation: Invocation, function: Callable[..., object]) -> object:
    """Run a call with all that is registered for its function."""
    returned: object = call_extended(invocation, function)
    return returned


def never() -> None:
    """Fail if called."""
    pytest.fail("the function was called")


def watcher(log: list[str]) -> None:
    """Register an extension that logs what it sees."""

    class Watcher(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            try:
                result = yield
            except Reject as rejection:
                log.append(f"rejected {rejection.response}")
                raise
            log.append(f"result {result}")


def guard() -> None:
    """Register a guard."""

    class Guard(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            raise Reject("go away")
            yield


def test_response_takes_the_results_place(
    invocation: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The function is not called, its caller gets the response, and extensions outside see it."""
    log: list[str] = []
    watcher(log)
    guard()
    late: list[str] = []
    watcher(late)

    assert run(invocation(), never) == "go away"
    assert log == ["rejected go away"]
    assert late == []
    assert not caplog.records


def test_post_hooks_do_not_run(invocation: Make) -> None:
    """After a rejection no post hook runs: the function has not returned."""
    log: list[str] = []

    class Old(func.AppExtensionBase):
        @classmethod
        def pre_invocation_app_level(cls, *_: object, **__: object) -> None:
            log.append("pre")

        @classmethod
        def post_invocation_app_level(cls, *_: object, **__: object) -> None:
            log.append("post")

    from funcscope.extensions import FuncExtension

    class Guard(FuncExtension):
        def around_invocation(self, invocation: Invocation) -> Step:
            raise Reject(None)
            yield

    Guard("hello")

    assert run(invocation(), never) is None
    assert log == ["pre"]


def test_pre_hook_may_reject(invocation: Make) -> None:
    """A pre hook of Microsoft's interface may be the guard."""

    class Guard(func.AppExtensionBase):
        @classmethod
        def pre_invocation_app_level(cls, *_: object, **__: object) -> None:
            raise Reject(401)

    assert run(invocation(), never) == 401


def test_rejecting_too_late_is_a_fault(invocation: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Once the function ran a rejection changes nothing, and is reported."""

    class Late(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            yield
            raise Reject("too late")

    assert run(invocation(), lambda: "r") == "r"
    assert "failed after its yield" in caplog.text


def test_functions_own_reject_is_an_exception(invocation: Make) -> None:
    """A function that raises `Reject` itself fails with it, as with any exception."""

    def raises() -> None:
        raise Reject("mine")

    log: list[str] = []
    watcher(log)
    with pytest.raises(Reject, match="was rejected"):
        run(invocation(), raises)


def test_rejection_that_is_raised_again(invocation: Make) -> None:
    """A `Reject` object that a guard raised before is an exception like any other in a function."""
    kept = Reject("go away")

    class Guard(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            if invocation.args:
                raise kept
            yield

    def raises() -> None:
        raise kept

    assert run(invocation(x=1), never) == "go away"
    assert kept.__traceback__ is None
    with pytest.raises(Reject):
        run(invocation(), raises)


def test_guard_of_an_async_function(invocation: Make) -> None:
    """Coroutine functions are guarded too."""

    async def call() -> None:
        pytest.fail("the function was called")

    guard()
    function = Function("hello", "/app", is_async=True, qualified_name="app.hello")
    made = Invocation("0f8e", function, {}, invocation().context)

    assert asyncio.run(call_extended(made, call)) == "go away"
