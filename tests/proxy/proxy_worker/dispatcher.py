"""Gives each request a task, and each log line the id of an invocation."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

_library_worker: Any = None
_library_worker_has_cv = False

_thread_invocation_registry: dict[int, str] = {}
_registry_lock = threading.Lock()
_current_invocation_id: str | None = None
_current_invocation_lock = threading.Lock()
_invocation_id_local = threading.local()

ORDER = os.environ.get("PROXY_ORDER", "C")
"""Which of three versions this is, by the order in which they look."""


class ContextEnabledTask(asyncio.Task[Any]):
    """A task that knows the invocation it was started in."""

    AZURE_INVOCATION_ID = "__azure_function_invocation_id__"

    def __init__(
        self, coro: Coroutine[Any, Any, Any], loop: Any, context: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(coro, loop=loop, context=context, **kwargs)
        current_task = asyncio.current_task(loop)
        if current_task is not None:
            invocation_id = getattr(current_task, self.AZURE_INVOCATION_ID, None)
            if invocation_id is not None:
                self.set_azure_invocation_id(invocation_id)

    def set_azure_invocation_id(self, invocation_id: str) -> None:
        setattr(self, self.AZURE_INVOCATION_ID, invocation_id)


def set_thread_invocation_id(thread_id: int, invocation_id: str) -> None:
    with _registry_lock:
        _thread_invocation_registry[thread_id] = invocation_id


def get_thread_invocation_id(thread_id: int) -> str | None:
    with _registry_lock:
        return _thread_invocation_registry.get(thread_id)


def set_current_invocation_id(invocation_id: str) -> None:
    global _current_invocation_id
    with _current_invocation_lock:
        _current_invocation_id = invocation_id


def get_global_current_invocation_id() -> str | None:
    with _current_invocation_lock:
        return _current_invocation_id


def _of_task() -> str | None:
    loop = asyncio._get_running_loop()
    task = asyncio.current_task(loop) if loop is not None else None
    return getattr(task, ContextEnabledTask.AZURE_INVOCATION_ID, None)


def _of_cv() -> str | None:
    if not _library_worker_has_cv:
        return None
    found: str | None = _library_worker.invocation_id_cv.get()
    return found


def _of_registry() -> str | None:
    return get_thread_invocation_id(threading.get_ident())


def _of_process_without_cv() -> str | None:
    return None if _library_worker_has_cv else get_global_current_invocation_id()


ORDERS = {
    "A": (get_global_current_invocation_id, _of_task, _of_registry),
    "B": (_of_task, _of_registry, _of_cv),
    "C": (_of_process_without_cv, _of_task, _of_cv, _of_registry),
}


def get_current_invocation_id() -> str | None:
    for look_up in ORDERS[ORDER]:
        found = look_up()
        if found is not None:
            return found
    return getattr(_invocation_id_local, "invocation_id", None)


class AsyncLoggingHandler(logging.Handler):
    """Sends what is logged to the host, with the invocation it belongs to."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[str, str | None]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.rows.append((self.format(record), get_current_invocation_id()))


def reload_library_worker(worker: Any) -> None:
    """Take the library worker of the app, a module."""
    global _library_worker, _library_worker_has_cv
    _library_worker = worker
    _library_worker_has_cv = hasattr(worker, "invocation_id_cv")


def enter_invocation(invocation_id: str) -> None:
    """Set the id where the dispatcher sets it before it hands a request on, in its task."""
    set_current_invocation_id(invocation_id)
    current_task = asyncio.current_task()
    if isinstance(current_task, ContextEnabledTask):
        current_task.set_azure_invocation_id(invocation_id)
    set_thread_invocation_id(threading.get_ident(), invocation_id)
