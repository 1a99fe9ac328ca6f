"""What is awaited within a context runs there, and nowhere else changes."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING

import pytest

from funcscope.contrib.web._within import CallWithin, IteratorWithin, Within

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

who: ContextVar[str] = ContextVar("who", default="nobody")


async def names() -> AsyncIterator[str]:
    """Yield who is there, and change it."""
    for number in range(3):
        yield who.get()
        await asyncio.sleep(0)
        who.set(f"{who.get()}{number}")


def test_an_iterator_runs_in_its_context() -> None:
    """Each step sees what the step before set, and the one that iterates does not."""

    async def main() -> list[tuple[str, str]]:
        context = copy_context()
        context.run(who.set, "x")
        return [(name, who.get()) async for name in IteratorWithin(context, names())]

    assert asyncio.run(main()) == [("x", "nobody"), ("x0", "nobody"), ("x01", "nobody")]


def test_it_runs_on_the_task_that_awaits() -> None:
    """No task is made for it, so that a cancellation reaches it."""
    began, caught = asyncio.Event(), []

    async def wait() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            caught.append((who.get(), asyncio.current_task()))
            raise

    async def main() -> object:
        context = copy_context()
        context.run(who.set, "x")

        async def run() -> None:
            await Within(context, wait())

        task = asyncio.create_task(run())
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return task

    task = asyncio.run(main())
    assert caught == [("x", task)]


def test_results_and_errors_pass() -> None:
    """What it returns or raises is what comes."""

    async def double(number: int) -> int:
        await asyncio.sleep(0)
        if number < 0:
            raise ValueError(number)
        return number * 2

    async def main() -> None:
        call = CallWithin(copy_context(), double)
        assert await call(4) == 8
        with pytest.raises(ValueError, match="-1"):
            await call(-1)

    asyncio.run(main())


def test_an_iterator_that_is_let_go_of() -> None:
    """Its own clean-up runs when it is closed."""
    closed: list[str] = []

    async def endless() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append("closed")

    async def main() -> None:
        iterator = IteratorWithin(copy_context(), endless())
        assert await iterator.__anext__() == 1
        await iterator.aclose()  # type: ignore[operator]

    asyncio.run(main())
    assert closed == ["closed"]
