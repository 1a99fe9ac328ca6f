"""
Carry an invocation into the threads, pools and callbacks that a function uses.

docs/decisions/008 says why.
"""

from __future__ import annotations

import inspect
import logging
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context, ContextVar, copy_context
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import wrapt

from funcscope.extensions._decorated import is_decorated, replace_user_function
from funcscope.extensions._forks import lock_of
from funcscope.extensions._invocation import Invocation, look_up_invocation
from funcscope.extensions._propagation.carried import ContextCall, run_in_invocation
from funcscope.extensions._propagation.libraries import LibraryThreads
from funcscope.extensions._propagation.pools import carry_into_pools
from funcscope.extensions._propagation.starts import (
    can_carry,
    carry,
    has_context,
    is_carried,
    threads_inherit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_F = TypeVar("_F", bound="Callable[..., Any]")
_logger = logging.getLogger("funcscope.extensions")
_blocks: ContextVar[int] = ContextVar("funcscope_no_propagation", default=0)
_libraries = LibraryThreads()
_lock = lock_of(sys.modules[__name__])
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
    carries = bool(_patched) or can_carry()  # which may log; nothing does so within the lock
    with _lock:
        _libraries.add(leave)
        if _patched:
            return
        if carries:
            _replace(threading.Thread, "start", _start)
            if "start" in vars(threading.Timer):  # of who patched it before, and calls the other's
                _replace(threading.Timer, "start", _start)
        _replace(ThreadPoolExecutor, "submit", _submit)
        _replace(Future, "add_done_callback", _add_done_callback)
    wrapt.register_post_import_hook(_pools_imported, "multiprocessing.pool")


class no_propagation:  # noqa: N801  (reads as a statement)
    """
    Leave the threads and pool calls that this block starts without an invocation.

    A context manager, and a decorator of functions and coroutine functions, below or above the
    decorators of azure.functions. `asyncio.to_thread` copies the context by itself, so it has one
    all the same.
    """

    # Counted, so that one object serves any number of blocks, nested or at once.
    def __enter__(self) -> None:
        """Begin the block."""
        _blocks.set(_blocks.get() + 1)

    def __exit__(self, *_: object) -> None:
        """End the block."""
        _blocks.set(max(0, _blocks.get() - 1))

    def __call__(self, function: _F) -> _F:
        """Make each call of a function such a block."""
        if is_decorated(function):
            if not replace_user_function(function, self):
                _logger.warning(_NO_BLOCK, "it is above the decorators of azure.functions")
            return function
        original: Any = function  # its kind tells what it returns
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            _logger.warning(_NO_BLOCK, "a generator's steps belong to whoever asks for them")
            return function
        if inspect.iscoroutinefunction(function):

            @wraps(original)
            async def awaited(*args: Any, **kwargs: Any) -> object:
                with no_propagation():
                    return await original(*args, **kwargs)

            return cast("_F", awaited)

        @wraps(original)
        def called(*args: Any, **kwargs: Any) -> object:
            with no_propagation():
                return original(*args, **kwargs)

        return cast("_F", called)


_NO_BLOCK = (
    "@no_propagation() does nothing here, as %s: write `with no_propagation():` around what "
    "starts the threads"
)


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


def _carried(call: object = None) -> tuple[Context, Invocation] | None:
    """
    Return a copy of the context and the invocation, for a call to be carried into.

    None where there is none, or where that cannot be found out: the call is made then, too.
    """
    try:
        invocation = look_up_invocation()
        if invocation is None or _blocks.get() or _libraries.is_library_call(call):
            return None
        return copy_context(), invocation
    except Exception:  # noqa: BLE001  (what an app calls is for the original to judge)
        return None


def _start(original: Callable[..., object]) -> Callable[..., object]:
    def start(self: threading.Thread, *args: object, **kwargs: object) -> object:
        invocation = look_up_invocation()
        if invocation is None:
            return original(self, *args, **kwargs)
        take_back = None
        try:
            if is_carried(self) or has_context(self):
                run = original
            elif _blocks.get() or _libraries.is_library_thread(self):
                run = _apart(original) if threads_inherit() else original
            else:
                run, take_back = original, carry(self, invocation)
        except Exception:  # noqa: BLE001  (an app's own class, which is for the original to judge)
            run = original
        try:
            return run(self, *args, **kwargs)
        except BaseException:
            if take_back is not None:
                take_back()
            raise

    return start


def _apart(original: Callable[..., object]) -> Callable[..., object]:
    """Return a start for a thread that is not to inherit the current context."""
    return partial(Context().run, original)


def _submit(original: Callable[..., Future[object]]) -> Callable[..., Future[object]]:
    def submit(self: ThreadPoolExecutor, /, *args: Any, **kwargs: object) -> Future[object]:
        # Asked first, as the worker submits each sync function, outside any invocation.
        if look_up_invocation() is None or not args or _has_interpreters(self):
            return original(self, *args, **kwargs)
        carried = _carried(args[0])
        if carried is None:
            return original(self, *args, **kwargs)
        context, invocation = carried
        return original(self, context.run, run_in_invocation, invocation, *args, **kwargs)

    return submit


def _has_interpreters(pool: ThreadPoolExecutor) -> bool:
    """
    Whether a pool pickles what is submitted, as that of interpreters does (Python 3.14).

    Its module takes milliseconds to load, so it is looked at where the app has loaded it.
    """
    module = sys.modules.get("concurrent.futures.interpreter")  # there already as it loads
    return issubclass(type(pool), getattr(module, "InterpreterPoolExecutor", ()))


def _add_done_callback(original: Callable[..., object]) -> Callable[..., object]:
    def add_done_callback(self: Future[object], *args: Any, **kwargs: Any) -> object:
        if look_up_invocation() is None:
            return original(self, *args, **kwargs)
        if args:
            args = (_call_back(self, args[0]), *args[1:])
        elif "fn" in kwargs:
            kwargs["fn"] = _call_back(self, kwargs["fn"])
        return original(self, *args, **kwargs)

    return add_done_callback


def _call_back(future: Future[object], call: Any) -> Any:  # an app's own
    """Return a callback that runs in the invocation; itself where it belongs to none."""
    try:
        # A future that is done calls back at once, here.
        carried = None if future.done() else _carried(call)
        return call if carried is None else ContextCall(*carried, call)
    except Exception:  # noqa: BLE001  (an app's own class of futures)
        return call
