"""The library workers, `azure_functions_runtime` and `…_v1`: Python 3.13 and later."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import wrapt

from funcscope.extensions.workers._contexts import Contexts
from funcscope.extensions.workers._ids import InvocationIds, take_thread_local
from funcscope.extensions.workers._seam import Seam, misfit, worker_version

if TYPE_CHECKING:
    from types import ModuleType

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


def _ids(package: str) -> InvocationIds:
    """Find `utils/executor.py`'s context variable and `bindings/context.py`'s thread-local."""
    executor = importlib.import_module(f"{package}.utils.executor")
    context = importlib.import_module(f"{package}.bindings.context")
    variable = getattr(executor, "invocation_id_cv", None)
    thread_local = take_thread_local(context, "_invocation_id_local", variable)
    contexts = Contexts(lambda contexts: _keep_contexts(package, contexts))
    return InvocationIds(thread_local, variable, contexts=contexts)


def _keep_contexts(package: str, contexts: Contexts) -> None:
    """Hook `bindings/context.py`'s `get_context`, which both dispatch paths import by name."""
    for name in ("bindings.context", "handle_event", "native_invocation"):
        module = sys.modules.get(f"{package}.{name}")
        if module is not None and hasattr(module, "get_context"):
            wrapt.wrap_function_wrapper(module, "get_context", contexts.keep)

    def hook_native(native: ModuleType) -> None:
        if hasattr(native, "_decode_inputs"):
            wrapt.wrap_function_wrapper(native, "_decode_inputs", contexts.note_metadata)

    wrapt.register_post_import_hook(hook_native, f"{package}.native_invocation")
