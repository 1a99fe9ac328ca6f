"""The library workers, `azure_functions_runtime` and `…_v1`: Python 3.13 and later."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import TYPE_CHECKING

import wrapt

from funcscope.extensions._errors import log_quietly
from funcscope.extensions._workers.contexts import ContextCache
from funcscope.extensions._workers.ids import WorkerIds, replace_thread_local
from funcscope.extensions._workers.seam import Seam, misfit, worker_version

if TYPE_CHECKING:
    from types import ModuleType

_logger = logging.getLogger("funcscope.extensions")

PACKAGES = ("azure_functions_runtime", "azure_functions_runtime_v1")


def hook(functions: ModuleType) -> Seam | str:
    """
    Hook a library worker through its `functions` module.

    Returns:
        The seam, or what of the worker does not fit, with nothing touched.
    """
    package = functions.__name__.rpartition(".")[0]
    problem = misfit(functions)
    if problem is not None:
        return problem
    seam = Seam(package, worker_version(package), _ids(package))
    seam.hook(functions)
    # handle_event.py keeps the one registry that both dispatch paths use. While the worker is
    # still being imported it has none yet, and nothing to adopt.
    registry = getattr(sys.modules.get(f"{package}.handle_event"), "_functions", None)
    if registry is not None:
        seam.adopt(registry)
    return seam


def _ids(package: str) -> WorkerIds:
    """Find `utils/executor.py`'s context variable and `bindings/context.py`'s thread-local."""
    variable = getattr(_part(package, "utils.executor"), "invocation_id_cv", None)
    context = _part(package, "bindings.context")
    thread_local = replace_thread_local(context, "_invocation_id_local", variable)
    if variable is None and thread_local is None:
        what = "worker %s keeps invocation ids elsewhere: records of its functions have none"
        log_quietly(_logger, logging.WARNING, what, package)
    contexts = ContextCache(lambda contexts: _store_contexts(package, contexts))
    return WorkerIds(thread_local, variable, contexts=contexts)


def _part(package: str, name: str) -> ModuleType | None:
    """Import a module of a worker's; None where there is none of that name."""
    try:
        return importlib.import_module(f"{package}.{name}")
    except ImportError:
        return None


def _store_contexts(package: str, contexts: ContextCache) -> None:
    """Hook `bindings/context.py`'s `get_context`, which both dispatch paths import by name."""
    for name in ("bindings.context", "handle_event", "native_invocation"):
        module = sys.modules.get(f"{package}.{name}")
        if module is not None and hasattr(module, "get_context"):
            wrapt.wrap_function_wrapper(module, "get_context", contexts.store)

    def hook_native(native: ModuleType) -> None:
        if hasattr(native, "_decode_inputs"):
            wrapt.wrap_function_wrapper(native, "_decode_inputs", contexts.store_metadata)

    wrapt.register_post_import_hook(hook_native, f"{package}.native_invocation")
