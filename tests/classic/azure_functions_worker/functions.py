"""The registry that every function of either model enters."""

from __future__ import annotations

import inspect
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class ParamTypeInfo(NamedTuple):
    """The binding type of a parameter."""

    binding_name: str
    pytype: type | None
    deferred_bindings_enabled: bool = False


class FunctionInfo(NamedTuple):
    """What is known of a registered function."""

    func: Callable[..., Any]
    name: str
    directory: str
    function_id: str
    requires_context: bool
    is_async: bool
    has_return: bool
    is_http_func: bool
    deferred_bindings_enabled: bool
    input_types: Mapping[str, ParamTypeInfo]
    output_types: Mapping[str, ParamTypeInfo]
    return_type: ParamTypeInfo | None
    trigger_metadata: dict[str, Any] | None


class FunctionLoadError(RuntimeError):
    """A function's parameters do not fit its bindings."""

    def __init__(self, function_name: str, msg: str) -> None:
        super().__init__(f"cannot load the {function_name} function: {msg}")


class Registry:
    """The functions of an app, by id."""

    _functions: dict[str, FunctionInfo]

    def __init__(self) -> None:
        self._functions = {}

    def get_function(self, function_id: str) -> FunctionInfo | None:
        return self._functions.get(function_id)

    def add_func_to_registry_and_return_funcinfo(
        self,
        function: Callable[..., Any],
        function_name: str,
        function_id: str,
        directory: str,
        requires_context: bool,
        has_explicit_return: bool,
        has_implicit_return: bool,
        deferred_bindings_enabled: bool,
        input_types: dict[str, ParamTypeInfo],
        output_types: dict[str, ParamTypeInfo],
        return_type: ParamTypeInfo | None,
    ) -> FunctionInfo:
        http = next((n for n, t in input_types.items() if t.binding_name == "httpTrigger"), None)
        function_info = FunctionInfo(
            func=function,
            name=function_name,
            directory=directory,
            function_id=function_id,
            requires_context=requires_context,
            is_async=inspect.iscoroutinefunction(function),
            has_return=has_explicit_return or has_implicit_return,
            is_http_func=http is not None,
            deferred_bindings_enabled=deferred_bindings_enabled,
            input_types=input_types,
            output_types=output_types,
            return_type=return_type,
            trigger_metadata={"type": "httpTrigger", "param_name": http} if http else None,
        )
        self._functions[function_id] = function_info
        return function_info

    def add_function(self, function_id: str, func: Callable[..., Any], metadata: Any) -> None:
        """Register a v1 function."""
        bindings = [(name, info.type, info.direction) for name, info in metadata.bindings.items()]
        self._add(func, metadata.name, function_id, metadata.directory, bindings)

    def add_indexed_function(self, function: Any) -> FunctionInfo:
        """Register a v2 function."""
        func = function.get_user_function()
        name = function.get_function_name()
        bindings = [
            (b.name, b.type, "out" if b.direction == 1 else "in") for b in function.get_bindings()
        ]
        function_id = str(uuid.uuid5(namespace=uuid.NAMESPACE_OID, name=name))
        directory = str(Path(inspect.getfile(func)).parent)
        return self._add(func, name, function_id, directory, bindings)

    def _add(
        self,
        func: Callable[..., Any],
        name: str,
        function_id: str,
        directory: str,
        bindings: list[tuple[str, str, str]],
    ) -> FunctionInfo:
        bound = {n: (kind, way) for n, kind, way in bindings if n != "$return"}
        params = set(inspect.signature(func).parameters)
        requires_context = "context" in params and "context" not in bound
        if params - {"context"} != set(bound) - {"context"}:
            raise FunctionLoadError(name, f"parameters and bindings differ: {params ^ set(bound)}")
        returned = next((ParamTypeInfo(k, None) for n, k, _ in bindings if n == "$return"), None)
        implicit = any(kind in IMPLICIT_OUTPUT for kind, _ in bound.values())
        return self.add_func_to_registry_and_return_funcinfo(
            func,
            name,
            function_id,
            directory,
            requires_context,
            returned is not None,
            implicit,
            False,
            {n: ParamTypeInfo(kind, None) for n, (kind, way) in bound.items() if way != "out"},
            {n: ParamTypeInfo(kind, None) for n, (kind, way) in bound.items() if way == "out"},
            returned,
        )


IMPLICIT_OUTPUT = ("orchestrationTrigger", "entityTrigger", "activityTrigger")
