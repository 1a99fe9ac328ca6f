"""Where the functions of running invocations are, on threads and in tasks."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import TYPE_CHECKING, Any

import pytest

from funcscope.extensions import AppExtension, Function
from funcscope.extensions._workers.ids import WorkerIds
from funcscope.extensions._workers.wrapping import Lifecycle
from funcscope.extensions.integration import frames_in_flight

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import SimpleNamespace


def names() -> list[list[str]]:
    """Return the names of the functions in the frames of each running invocation."""
    return [[f.f_code.co_name for f in frames] for frames in frames_in_flight().values()]


@pytest.fixture
def call(worker_context: SimpleNamespace) -> Callable[[Any], Any]:
    """Call a function as an invocation, or make the coroutine of one."""

    def make(function: Callable[[str], object]) -> Any:
        is_async = inspect.iscoroutinefunction(function)
        known = Function("f", "/app", is_async, "app.f")
        lifecycle = Lifecycle(
            known, wants_context=False, has_context_binding=False, ids=WorkerIds(None)
        )
        return lifecycle.wrap(function)(req="x", context=worker_context)

    return make


def test_a_sync_function_is_on_its_thread(call: Callable[[Any], Any]) -> None:
    """Frames begin with the function's and go down to where its thread is."""
    hangs, is_released = threading.Event(), threading.Event()

    def hang(req: str) -> None:
        def inner() -> None:
            hangs.set()
            is_released.wait()

        inner()

    thread = threading.Thread(target=call, args=(hang,))
    thread.start()
    hangs.wait()
    (found,) = names()
    is_released.set()
    thread.join()

    assert found[:2] == ["hang", "inner"]
    assert names() == []


class Awaitable:
    """An object that is awaited by a generator."""

    def __await__(self) -> Generator[Any, None, None]:
        yield from self._wait()

    def _wait(self) -> Generator[Any, None, None]:
        yield from asyncio.sleep(3600).__await__()


@pytest.mark.parametrize("has_hooks", [False, True], ids=["alone", "within hooks"])
def test_an_async_function_that_waits_is_in_its_task(
    call: Callable[[Any], Any], has_hooks: bool
) -> None:
    """Frames go through coroutines and generators down to what is awaited."""

    async def wait(req: str) -> None:
        await inner()

    async def inner() -> None:
        await Awaitable()

    if has_hooks:

        class Awaited(AppExtension):
            @classmethod
            async def pre_invocation_app_level(cls, *_: Any, **__: Any) -> None:  # type: ignore[override]
                pass

    async def main() -> list[list[str]]:
        task = asyncio.create_task(call(wait))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        found = await asyncio.to_thread(names)
        task.cancel()
        return found

    (found,) = asyncio.run(main())
    assert found[found.index("wait") :][:4] == ["wait", "inner", "__await__", "_wait"]


def test_an_async_function_at_work_is_on_the_loops_thread(call: Callable[[Any], Any]) -> None:
    """One that holds the event loop is seen from another thread."""
    found: list[list[str]] = []

    async def work(req: str) -> None:
        thread = threading.Thread(target=lambda: found.extend(names()))
        thread.start()
        thread.join()

    asyncio.run(call(work))
    assert found[0][0] == "work"
    assert len(found) == 1
