"""The places where a worker's log stream finds the id of a line's invocation."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import wrapt

from funcscope.extensions._invocation import adopt, look_up_invocation, runs
from funcscope.extensions._runtime import running_loop

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import ContextVar
    from types import ModuleType

    from funcscope.extensions._runtime import Args, Kwargs, Wrapped
    from funcscope.extensions._workers.contexts import ContextCache

_LOOK_UP = "get_current_invocation_id"


@dataclass(frozen=True, slots=True, eq=False)
class WorkerIds:
    """
    One worker's places for the running invocation's id.

    Attributes:
        thread_local: The storage behind `context.thread_local_storage`.
        variable: The library workers' `invocation_id_cv` (`utils/executor.py`,
            azure-functions-runtime 1.3.0); None where a worker has none.
        of_task: The classic worker's look-up, which asks the running task before the thread
            (`dispatcher.get_current_invocation_id`, worker 4.34); None where there is none.
        contexts: The worker's contexts that functions do not get; None where they are not stored.
    """

    thread_local: threading.local | None
    variable: ContextVar[str | None] | None = None
    of_task: Callable[[], str | None] | None = None
    contexts: ContextCache | None = None

    def current(self) -> str | None:
        """Return the id of the invocation that this thread or task runs."""
        for look_up in (self.of_task, self.variable and self.variable.get):
            if look_up is not None and (current := look_up()):
                return current
        return getattr(self.thread_local, "invocation_id", None)


def look_here_first(dispatcher: ModuleType) -> Callable[[], str | None] | None:
    """
    Have the log stream of a worker, or of the proxy around one, look in our context first.

    The classic worker (`dispatcher.py`, 4.34) asks the running task, else the thread; callbacks of
    the event loop are no task, and the loop's thread has the id of whichever invocation came last.
    The proxy (`proxy_worker/dispatcher.py` of github.com/Azure/azure-functions-python-worker) asks
    a place that all invocations share, in some versions before all others, and in some not for
    the library worker's context variable (docs/decisions/055).

    Returns:
        The look-up that was there; None where there is none.
    """
    look_up: Callable[[], str | None] | None = getattr(dispatcher, _LOOK_UP, None)
    if look_up is not None:
        wrapt.wrap_function_wrapper(dispatcher, _LOOK_UP, _current_id)
    return look_up


def _current_id(wrapped: Wrapped, _module: object, args: Args, kwargs: Kwargs) -> str | None:
    """Return the id of this code's invocation, else what the worker finds."""
    invocation = look_up_invocation()
    return (invocation and invocation.id) or wrapped(*args, **kwargs)


def replace_thread_local(
    module: ModuleType | None, name: str, variable: ContextVar[str | None] | None = None
) -> threading.local | None:
    """
    Replace a worker's thread-local with one that does what Microsoft's recipe is for.

    `context.thread_local_storage.invocation_id = context.invocation_id`, in a thread that an
    app started, is documented to put the thread's log lines into the invocation. The library
    workers' proxy looks at their context variable instead, so the recipe has no effect there.

    Args:
        module: The module that has it; each call's `context` gets the one that is there then.
        name: Its name there.
        variable: A context variable that is set with it.

    Returns:
        The new one; None where there is nothing of the kind.
    """
    before = getattr(module, name, None)
    if not isinstance(before, threading.local):
        return None

    worker_own, set_attribute = before, threading.local.__setattr__
    home = threading.get_ident()  # where apps are imported: the thread of the worker's own loop

    def switch(value: str | None) -> None:
        try:
            if variable is not None:
                variable.set(value)
            # Looked at here, too: workers set the id of each sync function before and after it.
            if look_up_invocation() is not None or runs(value):
                adopt(value)
        except TypeError:  # no id is unhashable
            return

    class InvocationLocal(threading.local):
        """The worker's thread-local, which also sets what others look at."""

        # All tasks share the event loop's thread: there it says nothing about any.

        def __setattr__(self, attribute: str, value: str | None) -> None:
            set_attribute(self, attribute, value)  # the workers do so in each invocation
            has_loop = running_loop() is not None
            # R2P2 has got hold of the worker's own when it started (docs/decisions/055).
            if not has_loop or threading.get_ident() != home:
                set_attribute(worker_own, attribute, value)
            if attribute == "invocation_id" and not has_loop:
                switch(value)

        def __delattr__(self, attribute: str) -> None:
            super().__delattr__(attribute)
            with suppress(AttributeError):
                delattr(worker_own, attribute)
            if attribute == "invocation_id" and running_loop() is None:
                switch(None)

        def __getattr__(self, attribute: str) -> object:
            return getattr(worker_own, attribute)  # set before we came

    storage = InvocationLocal()
    setattr(module, name, storage)
    return storage
