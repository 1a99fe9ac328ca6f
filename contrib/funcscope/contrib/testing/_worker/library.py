"""
Microsoft's own library worker, where it is installed: its registry, context and calls.

What is left of it is to turn the host's messages into arguments, which a test gives as they are.
Source: `handle_event.invocation_request` of azure-functions-runtime 1.3.0 and
azure-functions-runtime-v1 1.2.0.
"""

from __future__ import annotations

import importlib
import importlib.util
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from funcscope.contrib._local.app import WORKER_PACKAGES
from funcscope.contrib.testing._errors import TestingError
from funcscope.contrib.testing._worker.declared import hints_of
from funcscope.contrib.testing._worker.outgoing import check_datum
from funcscope.contrib.testing._worker.rules import Library, RegisteredFunction, attach_host_context

if TYPE_CHECKING:
    from funcscope.contrib._local.app import Model
    from funcscope.contrib.testing._worker.call import HostCall
    from funcscope.contrib.testing._worker.declared import AppFunction
    from funcscope.contrib.testing._worker.outgoing import OutgoingType

_DIRECTIONS = {"in": 0, "out": 1, "inout": 2}  # BindingInfo.Direction of the FunctionRpc protocol
_PROTOS = SimpleNamespace(BindingInfo=SimpleNamespace(**_DIRECTIONS, undefined=0))


def library_rules(model: Model) -> InstalledLibrary | Library:
    """Return the rules of the installed library worker for a model, else those of its stand-in."""
    package = WORKER_PACKAGES[model]
    if importlib.util.find_spec(package) is None:
        return Library()
    return InstalledLibrary(package)


class InstalledLibrary:
    """
    A library worker, as it is installed.

    Args:
        package: Its import package.
    """

    def __init__(self, package: str) -> None:
        self._functions: Any = importlib.import_module(f"{package}.functions")
        self._contexts: Any = importlib.import_module(f"{package}.bindings.context")
        self._meta: Any = importlib.import_module(f"{package}.bindings.meta")
        self._meta.load_binding_registry()  # as `worker_init_request` does
        self._executor: Any = importlib.import_module(f"{package}.utils.executor")

    def register(self, declared: AppFunction) -> RegisteredFunction:
        """Register the function with the worker, where the seam puts extensions around it."""
        registry = self._functions.Registry()
        hints_of(declared.function)
        try:
            if declared.built is not None:
                registry.add_indexed_function(declared.built, _PROTOS)
            else:
                self._add_v1(registry, declared)
        except self._functions.FunctionLoadError as error:
            raise TestingError(f"the worker does not load {declared.name!r}: {error}") from error
        (registered,) = registry._functions.values()  # noqa: SLF001  (it has no other way to them)
        return cast("RegisteredFunction", registered)

    def _add_v1(self, registry: Any, declared: AppFunction) -> None:
        bindings = {
            b.name: SimpleNamespace(
                type=b.type,
                direction=_DIRECTIONS[b.direction],
                data_type=b.settings.get("dataType", 0),
            )
            for b in declared.bindings
        }
        metadata = SimpleNamespace(
            name=declared.name, directory=declared.directory, bindings=bindings
        )
        registry.add_function(str(uuid.uuid4()), declared.function, metadata, _PROTOS)

    def context(self, declared: AppFunction, call: HostCall) -> Any:
        """Make the `context` argument."""
        request = SimpleNamespace(
            invocation_id=call.invocation_id,
            trace_context=call.trace_context,
            retry_context=call.retry_context,
        )
        return self._contexts.get_context(request, declared.name, declared.directory)

    def enter(self, call: HostCall, *, is_async: bool) -> None:  # noqa: ARG002  (it makes no difference)
        """Attach the host's context on the task, and put the id where the request puts it."""
        attach_host_context(call)
        self._contexts._invocation_id_local.invocation_id = call.invocation_id  # noqa: SLF001  (theirs)

    def run_sync(self, call: HostCall, context: Any, function: Any, args: dict[str, Any]) -> object:
        """Call a function with the worker's own helper for it."""
        __tracebackhide__ = True
        result: object = self._executor.run_sync_func(call.invocation_id, context, function, args)
        return result

    def check_outgoing(self, value: object, outgoing: OutgoingType) -> None:
        """Convert an output with the worker's own helper for it."""
        check_datum(self._meta.get_datum(outgoing.binding_name, value, outgoing.pytype))
