"""The library workers, `azure_functions_runtime` and `…_v1`: Python 3.13 and later."""

from __future__ import annotations

import importlib
import logging
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import wrapt

from funcscope.extensions._errors import INTERRUPTS, guarded, log_quietly
from funcscope.extensions._runtime import OnceLog
from funcscope.extensions._workers.contexts import ContextCache
from funcscope.extensions._workers.ids import WorkerIds, look_here_first, replace_thread_local
from funcscope.extensions._workers.seam import Seam, misfit, worker_version

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import ModuleType

    from funcscope.extensions._runtime import Args, Kwargs, Wrapped

_logger = logging.getLogger("funcscope.extensions")

PACKAGES = ("azure_functions_runtime", "azure_functions_runtime_v1")
PROXY = "proxy_worker.dispatcher"
_STOP = "stop_threadpool_executor"
_when_stopped: list[Callable[[], object]] = []

_problems = OnceLog(_logger, logging.ERROR)


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
    _hook_stop(package)
    return seam


def when_stopped(call: Callable[[], object]) -> None:
    """
    Make a call when a worker is told to stop, and its sync functions have returned.

    The programs around it do so last of all. R2P2's process ends then, without `atexit`
    (`workers/r2p2/bridge/bridge.py` of github.com/Azure/azure-functions-python-worker).
    """
    _when_stopped.append(call)


def _hook_stop(package: str) -> None:
    """Hook `utils/threadpool.py`'s function, which the package has too once it is imported."""
    for module in (sys.modules.get(package), _part(package, "utils.threadpool")):
        if hasattr(module, _STOP):
            wrapt.wrap_function_wrapper(module, _STOP, _stop)


def _stop(wrapped: Wrapped, _module: object, args: Args, kwargs: Kwargs) -> Any:
    try:
        return wrapped(*args, **kwargs)
    finally:
        for call in _when_stopped:
            guarded(call, _logger, "%r failed when the worker was stopped", call)


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


def hook_proxy(dispatcher: ModuleType) -> None:
    """Hook the program around the worker, where that is the Python proxy and not R2P2."""
    guarded(partial(look_here_first, dispatcher), _logger, "the worker's proxy could not be hooked")


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


def exchanging(
    received: Callable[[Any], object], answered: Callable[[str, Any], object]
) -> tuple[str, ...]:
    """
    Look at the messages of invocations from now on, where they are protobuf's.

    The proxy asks the package for `invocation_request` at each of them, and puts what it returns
    into the message that goes to the host (`workers/proxy_worker/dispatcher.py` of
    azure-functions-python-worker). The native paths have no messages.

    Args:
        received: Called with an `InvocationRequest`, before anything is done with it.
        answered: Called with an invocation's id and its `InvocationResponse`; None where there is
            none. What either raises is logged, once.

    Returns:
        The workers of which that can be said.
    """

    def exchange(wrapped: Wrapped, _: object, args: Args, kwargs: Kwargs) -> object:
        return _exchanged(wrapped(*args, **kwargs), args, received, answered)

    found = [name for name in PACKAGES if hasattr(sys.modules.get(name), "invocation_request")]
    for name in found:
        wrapt.wrap_function_wrapper(sys.modules[name], "invocation_request", exchange)
    return tuple(found)


async def _exchanged(
    answer: Awaitable[Any],
    args: Args,
    received: Callable[[Any], object],
    answered: Callable[[str, Any], object],
) -> object:
    asked: Any = args[0] if args else None
    response: Any = None
    _look(lambda: received(asked.request.invocation_request))
    try:
        response = await answer
    finally:
        _look(lambda: answered(str(asked.request.invocation_request.invocation_id), response))
    return response


def _look(call: Callable[[], object]) -> None:
    try:
        call()
    except INTERRUPTS:
        raise
    except BaseException as error:  # noqa: BLE001  (nothing of it may reach the worker)
        _problems.log("messages of invocations cannot be looked at", error=error)
