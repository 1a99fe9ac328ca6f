"""Invocations carried into threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar

import pytest

from funcscope.extensions import Invocation, current_invocation, no_propagation, propagate
from funcscope.extensions._invocation import PartialContext, enter, leave

Make = Callable[..., Invocation]


@contextmanager
def entered(invocation: Invocation) -> Iterator[None]:
    """Be in an invocation."""
    token = enter(invocation)
    yield
    leave(token)


user_variable: ContextVar[str] = ContextVar("user_variable", default="unset")


@pytest.fixture(autouse=True)
def _propagate() -> None:
    propagate()
    propagate()


@pytest.fixture
def storage() -> threading.local:
    """Stand for the worker's thread-local."""
    return threading.local()


@pytest.fixture
def call(invocation: Make, storage: threading.local) -> Invocation:
    """Make a call whose worker has a thread-local."""
    made = invocation()
    context = PartialContext("0f8e", "hello", "/app", storage)
    return Invocation(made.id, made.function, made.args, context)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Make a pool of one thread, started outside any invocation."""
    with ThreadPoolExecutor(1) as executor:
        executor.submit(int).result()
        yield executor


def in_thread(target: Callable[[], object]) -> object:
    """Return what a function returns on a new thread."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(target()))
    thread.start()
    thread.join()
    return results[0]


def test_thread_belongs_to_the_invocation(call: Invocation) -> None:
    """A thread started in an invocation runs in it, with the app's own context variables."""
    with entered(call):
        user_variable.set("mine")
        seen = in_thread(lambda: (current_invocation(), user_variable.get()))

    assert seen == (call, "mine")


def test_thread_outside_is_left_alone() -> None:
    """A thread started outside an invocation starts in an empty context, as ever."""
    user_variable.set("main")

    assert in_thread(lambda: (current_invocation(), user_variable.get())) == (None, "unset")


def test_pool_thread_carries_nothing_over(
    call: Invocation, pool: ThreadPoolExecutor, storage: threading.local
) -> None:
    """A pool's thread has the invocation for the call alone, and the thread-local as before."""

    def look() -> tuple[Invocation | None, str | None]:
        return current_invocation(), getattr(storage, "invocation_id", None)

    with entered(call):
        inside = pool.submit(look).result()

    assert inside == (call, "0f8e")
    assert pool.submit(look).result() == (None, None)


def test_pool_thread_started_inside_carries_nothing_over(call: Invocation) -> None:
    """A thread that a pool starts for an invocation's call does not belong to it afterwards."""
    with ThreadPoolExecutor(1) as executor:
        with entered(call):
            assert executor.submit(current_invocation).result() is call

        assert executor.submit(current_invocation).result() is None


def test_thread_local_is_set_and_cleared(call: Invocation, storage: threading.local) -> None:
    """The worker's thread-local has the id on the new thread, and not on the starting one."""
    with entered(call):
        seen = in_thread(lambda: storage.invocation_id)

    assert seen == "0f8e"
    assert not hasattr(storage, "invocation_id")


def test_map_and_nested_threads(call: Invocation, pool: ThreadPoolExecutor) -> None:
    """`Executor.map` and a thread started on a thread belong to the invocation too."""
    with entered(call):
        mapped = list(pool.map(lambda _: in_thread(current_invocation), range(3)))

    assert mapped == [call, call, call]


def test_timer_and_subclass(call: Invocation) -> None:
    """A `Timer`, and a subclass that overrides `run`, belong to the invocation."""
    seen: list[Invocation | None] = []

    class Mine(threading.Thread):
        def run(self) -> None:
            seen.append(current_invocation())

    with entered(call):
        for thread in (threading.Timer(0, lambda: seen.append(current_invocation())), Mine()):
            thread.start()
            thread.join()

    assert seen == [call, call]


def test_executor_of_the_loop(call: Invocation) -> None:
    """`run_in_executor` and `to_thread` belong to the invocation."""

    async def main() -> list[Invocation | None]:
        with entered(call):
            loop = asyncio.get_running_loop()
            return [
                await loop.run_in_executor(None, current_invocation),
                await asyncio.to_thread(current_invocation),
            ]

    assert asyncio.run(main()) == [call, call]


def test_errors_pass(call: Invocation, pool: ThreadPoolExecutor) -> None:
    """An exception on a pool's thread reaches the future, and the thread-local is cleared."""

    def fail() -> None:
        raise ValueError("x")

    with entered(call), pytest.raises(ValueError, match="x"):
        pool.submit(fail).result()


def test_thread_started_twice_is_refused_as_ever(call: Invocation) -> None:
    """Starting a thread again raises what it always raised."""
    with entered(call):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
        with pytest.raises(RuntimeError, match="only be started once"):
            thread.start()

    assert "run" not in vars(thread)


def test_no_propagation_is_a_way_out(call: Invocation, pool: ThreadPoolExecutor) -> None:
    """What is started under `no_propagation()` belongs to no invocation."""
    with entered(call), no_propagation():
        assert in_thread(current_invocation) is None
        assert pool.submit(current_invocation).result() is None
