"""What the tests of the extensions share."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from funcscope.extensions import install


class Info(Protocol):
    """A worker's `FunctionInfo`, as far as the tests read it."""

    func: Callable[..., Any]
    name: str
    is_async: bool
    requires_context: bool


Register = Callable[..., Info]


@pytest.fixture(params=["azure_functions_runtime", "azure_functions_runtime_v1"])
def package(request: pytest.FixtureRequest) -> str:
    """Name each library worker in turn."""
    return str(request.param)


@pytest.fixture
def register(package: str) -> Register:
    """
    Register a function in a real, empty registry of a library worker.

    `register(function, inputs={"req": "httpTrigger"})`; `context` is asked for if the function
    has a parameter of that name which is not an input, as the worker does.
    """
    functions = importlib.import_module(f"{package}.functions")
    install()

    def add(
        function: Callable[..., object],
        inputs: dict[str, str] | None = None,
        name: str = "hello",
        registry: Any = None,  # the worker's own class has no types
    ) -> Info:
        inputs = {"req": "httpTrigger"} if inputs is None else inputs
        registry = registry or functions.Registry()
        types = {n: functions.ParamTypeInfo(t, None) for n, t in inputs.items()}
        wants_context = "context" in inspect.signature(function).parameters
        call: dict[str, object] = {
            "function": function,
            "function_name": name,
            "function_id": f"id-{name}",
            "directory": "/app",
            "requires_context": wants_context and "context" not in inputs,
            "has_explicit_return": True,
            "has_implicit_return": False,
            "input_types": types,
            "output_types": {},
            "return_type": None,
        }
        if package == "azure_functions_runtime":
            call |= {"deferred_bindings_enabled": False, "settlement_client_arg": None}
        registry.add_func_to_registry_and_return_funcinfo(**call)
        info: Info = registry.get_function(f"id-{name}")
        return info

    return add


@pytest.fixture
def worker_context() -> SimpleNamespace:
    """Make the context that a worker passes."""
    return SimpleNamespace(
        invocation_id="0f8e",
        function_name="hello",
        function_directory="/app",
        thread_local_storage=None,
        trace_context=SimpleNamespace(trace_parent="", trace_state="", attributes={}),
        retry_context=SimpleNamespace(retry_count=2),
    )
