"""What is called when an invocation is over, before its worker hears of it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from funcscope.extensions import AppExtension, Invocation, Step, current_invocation

if TYPE_CHECKING:
    from types import SimpleNamespace

    from tests.extensions.conftest import Register

pytestmark = pytest.mark.library_worker


@pytest.fixture
def calls() -> list[Any]:
    """Register an extension that finishes each invocation with two calls; collect those."""
    made: list[Any] = []

    def fail() -> None:
        raise ValueError("finishing")

    def finish() -> None:
        made.append((current_invocation(), threading.get_ident()))

    class Finisher(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            invocation.finish_with(fail)
            invocation.finish_with(finish)
            try:
                yield
            finally:
                made.append("extension")

    return made


def test_sync_function(
    register: Register, calls: list[Any], worker_context: SimpleNamespace
) -> None:
    """For a sync function it is called after all extensions, on the function's thread."""
    info = register(lambda req: "result")

    assert info.func(req=1, context=worker_context) == "result"
    assert calls == ["extension", (None, threading.get_ident())]


def test_function_that_fails(
    register: Register,
    calls: list[Any],
    worker_context: SimpleNamespace,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is called too when the function fails, and a call that fails is named in the log."""

    def boom(req: object) -> None:
        raise KeyError("x")

    info = register(boom)

    with pytest.raises(KeyError):
        info.func(req=1, context=worker_context)
    assert len(calls) == 2
    assert "fail failed after the invocation" in caplog.text


def test_async_function(
    register: Register, calls: list[Any], worker_context: SimpleNamespace
) -> None:
    """For an async function another thread calls it, and the result waits for that."""

    async def later(req: object) -> str:
        return "result"

    info = register(later)

    assert asyncio.run(info.func(req=1, context=worker_context)) == "result"
    (extension, (invocation, thread)) = calls
    assert (extension, invocation) == ("extension", None)
    assert thread != threading.get_ident()
