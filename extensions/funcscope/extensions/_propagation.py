"""Carry an invocation into the threads that a function starts."""

from __future__ import annotations

import threading
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, cast

import wrapt

from funcscope.extensions._invocation import Invocation, current_invocation

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from concurrent.futures import Future

# Python 3.14's pool of interpreters is a ThreadPoolExecutor, and pickles what is submitted.
_OTHER_INTERPRETERS: tuple[type, ...] = tuple(
    getattr(futures, name) for name in ("InterpreterPoolExecutor",) if hasattr(futures, name)
)
_is_off: ContextVar[bool] = ContextVar("funcscope_no_propagation", default=False)
_lock = threading.Lock()
_patched: list[str] = []


def propagate() -> None:
    """
    Carry each invocation into `threading.Thread` and `ThreadPoolExecutor.submit`.

    The thread, or the pool's call, runs in a copy of the context that started it, so that
    `current_invocation()`, the worker's `invocation_id_cv`, OpenTelemetry's current span and
    the app's own context variables hold there; the worker's thread-local has the invocation's
    id for as long. Threads started outside an invocation are left alone. `Timer`,
    `Executor.map`, `run_in_executor` and `asyncio.to_thread` go through these two.

    Calling it again changes nothing. It loads no OpenTelemetry module.
    """
    with _lock:
        if not _patched:
            wrapt.wrap_function_wrapper(threading, "Thread.start", _start)
            wrapt.wrap_function_wrapper(ThreadPoolExecutor, "submit", _submit)
            _patched.extend(["threading.Thread.start", "ThreadPoolExecutor.submit"])


@contextmanager
def no_propagation() -> Generator[None]:
    """
    Leave the threads and pool calls that this block starts without an invocation.

    `asyncio.to_thread` copies the context by itself, so it has one all the same.
    """
    token = _is_off.set(True)
    try:
        yield
    finally:
        _is_off.reset(token)


def _carried() -> Invocation | None:
    return None if _is_off.get() else current_invocation()


def _start(
    wrapped: Callable[..., None],
    thread: threading.Thread,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
) -> None:
    invocation = _carried()
    if invocation is None:
        return wrapped(*args, **kwargs)
    context, run = copy_context(), thread.run

    def run_carried() -> None:
        del thread.run  # ours, on the instance
        context.run(_within, invocation, run)

    thread.run = run_carried  # type: ignore[method-assign]  # so that overridden ones work too
    try:
        return wrapped(*args, **kwargs)
    except BaseException:
        vars(thread).pop("run", None)
        raise


def _submit(
    wrapped: Callable[..., Future[object]],
    executor: ThreadPoolExecutor,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
) -> Future[object]:
    invocation = _carried()
    if invocation is None or not args or isinstance(executor, _OTHER_INTERPRETERS):
        return wrapped(*args, **kwargs)
    context = copy_context()
    # A thread that the pool adds for this call outlives it: it must not carry the invocation.
    with no_propagation():
        return wrapped(context.run, _within, invocation, *args, **kwargs)


def _within(
    invocation: Invocation, call: Callable[..., object], /, *args: object, **kwargs: object
) -> object:
    """Run a call on another thread with the worker's thread-local set as for the function's."""
    storage = invocation.context.thread_local_storage
    if storage is None:
        return call(*args, **kwargs)
    before = cast("str | None", getattr(storage, "invocation_id", None))
    storage.invocation_id = invocation.id
    try:
        return call(*args, **kwargs)
    finally:
        storage.invocation_id = before
