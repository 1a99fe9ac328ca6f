"""
Carry an invocation into a thread that it starts, below all code that the thread runs.

docs/decisions/027 says why.
"""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.extensions._invocation import Invocation

BOOTSTRAP = "_bootstrap_inner"
"""
The method that each thread begins with (CPython 3.10 to 3.14, threading.py).

It runs `run` and, where that fails, the excepthook. Everybody patches `run` and `start`; this runs
them as they are patched.
"""
_CONTEXT = "_context"  # where Python 3.14 has a thread's context, which `run` runs in

_logger = logging.getLogger("funcscope.extensions")


def can_carry() -> bool:
    """Whether this Python's threads begin as expected; a warning says so where they do not."""
    if callable(getattr(threading.Thread, BOOTSTRAP, None)):
        return True
    _logger.warning(
        "threads are not carried: threading.Thread of Python %s has no %s; "
        "give them contextvars.copy_context() to run in",
        sys.version.split()[0],
        BOOTSTRAP,
    )
    return False


def is_carried(thread: threading.Thread) -> bool:
    """Whether another `start` has prepared a thread that is about to start."""
    return BOOTSTRAP in vars(thread)


def has_context(thread: threading.Thread) -> bool:
    """Whether the app gave a thread a context of its own choice (Python 3.14)."""
    return vars(thread).get(_CONTEXT) is not None


def threads_inherit() -> bool:
    """
    Whether Python has threads start in a copy of the context that starts them.

    An option of Python 3.14, which is on by default in free-threaded builds
    (Doc/howto/free-threading-python.rst, CPython 3.14).
    """
    return bool(getattr(sys.flags, "thread_inherit_context", False))


def carry(thread: threading.Thread, invocation: Invocation) -> Callable[[], object]:
    """
    Have a thread that is about to start run in a copy of the context that is current now.

    Returns:
        A function that takes that back, for a thread that does not start.
    """
    # By its __dict__, where no class of the app's is asked.
    fields, context = vars(thread), copy_context()

    def bootstrap(*args: Any, **kwargs: Any) -> object:
        fields.pop(BOOTSTRAP, None)  # before anything else: it keeps the thread from being freed
        # Nothing here may ask which thread this is: it is not one of `threading`'s yet.
        with suppress(Exception):
            context.run(_set_id, invocation)
        return context.run(getattr(thread, BOOTSTRAP), *args, **kwargs)

    def take_back() -> None:
        if fields.get(BOOTSTRAP) is bootstrap:
            del fields[BOOTSTRAP]
        if fields.get(_CONTEXT) is own:
            fields[_CONTEXT] = None

    own = context.copy() if _CONTEXT in fields else context
    if own is not context:
        fields[_CONTEXT] = own
    fields[BOOTSTRAP] = bootstrap
    return take_back


def _set_id(invocation: Invocation) -> None:
    """Set the worker's thread-local; nothing is put back, as the thread ends with its `run`."""
    storage = invocation.context.thread_local_storage
    if storage is not None:
        storage.invocation_id = invocation.id
