"""
The seam that all workers share: the registry through which every function passes.

docs/decisions/001 says why.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

import wrapt

from funcscope.extensions._errors import INTERRUPTS, guarded, log_quietly, look, qualified_name
from funcscope.extensions._invocation import Binding, Function
from funcscope.extensions._lifecycle.registry import registry
from funcscope.extensions._workers.bindings import (
    DeclaredFunction,
    conversions,
    decorated_bindings,
    from_types,
    read_bindings,
)
from funcscope.extensions._workers.wrapping import Lifecycle, is_wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from funcscope.extensions._runtime import Args, Kwargs, Wrapped
    from funcscope.extensions._workers.ids import WorkerIds

_logger = logging.getLogger("funcscope.extensions")

_ADD = "add_func_to_registry_and_return_funcinfo"
_INDEX = "add_indexed_function"  # the v2 model's, around _ADD
_FIELDS = {
    "func", "name", "directory", "function_id", "requires_context", "input_types", "output_types",
}  # fmt: skip


class FunctionInfo(Protocol):
    """A worker's `FunctionInfo`, a NamedTuple, as far as it is read and replaced here."""

    func: Callable[..., object]
    name: str
    directory: str
    function_id: str
    requires_context: bool
    input_types: Mapping[str, object]
    output_types: Mapping[str, object]


_indexed: ContextVar[DeclaredFunction | None] = ContextVar("funcscope_indexed", default=None)


def worker_version(package: str) -> str:
    """Return a worker's version from its `version` module, which all of them have."""
    try:
        return str(import_module(f"{package}.version").VERSION)
    except (ImportError, AttributeError):
        return "unknown"


def misfit(functions: ModuleType) -> str | None:
    """Name a thing that this seam needs of a worker's `functions` module and that is not there."""
    registry = getattr(functions, "Registry", None)
    if not callable(getattr(registry, _ADD, None)):
        return f"its Registry has no {_ADD}"
    missing = _FIELDS - set(getattr(getattr(functions, "FunctionInfo", None), "_fields", ()))
    if missing:
        return f"its FunctionInfo has no {', '.join(sorted(missing))}"
    if not isinstance(getattr(cast("type", registry)(), "_functions", None), dict):
        return "its Registry keeps no dict of functions"
    return None


class Seam:
    """
    One worker's registry of functions, with the lifecycle put around all that enter it.

    `Registry.add_func_to_registry_and_return_funcinfo` stands in all three workers. It is
    called once the signature of the user's function was checked, and the `FunctionInfo` that
    it stores is what every dispatch path calls (`functions.py` of azure-functions-runtime
    1.3.0, azure-functions-runtime-v1 1.2.0 and classic worker 4.34). So what was registered
    is replaced there, whether that happened before the hook or after it.

    Attributes:
        package: The worker's import package.
        version: Its version.
        ids: Where its log stream looks for the invocation id.
        functions: The functions that are wrapped, by name.
    """

    __slots__ = ("functions", "ids", "package", "version")

    def __init__(self, package: str, version: str, ids: WorkerIds) -> None:
        self.package = package
        self.version = version
        self.ids = ids
        self.functions: dict[str, Function] = {}

    def hook(self, functions: ModuleType) -> None:
        """Wrap each function that will be registered through this `functions` module."""
        wrapt.wrap_function_wrapper(functions, f"Registry.{_ADD}", self._add)
        if hasattr(functions.Registry, _INDEX):
            wrapt.wrap_function_wrapper(functions, f"Registry.{_INDEX}", self._index)

    def adopt(self, functions: object) -> None:
        """Wrap each function that was registered before the hook."""
        for info in list(_registered(functions).values()):
            self._wrap(functions, info)

    def _add(self, wrapped: Wrapped, functions: object, args: Args, kwargs: Kwargs) -> FunctionInfo:
        return self._wrap(functions, wrapped(*args, **kwargs))

    def _index(self, wrapped: Wrapped, _registry: object, args: Args, kwargs: Kwargs) -> object:
        """Remember the declared function while it is registered: it has the bindings."""
        declared = args[0] if args else kwargs.get("function")
        token = _indexed.set(cast("DeclaredFunction | None", declared))
        try:
            return wrapped(*args, **kwargs)
        finally:
            _indexed.reset(token)
            _when_indexed(registry.report_unmatched)

    def _wrap(self, functions: object, info: FunctionInfo) -> FunctionInfo:
        """Replace a function that was registered; the app runs without us where that fails."""
        try:
            if is_wrapped(info.func):
                return info
            lifecycle = self._lifecycle(info)
            wrapped = _replaced(
                info,
                func=lifecycle.wrap(info.func),
                requires_context=info.requires_context or not _has_context_binding(info),
            )
            _registered(functions)[info.function_id] = wrapped
            self.functions[info.name] = lifecycle.function
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (whatever is wrong with us, the app runs)
            log_quietly(
                _logger,
                logging.ERROR,
                "function %s of worker %s %s could not be wrapped: it runs without extensions",
                look(info, "name"),
                self.package,
                self.version,
                error=error,
            )
            return info
        lifecycle.loaded()
        return wrapped

    def _lifecycle(self, info: FunctionInfo) -> Lifecycle:
        function = Function(
            name=info.name,
            directory=info.directory,
            is_async=inspect.iscoroutinefunction(info.func),
            qualified_name=qualified_name(info.func),
            bindings=_bindings(info),
            conversions=conversions(info),
        )
        has_context_binding = _has_context_binding(info)
        if self.ids.contexts is not None:
            self.ids.contexts.watch(function, has_context_binding=has_context_binding)
        return Lifecycle(
            function,
            wants_context=info.requires_context,
            has_context_binding=has_context_binding,
            ids=self.ids,
        )


def _registered(functions: object) -> dict[str, FunctionInfo]:
    """Return a worker's registered functions by id, as `misfit` checked that it keeps them."""
    return cast("dict[str, FunctionInfo]", vars(functions)["_functions"])


def _replaced(info: FunctionInfo, **changes: object) -> FunctionInfo:
    return cast("FunctionInfo", cast("Any", info)._replace(**changes))  # a NamedTuple's method


def _when_indexed(call: Callable[[], None]) -> None:
    """Call back when the worker's event loop goes on: an app is indexed in one step of it."""
    safely = partial(guarded, call, _logger, "extensions could not be checked")
    with suppress(RuntimeError):  # no loop: not a worker
        asyncio.get_running_loop().call_soon(safely)


def _bindings(info: FunctionInfo) -> tuple[Binding, ...]:
    declared = _indexed.get()
    if declared is not None:
        with suppress(Exception):  # a decorator of somebody's: the worker tells a part of it, too
            return decorated_bindings(declared)
    return read_bindings(info.directory) or from_types(info.input_types, info.output_types)


def _has_context_binding(info: FunctionInfo) -> bool:
    return "context" in info.input_types or "context" in info.output_types
