"""Interrupts: what a signal raises is no extension's fault, and goes where it is going."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Generator
from typing import Any

import pytest
from azure.functions import AppExtensionBase

from funcscope.extensions import AppExtension, Function, Invocation, Step, current_invocation
from funcscope.extensions._lifecycle.observers import observing
from funcscope.extensions._workers.ids import WorkerIds
from funcscope.extensions._workers.wrapping import Lifecycle

Outcome = Callable[[], object]


def fail() -> object:
    """Fail."""
    raise ValueError("mine")


def interrupt(*_: object) -> None:
    """Be where the process is when somebody presses Ctrl-C."""
    signal.raise_signal(signal.SIGINT)


def exit_process(*_: object) -> None:
    """Be where the process is when a handler of SIGTERM ends it."""
    raise SystemExit(3)


@pytest.fixture(autouse=True)
def _takes_interrupts() -> Generator[None]:
    """Have SIGINT interrupt, also in a background job of a shell, which ignores it."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Callable[[Outcome], object]:
    """Call a function of the given outcome as an invocation."""

    def run(outcome: Outcome) -> object:
        def function() -> object:
            return outcome()

        async def function_async() -> object:
            return outcome()

        is_async = request.param == "async"
        lifecycle = Lifecycle(
            Function("hello", "/app", is_async=is_async, qualified_name="app.hello"),
            wants_context=False,
            has_context_binding=False,
            ids=WorkerIds(thread_local=None),
        )
        invoke = lifecycle.wrap(function_async if is_async else function)
        return send(invoke()) if is_async else invoke()

    return run


def send(coroutine: Any) -> object:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    pytest.fail("it waits for something")


Call = Callable[[Outcome], object]
Raise = Callable[..., None]


def in_pre_hook(act: Raise) -> None:
    """Act in a pre hook."""

    class Hooked(AppExtensionBase):
        @classmethod
        def pre_invocation_app_level(cls, *args: Any, **kwargs: Any) -> None:
            act()


def in_post_hook(act: Raise) -> None:
    """Act in a post hook."""

    class Hooked(AppExtensionBase):
        @classmethod
        def post_invocation_app_level(cls, *args: Any, **kwargs: Any) -> None:
            act()


def in_hooks_beside_a_step(act: Raise) -> None:
    """Act in a pre hook, where hooks are steps."""
    in_pre_hook(act)
    at_each_step(lambda *_: None)


def before_the_yield(act: Raise) -> None:
    """Act before the function runs."""

    class Around(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            act()
            yield


def at_each_step(act: Raise) -> None:
    """Act when the function is done."""

    class Around(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            try:
                yield
            finally:
                act()


class Watching:
    """An observer that is interrupted."""

    def __init__(self, begin: Raise, end: Raise) -> None:
        self.begin = begin
        self.end = end


def in_observers_begin(act: Raise) -> None:
    """Act where an observer begins."""

    class Observing(AppExtension):
        around_invocation = staticmethod(observing(lambda: Watching(act, lambda *_: None)))  # type: ignore[assignment]


def in_observers_end(act: Raise) -> None:
    """Act where an observer ends."""

    class Observing(AppExtension):
        around_invocation = staticmethod(observing(lambda: Watching(lambda *_: None, act)))  # type: ignore[assignment]


def in_what_it_is_finished_with(act: Raise) -> None:
    """Act when all is done."""

    class Around(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            invocation.finish_with(act)
            yield


BEFORE = [in_pre_hook, in_hooks_beside_a_step, before_the_yield, in_observers_begin]
AFTER = [at_each_step, in_observers_end]
interrupts = pytest.mark.parametrize(
    ("act", "kind"), [(interrupt, KeyboardInterrupt), (exit_process, SystemExit)]
)


@interrupts
@pytest.mark.parametrize("place", [*BEFORE, *AFTER, in_post_hook])
def test_reaches_the_worker(
    place: Callable[[Raise], None],
    act: Raise,
    kind: type[BaseException],
    call: Call,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It goes on from wherever it came, and nobody is reported for it."""
    place(act)

    with pytest.raises(kind):
        call(lambda: "result")

    assert not caplog.records
    assert current_invocation() is None


@interrupts
@pytest.mark.parametrize("place", AFTER)
def test_wins_over_the_functions_error(
    place: Callable[[Raise], None], act: Raise, kind: type[BaseException], call: Call
) -> None:
    """It goes on in place of what the function raised, which is its context."""
    place(act)

    with pytest.raises(kind) as raised:
        call(fail)

    assert isinstance(raised.value.__context__, ValueError)


@interrupts
def test_steps_further_out_see_it(act: Raise, kind: type[BaseException], call: Call) -> None:
    """An extension that had begun is told how the call really ended."""
    seen: list[BaseException] = []

    class Outer(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            try:
                yield
            except BaseException as error:
                seen.append(error)
                raise

    at_each_step(act)
    for outcome in (lambda: "result", fail):
        with pytest.raises(kind) as raised:
            call(outcome)
        assert seen.pop() is raised.value


def test_comes_from_what_it_is_finished_with() -> None:
    """So it does when it comes while an invocation is finished."""
    in_what_it_is_finished_with(interrupt)
    lifecycle = Lifecycle(
        Function("hello", "/app", is_async=False, qualified_name="app.hello"),
        wants_context=False,
        has_context_binding=False,
        ids=WorkerIds(thread_local=None),
    )

    with pytest.raises(KeyboardInterrupt):
        lifecycle.wrap(lambda: "result")()


def test_cancellation_while_a_hook_is_awaited(caplog: pytest.LogCaptureFixture) -> None:
    """A task that is cancelled while it awaits a hook is cancelled, and a closed one closes."""
    waits = asyncio.Event()

    class Waiting(AppExtension):
        @classmethod
        async def pre_invocation_app_level(cls, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
            waits.set()
            await asyncio.Event().wait()

    async def function() -> str:
        return "result"

    lifecycle = Lifecycle(
        Function("hello", "/app", is_async=True, qualified_name="app.hello"),
        wants_context=False,
        has_context_binding=False,
        ids=WorkerIds(thread_local=None),
    )
    invoke = lifecycle.wrap(function)

    async def cancel() -> None:
        task = asyncio.ensure_future(invoke())
        await waits.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        coroutine = invoke()
        coroutine.send(None)
        coroutine.close()

    asyncio.run(cancel())

    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
