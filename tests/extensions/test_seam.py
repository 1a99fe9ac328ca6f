"""Functions as a real library worker's registry keeps them."""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import azure.functions as func
import pytest

from funcscope.extensions import (
    AppExtension,
    Invocation,
    Step,
    current_invocation,
    install,
    status,
)

pytestmark = pytest.mark.library_worker
Register = Callable[..., Any]  # see conftest; a worker's FunctionInfo has no types


@pytest.fixture
def seen() -> list[Invocation]:
    """Collect every invocation, with the arguments and the trigger that it had."""
    invocations: list[Invocation] = []

    class Spy(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            invocation.state.update(args=dict(invocation.args), trigger=invocation.trigger)
            invocations.append(invocation)
            yield

    return invocations


def test_context_is_asked_for_and_kept_from_the_function(
    register: Register, seen: list[Invocation], worker_context: SimpleNamespace
) -> None:
    """A function without a `context` parameter gets none, and its extensions get the worker's."""
    info = register(lambda req: f"got {req}")

    assert info.requires_context
    assert info.func(req="r", context=worker_context) == "got r"
    assert seen[0].context is worker_context
    assert seen[0].state["args"] == {"req": "r"}
    assert (seen[0].id, seen[0].function_name, seen[0].retry_count) == ("0f8e", "hello", 2)


def test_context_that_the_function_wants_reaches_it(
    register: Register, worker_context: SimpleNamespace
) -> None:
    """A function with a `context` parameter gets the worker's object."""
    info = register(lambda req, context: context)

    assert info.func(req="r", context=worker_context) is worker_context


def test_binding_named_context_is_left_alone(
    register: Register, package: str, seen: list[Invocation]
) -> None:
    """Where `context` is a binding the worker's is not asked for; id and name are known still."""
    variable = importlib.import_module(package).invocation_id_cv
    info = register(lambda context: context, inputs={"context": "orchestrationTrigger"})
    token = variable.set("id-from-worker")
    try:
        assert info.func(context="the binding") == "the binding"
    finally:
        variable.reset(token)

    assert not info.requires_context
    assert seen[0].id == "id-from-worker"
    assert seen[0].function_name == "hello"
    assert seen[0].trace_context is None
    assert seen[0].context.trace_context is None
    assert seen[0].retry_count == 0


def test_id_comes_from_the_thread_local_where_the_variable_is_empty(
    register: Register, package: str, seen: list[Invocation]
) -> None:
    """In an async function with a binding named `context` the thread-local tells the id."""
    local = importlib.import_module(f"{package}.bindings.context")._invocation_id_local

    async def entity(context: object) -> object:
        return context

    info = register(entity, inputs={"context": "entityTrigger"})

    async def call() -> None:
        local.invocation_id = "id-from-thread"  # as the worker does, on the loop's thread
        try:
            await info.func(context="c")
        finally:
            del local.invocation_id

    asyncio.run(call())

    assert seen[0].id == "id-from-thread"


def test_async_function_has_its_id_in_the_workers_variable(
    register: Register, package: str, worker_context: SimpleNamespace
) -> None:
    """While an async function runs, `invocation_id_cv` has its id, and afterwards no longer."""
    variable = importlib.import_module(package).invocation_id_cv

    async def look(req: object) -> object:
        return variable.get()

    info = register(look)

    async def call() -> tuple[object, object]:
        return await info.func(req=1, context=worker_context), variable.get()

    assert asyncio.run(call()) == ("0f8e", None)


def _sync(req: func.HttpRequest) -> str:
    """Say hello."""
    return "hello"


async def _async(req: func.HttpRequest) -> str:
    """Say hello later."""
    return "hello"


def _generator(req: func.HttpRequest) -> Iterator[str]:
    """Say hello bit by bit."""
    yield "hello"


async def _async_generator(req: func.HttpRequest) -> AsyncIterator[str]:
    """Say hello later, bit by bit."""
    yield "hello"


class _Callable:
    def __call__(self, req: func.HttpRequest) -> str:
        return "hello"


@pytest.mark.parametrize(
    "function",
    [_sync, _async, _generator, _async_generator, functools.partial(_async), _Callable()],
    ids=["sync", "async", "generator", "async generator", "partial", "object"],
)
def test_the_function_looks_the_same(register: Register, function: Callable[..., object]) -> None:
    """Async-ness, generator-ness, signature, annotations, name and docstring are kept."""
    wrapped = register(function).func

    assert wrapped is not function
    assert inspect.iscoroutinefunction(wrapped) == inspect.iscoroutinefunction(function)
    assert inspect.isgeneratorfunction(wrapped) == inspect.isgeneratorfunction(function)
    assert inspect.isasyncgenfunction(wrapped) == inspect.isasyncgenfunction(function)
    assert inspect.signature(wrapped) == inspect.signature(function)
    for name in ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__"):
        assert getattr(wrapped, name, None) == getattr(function, name, None)


def test_worker_takes_async_functions_as_such(register: Register) -> None:
    """The worker's own idea of what is async is not changed."""
    assert register(_async).is_async
    assert not register(_sync).is_async


def test_traceback_ends_where_the_bare_functions_does(
    register: Register, worker_context: SimpleNamespace
) -> None:
    """A function's exception is the same object, and the last frames are its own."""
    error = ValueError("mine")

    def inner() -> None:
        raise error

    def fails(req: object) -> None:
        inner()

    with pytest.raises(ValueError, match="mine") as raised:
        register(fails).func(req=1, context=worker_context)

    assert raised.value is error
    assert [f.name for f in traceback.extract_tb(error.__traceback__)][-2:] == ["fails", "inner"]


def test_wrapping_twice_is_impossible(
    register: Register, package: str, seen: list[Invocation], worker_context: SimpleNamespace
) -> None:
    """Installing again, and registering what is wrapped already, run extensions once."""
    install()
    once = register(_sync)
    twice = register(once.func)
    twice.func(req=1, context=worker_context)

    assert twice.func is once.func
    assert len(seen) == 1


def test_registered_before_the_hook_is_wrapped_after(
    package: str, seen: list[Invocation], worker_context: SimpleNamespace
) -> None:
    """Functions that a worker registered before we came are wrapped in its registry."""
    from funcscope.extensions._workers import library as _library
    from funcscope.extensions._workers.seam import Seam

    functions = importlib.import_module(f"{package}.functions")
    fields = dict.fromkeys(functions.FunctionInfo._fields)
    loaded: list[str] = []

    class Loads(AppExtension):
        @classmethod
        def post_function_load_app_level(
            cls, function_name: str, function_directory: str, *_: object, **__: object
        ) -> None:
            loaded.append(function_name)

    early = functions.FunctionInfo(
        **{
            **fields,
            "func": _sync,
            "name": "early",
            "directory": "/app",
            "function_id": "1",
            "requires_context": False,
            "input_types": {},
            "output_types": {},
        }
    )
    registry = functions.Registry()
    registry._functions["1"] = early
    seam = Seam(package, "0", _library._ids(package))
    seam.adopt(registry)
    seam.adopt(registry)
    adopted = registry.get_function("1")

    assert adopted.requires_context
    assert adopted.func(req=1, context=worker_context) == "hello"
    assert [i.function_name for i in seen] == ["early"]
    assert loaded == ["early"]


def test_misfit_is_named_and_nothing_is_touched(package: str) -> None:
    """A worker whose registry differs is not hooked, and what does not fit is named."""
    from funcscope.extensions._workers import library as _library

    class Registry:
        def add_function(self) -> None:
            """Register in some other way."""

    module = cast("Any", SimpleNamespace(__name__="other_worker.functions", Registry=Registry))

    assert _library.hook(module) == ("its Registry has no add_func_to_registry_and_return_funcinfo")
    assert "add_func_to_registry_and_return_funcinfo" not in vars(Registry)


def test_async_hooks_of_a_registered_function(
    register: Register, worker_context: SimpleNamespace
) -> None:
    """Coroutine hooks are awaited in each call of a registered function, watched or not."""
    log: list[str] = []

    class Async(AppExtension):
        @classmethod
        async def pre_invocation_app_level(cls, *_: object, **__: object) -> None:  # type: ignore[override]
            await asyncio.sleep(0)
            log.append("pre")

    info = register(_async)

    async def call() -> None:
        for _ in range(40):
            assert await info.func(req=1, context=worker_context) == "hello"

    asyncio.run(call())
    assert log == ["pre"] * 40


def test_call_that_we_cannot_begin(register: Register, caplog: pytest.LogCaptureFixture) -> None:
    """Where the context cannot be read, the function is called all the same."""

    class Broken:
        @property
        def invocation_id(self) -> str:
            raise RuntimeError("no id")

    info = register(lambda req: f"got {req}")

    assert info.func(req="r", context=Broken()) == "got r"
    assert "could not begin" in caplog.text


@pytest.mark.parametrize(
    "context",
    [{"not": "a context"}, SimpleNamespace(invocation_id="i-1"), SimpleNamespace(invocation_id=7)],
)
def test_context_that_says_less(
    context: object, register: Register, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a worker's context says less than others do, an invocation says as much."""
    seen: list[tuple[object, ...]] = []

    class Spy(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            invocation.is_kept = True  # as where a record of it waits
            seen.append((invocation.trace_context, invocation.retry_count))
            yield

    info = register(lambda req: f"got {req}")

    assert info.func(req="r", context=context) == "got r"
    assert seen == [(None, 0)]
    assert current_invocation() is None
    assert not caplog.records


def test_load_hook_of_a_lazy_module(register: Register, caplog: pytest.LogCaptureFixture) -> None:
    """A module that raises when it is asked for something costs the app nothing."""

    class Lazy(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(f"{name} cannot be imported")

    loaded: list[str] = []

    def load(cls: Any, /, name: str, *args: object, **kwargs: object) -> None:
        loaded.append(name)

    metaclass: Any = type(func.AppExtensionBase)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "lazy_package", Lazy("lazy_package"))
        hooks = {
            "post_function_load_app_level": classmethod(load),
            "__module__": "lazy_package",
        }
        metaclass("Extension", (func.AppExtensionBase,), hooks)
        info = register(lambda req: f"got {req}")

    assert info.func(req="r") == "got r"
    assert loaded == ["hello"]
    assert not caplog.records


def test_registry_of_extensions_that_fails(
    register: Register,
    seen: list[Invocation],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where Microsoft's registry fails, that is said, and the function and ours run."""

    def fail(*_: object) -> None:
        raise RuntimeError("no hooks")

    monkeypatch.setattr(type(func.AppExtensionBase), "get_application_hooks", fail)
    info = register(lambda req: f"got {req}")

    assert info.func(req="r") == "got r"
    (said,) = caplog.records
    assert "extensions written to Microsoft's bases do not run" in said.getMessage()
    assert len(seen) == 1


def test_call_by_position(register: Register, seen: list[Invocation]) -> None:
    """A call by position, which no worker makes, reaches the function as it was made."""

    def takes(req: object, /, *rest: object, **named: object) -> tuple[object, ...]:
        return req, rest, named

    info = register(takes)

    assert info.func(1, 2, x=3) == (1, (2,), {"x": 3})
    assert seen[0].state["trigger"] == 1


def test_status_names_the_worker_and_its_functions(register: Register, package: str) -> None:
    """`status()` tells which worker is hooked, its version, and what is wrapped."""
    register(_sync, name="counted")
    worker = next(w for w in status().workers if w.package == package)

    assert worker.seam is not None
    assert worker.problem is None
    assert worker.version == importlib.import_module(f"{package}.version").VERSION
    assert "counted" in worker.functions


@pytest.mark.parametrize("package", ["azure_functions_runtime"])
def test_v2_bindings_are_the_decorators(
    package: str, seen: list[Invocation], worker_context: SimpleNamespace
) -> None:
    """A v2 function's bindings are known with all that its decorators say."""
    importlib.import_module(f"{package}.bindings.meta").load_binding_registry()
    install()
    app = func.FunctionApp()

    @app.queue_output("out", queue_name="%OUT%", connection="C")
    @app.route("items/{id}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    def items(req: func.HttpRequest, out: func.Out[str]) -> str:
        return "x"

    registry = importlib.import_module(f"{package}.functions").Registry()
    protos = SimpleNamespace(BindingInfo=SimpleNamespace(inout=2, out=1, undefined=0))
    info = registry.add_indexed_function(app.get_functions()[0], protos)
    info.func(req=1, out=2, context=worker_context)

    function = seen[0].function
    assert function.trigger is not None
    assert function.trigger.name == "req"
    assert function.trigger.settings == {
        "authLevel": "anonymous",
        "methods": ("GET",),
        "route": "items/{id}",
    }
    out = next(b for b in function.bindings if b.name == "out")
    assert (out.type, out.direction, out.settings["queueName"]) == ("queue", "out", "%OUT%")
    assert seen[0].state["trigger"] == 1
