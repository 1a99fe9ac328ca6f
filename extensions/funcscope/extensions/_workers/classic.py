"""
The classic worker, `azure_functions_worker` 4.x: Python 3.8 to 3.12.

It has an extension manager of its own, active where `PYTHON_ENABLE_WORKER_EXTENSIONS` is set.
For functions that we wrapped it stands down, so that nothing runs twice; for others, should we
ever fail to wrap one, it does what it always did.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import wrapt

from funcscope.extensions._workers.contexts import ContextCache
from funcscope.extensions._workers.ids import WorkerIds, look_here_first, replace_thread_local
from funcscope.extensions._workers.seam import Seam, misfit, worker_version
from funcscope.extensions._workers.wrapping import call_with_of

if TYPE_CHECKING:
    from types import ModuleType

    from funcscope.extensions._runtime import Args, Kwargs, Wrapped

PACKAGE = "azure_functions_worker"

_LOAD = "function_load_extension"
_SYNC = "get_sync_invocation_wrapper"
_ASYNC = "get_async_invocation_wrapper"
_GET_CONTEXT = "_get_context"


def hook(dispatcher: ModuleType) -> Seam | str:
    """
    Hook the classic worker through its `dispatcher` module, the last one it imports.

    Returns:
        The seam, or what of the worker does not fit, with nothing touched.
    """
    functions = importlib.import_module(f"{PACKAGE}.functions")
    manager = getattr(importlib.import_module(f"{PACKAGE}.extension"), "ExtensionManager", None)
    problem = misfit(functions) or _manager_misfit(manager)
    if problem is not None:
        return problem
    seam = Seam(PACKAGE, worker_version(PACKAGE), _ids(dispatcher))
    seam.hook(functions)
    _stand_down(manager, seam)
    registry = getattr(_running(dispatcher), "_functions", None)
    if registry is not None:
        seam.adopt(registry)
    return seam


def _manager_misfit(manager: object) -> str | None:
    missing = [n for n in (_LOAD, _SYNC, _ASYNC) if not callable(getattr(manager, n, None))]
    return f"its ExtensionManager has no {', '.join(missing)}" if missing else None


def _ids(dispatcher: ModuleType) -> WorkerIds:
    look_up = look_here_first(dispatcher)
    thread_local = replace_thread_local(dispatcher, "_invocation_id_local")
    contexts = ContextCache(lambda contexts: _store_contexts(dispatcher, contexts))
    return WorkerIds(thread_local, of_task=look_up, contexts=contexts)


def _store_contexts(dispatcher: ModuleType, contexts: ContextCache) -> None:
    if hasattr(getattr(dispatcher, "Dispatcher", None), _GET_CONTEXT):
        wrapt.wrap_function_wrapper(dispatcher, f"Dispatcher.{_GET_CONTEXT}", contexts.store)


def _running(dispatcher: ModuleType) -> object:
    """Return the running dispatcher; None while there is none, as in a test."""
    meta = getattr(dispatcher, "DispatcherMeta", None)
    return getattr(meta, "__current_dispatcher__", None)


def _stand_down(manager: Any, seam: Seam) -> None:  # the worker's class has no types
    """
    Let the extension manager leave alone what we wrapped.

    `extension.py`, worker 4.34: the dispatcher calls these three, and all hooks run in them.
    """

    def load(wrapped: Wrapped, _manager: object, args: Args, kwargs: Kwargs) -> object:
        name = args[0] if args else kwargs.get("func_name")
        return None if name in seam.functions else wrapped(*args, **kwargs)

    def get_sync(wrapped: Wrapped, _manager: object, args: Args, kwargs: Kwargs) -> object:
        function = args[1] if len(args) > 1 else kwargs.get("func")
        call_with = call_with_of(function)
        return wrapped(*args, **kwargs) if call_with is None else call_with

    def get_async(wrapped: Wrapped, _manager: object, args: Args, kwargs: Kwargs) -> object:
        function = args[1] if len(args) > 1 else kwargs.get("function")
        call_with = call_with_of(function)
        if call_with is None or (len(args) <= 2 and "args" not in kwargs):
            return wrapped(*args, **kwargs)
        return call_with(args[2] if len(args) > 2 else kwargs["args"])

    wrapt.wrap_function_wrapper(manager, _LOAD, load)
    wrapt.wrap_function_wrapper(manager, _SYNC, get_sync)
    wrapt.wrap_function_wrapper(manager, _ASYNC, get_async)
