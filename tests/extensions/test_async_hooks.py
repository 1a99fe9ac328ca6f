"""Hooks that are coroutine functions."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

import pytest
from tests.extended import call_extended

from funcscope.extensions import AppExtension, FuncExtension, Function, Invocation, Reject, Step
from funcscope.extensions._errors import Faults

Make = Callable[..., Invocation]


@pytest.fixture
def call(invocation: Make) -> Invocation:
    """Make a call of an async function."""
    made = invocation()
    function = Function("hello", "/app", is_async=True, qualified_name="app.hello")
    return Invocation(made.id, function, made.args, made.context)


def run(call: Invocation, function: Callable[..., Awaitable[object]]) -> object:
    """Run a call of an async function with all that is registered for it."""
    return asyncio.run(call_extended(call, function))


async def hello() -> str:
    """Answer later."""
    await asyncio.sleep(0)
    return "r"


def extension(log: list[str], name: str) -> None:
    """Register an extension with all hooks, those around a call async."""

    class Extension(AppExtension):
        @classmethod
        async def pre_invocation_app_level(cls, *_: object, **__: object) -> None:  # type: ignore[override]
            await asyncio.sleep(0)
            log.append(f"{name} pre")

        @classmethod
        async def post_invocation_app_level(  # type: ignore[override]
            cls, logger: object, context: object, func_args: object, func_ret: object
        ) -> None:
            await asyncio.sleep(0)
            log.append(f"{name} post {func_ret}")

        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            log.append(f"{name} in")
            try:
                result = yield
            except BaseException as error:
                log.append(f"{name} {type(error).__name__}")
                raise
            log.append(f"{name} out {result}")


def test_async_hooks_are_awaited_in_order(call: Invocation) -> None:
    """Coroutine hooks are awaited one after another, in classic's order."""
    log: list[str] = []
    extension(log, "a")
    extension(log, "b")

    class Mine(FuncExtension):
        async def pre_invocation(self, *_: object, **__: object) -> None:  # type: ignore[override]
            log.append("f pre")

        def post_invocation(self, *_: object, **__: object) -> None:
            log.append("f post")

    Mine("hello")

    assert run(call, hello) == "r"
    assert log == [
        "a in",
        "b in",
        "a pre",
        "b pre",
        "f pre",
        "f post",
        "a post r",
        "b post r",
        "b out r",
        "a out r",
    ]


def test_error_passes_async_hooks(call: Invocation) -> None:
    """The function's exception reaches every generator and its caller; post hooks do not run."""
    log: list[str] = []
    extension(log, "a")
    error = ValueError("mine")

    async def fails() -> None:
        raise error

    with pytest.raises(ValueError, match="mine") as raised:
        run(call, fails)

    assert raised.value is error
    assert log == ["a in", "a pre", "a ValueError"]


def test_failing_async_hook_is_reported(call: Invocation, caplog: pytest.LogCaptureFixture) -> None:
    """A coroutine hook that raises is named, and the function runs all the same."""

    class Broken(AppExtension):
        @classmethod
        async def pre_invocation_app_level(cls, *_: object, **__: object) -> None:  # type: ignore[override]
            raise LookupError("broken")

    assert run(call, hello) == "r"
    assert "Broken" in caplog.text
    assert "failed in its pre hook" in caplog.text


def test_async_guard(call: Invocation) -> None:
    """A coroutine hook may reject; extensions outside see it and the function is not called."""
    log: list[str] = []
    extension(log, "a")

    class Guard(FuncExtension):
        async def pre_invocation(self, *_: object, **__: object) -> None:  # type: ignore[override]
            raise Reject("go away")

    Guard("hello")

    assert run(call, lambda: pytest.fail("called")) == "go away"
    assert log == ["a in", "a pre", "a Reject"]


def test_cancelled_while_a_hook_waits(call: Invocation) -> None:
    """Cancelling an invocation that waits in a hook cancels it, and extensions see it."""
    log: list[str] = []
    extension(log, "a")

    class Waits(FuncExtension):
        async def pre_invocation(self, *_: object, **__: object) -> None:  # type: ignore[override]
            await asyncio.Event().wait()

    Waits("hello")
    faults = Faults("hello")

    async def main() -> None:
        task = asyncio.ensure_future(call_extended(call, hello, faults))
        while "a pre" not in log:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert log == ["a in", "a pre", "a CancelledError"]
    assert faults.count == 0


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 does not tell whose it is")
def test_cancelled_helper_of_a_hook(call: Invocation, caplog: pytest.LogCaptureFixture) -> None:
    """A hook that awaits something that was cancelled fails by itself: the invocation does not."""

    class Awaits(AppExtension):
        @classmethod
        async def post_invocation_app_level(cls, *_: object, **__: object) -> None:  # type: ignore[override]
            helper = asyncio.ensure_future(asyncio.Event().wait())
            helper.cancel()
            await helper

    assert run(call, hello) == "r"
    assert "failed in its post hook" in caplog.text


def test_async_hook_of_a_sync_function_is_skipped(
    invocation: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """On a sync function a coroutine hook is reported and skipped; the rest runs."""
    log: list[str] = []
    extension(log, "a")

    assert call_extended(invocation(), lambda: "r") == "r"
    assert log == ["a in", "a out r"]
    assert caplog.text.count("was skipped: its pre_invocation_app_level is async") == 1
    assert caplog.text.count("was skipped: its post_invocation_app_level is async") == 1
