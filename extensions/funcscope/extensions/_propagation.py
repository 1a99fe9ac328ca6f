"""Carry an invocation into the threads, pools and callbacks that a function uses."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

import wrapt

from funcscope.extensions._carried import Carried, on_new_thread, within
from funcscope.extensions._invocation import Invocation, current_invocation, look_up_invocation
from funcscope.extensions._library_threads import LibraryThreads
from funcscope.extensions._thread_pools import carry_into_pools

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

_is_off: ContextVar[bool] = ContextVar("funcscope_no_propagation", default=False)
_libraries = LibraryThreads()
_lock = threading.Lock()
_patched: list[str] = []


def propagate(*, leave: Iterable[str] = ()) -> None:
    """
    Carry each invocation into the threads, pool calls and callbacks that it starts.

    They run in a copy of the context that started them, so that `current_invocation()`, the
    worker's `invocation_id_cv`, OpenTelemetry's current span and the app's own context
    variables hold there; the worker's thread-local has the invocation's id for as long.
    Covered are `threading.Thread`, `ThreadPoolExecutor`, callbacks of `concurrent.futures`, and
    `multiprocessing.pool.ThreadPool`; `Timer`, `run_in_executor`, `asyncio.to_thread` and
    `multiprocessing.dummy` go through these. Tasks and the event loop's callbacks carry the
    context by themselves.

    Left alone is what is started outside an invocation, and what libraries start for their own
    ends (docs/reference/threads.md names them). Calling it again adds to `leave`, and
    changes nothing else. It loads no OpenTelemetry module.

    Args:
        leave: Import names of more packages whose threads belong to no invocation.
    """
    with _lock:
        _libraries.add(leave)
        if _patched:
            return
        _replace(threading.Thread, "start", _start)
        _replace(ThreadPoolExecutor, "submit", _submit)
        _replace(Future, "add_done_callback", _add_done_callback)
        wrapt.register_post_import_hook(_pools_imported, "multiprocessing.pool")


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


# Plain functions take the methods' places: they cost less than wrapt's, and OpenTelemetry's
# threading instrumentation, which takes off the outermost wrapt wrapper when it is turned off,
# leaves them where they are.
def _replace(
    owner: type, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> None:
    original = getattr(owner, name)
    setattr(owner, name, wraps(original)(make(original)))
    _patched.append(f"{owner.__name__}.{name}")


def _pools_imported(module: Any) -> None:  # the module's pools differ in no way we type
    for name, make in carry_into_pools(_carried).items():
        _replace(module.ThreadPool, name, make)


def _carried() -> Invocation | None:
    return None if _is_off.get() else current_invocation()


def _start(original: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    def start(self: threading.Thread) -> None:
        invocation = current_invocation()
        if invocation is None or _has_context(self):
            return original(self)
        if _is_off.get() or _libraries.own(self):
            return Context().run(original, self) if _threads_inherit() else original(self)
        # By its __dict__, where no class of the app's is asked; overridden `run`s work too.
        fields, context, run = vars(self), copy_context(), self.run
        before = fields.get("run")

        def restore() -> None:
            fields.pop("run", None)
            if before is not None:
                fields["run"] = before

        def run_carried() -> None:
            restore()
            try:
                context.run(on_new_thread, invocation, run)
            except BaseException:
                hook = cast("Callable[..., object] | None", fields.get("_invoke_excepthook"))
                if hook is not None:  # what the app's excepthook says of the thread is carried
                    fields["_invoke_excepthook"] = Carried(context, invocation, hook)
                raise

        fields["run"] = run_carried
        try:
            return original(self)
        except BaseException:
            restore()
            raise

    return start


def _has_context(thread: threading.Thread) -> bool:
    """Tell whether the app gave a thread a context of its own choice (Python 3.14)."""
    return getattr(thread, "_context", None) is not None


def _threads_inherit() -> bool:
    """
    Tell whether Python has threads start in a copy of the context that starts them.

    That is an option of Python 3.14, which is on by default in free-threaded builds
    (Doc/howto/free-threading-python.rst, CPython 3.14).
    """
    return bool(getattr(sys.flags, "thread_inherit_context", False))


def _submit(original: Callable[..., Future[object]]) -> Callable[..., Future[object]]:
    def submit(
        self: ThreadPoolExecutor, fn: Callable[..., object], /, *args: object, **kwargs: object
    ) -> Future[object]:
        # Asked itself, as the worker submits each sync function, outside any invocation.
        invocation = look_up_invocation()
        if invocation is None or _is_off.get() or _libraries.make(fn) or _has_interpreters(self):
            return original(self, fn, *args, **kwargs)
        return original(self, copy_context().run, within, invocation, fn, *args, **kwargs)

    return submit


def _has_interpreters(pool: ThreadPoolExecutor) -> bool:
    """
    Tell whether a pool pickles what is submitted, as that of interpreters does (Python 3.14).

    Its module takes milliseconds to load, so it is looked at where the app has loaded it.
    """
    module = sys.modules.get("concurrent.futures.interpreter")  # there already as it loads
    return isinstance(pool, getattr(module, "InterpreterPoolExecutor", ()))


def _add_done_callback(original: Callable[..., None]) -> Callable[..., None]:
    def add_done_callback(self: Future[object], fn: Callable[[Future[object]], object]) -> None:
        invocation = look_up_invocation()
        # A future that is done calls back at once, here.
        if invocation is None or _is_off.get() or self.done() or _libraries.make(fn):
            return original(self, fn)
        return original(self, Carried(copy_context(), invocation, fn))

    return add_done_callback
