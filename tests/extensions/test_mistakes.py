"""Extensions that are written wrongly, and what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from azure.functions import AppExtensionBase, FuncExtensionBase

from funcscope.extensions import AppExtension, FuncExtension, Invocation, Step

if TYPE_CHECKING:
    from types import SimpleNamespace

pytestmark = pytest.mark.library_worker
Register = Callable[..., Any]  # see conftest; a worker's FunctionInfo has no types


def no_class_method() -> None:
    """Forget @classmethod on a hook."""

    class Mine(AppExtensionBase):
        def pre_invocation_app_level(self, logger, context, func_args, *args, **kwargs):  # type: ignore[no-untyped-def,override]
            raise AssertionError


def no_class_method_around() -> None:
    """Forget it on `around_invocation`."""

    class Mine(AppExtension):
        def around_invocation(self, invocation: Invocation) -> Step:  # type: ignore[override]
            yield


def no_yield() -> None:
    """Forget the yield."""

    class Mine(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:  # type: ignore[return]
            print("before")


def no_yield_of_a_function() -> None:
    """Forget it in an extension of one function."""

    class Mine(FuncExtension):
        def around_invocation(self, invocation: Invocation) -> None:  # type: ignore[override]
            print("before")

    Mine("hello")


def async_generator() -> None:
    """Write an async generator, as for an async function."""

    class Mine(AppExtension):
        @classmethod
        async def around_invocation(cls, invocation: Invocation):  # type: ignore[no-untyped-def]
            yield


def coroutine() -> None:
    """Write a coroutine function."""

    class Mine(AppExtension):
        @classmethod
        async def around_invocation(cls, invocation: Invocation) -> None:  # type: ignore[override]
            raise AssertionError


def too_few_parameters() -> None:
    """Leave out a parameter."""

    class Mine(AppExtensionBase):
        @classmethod
        def post_invocation_app_level(cls, logger, context):  # type: ignore[no-untyped-def,override]
            raise AssertionError


def too_few_parameters_around() -> None:
    """Leave out the invocation."""

    class Mine(AppExtension):
        @classmethod
        def around_invocation(cls) -> Step:  # type: ignore[override]
            yield


def too_few_parameters_of_a_load_hook() -> None:
    """Leave out a parameter of a load hook."""

    class Mine(AppExtensionBase):
        @classmethod
        def post_function_load_app_level(cls, name):  # type: ignore[no-untyped-def,override]
            raise AssertionError


def misspelt_in_a_mixin() -> None:
    """Write a hook by a name that is none, in a class that is no extension by itself."""

    class Mixin:
        @classmethod
        def pre_invocation_app_levl(cls, *args: object) -> None:
            raise AssertionError

    class Mine(Mixin, AppExtensionBase):
        pass


def no_class_method_in_a_mixin() -> None:
    """Forget @classmethod in a class that is no extension by itself."""

    class Mixin:
        def pre_invocation_app_level(self, logger, context, func_args, *args):  # type: ignore[no-untyped-def]
            raise AssertionError

    class Mine(Mixin, AppExtensionBase):  # type: ignore[misc]
        pass


def misspelt(name: str, base: type) -> Callable[[], None]:
    """Write a hook by a name that is none."""

    def define() -> None:
        def hook(cls: Any, /, *args: object, **kwargs: object) -> None:
            raise AssertionError

        kind: Any = type(base)
        fields: dict[str, object] = {name: classmethod(hook), "__module__": __name__}
        if base is FuncExtensionBase:  # which wants that
            fields["__init__"] = lambda self, path: FuncExtensionBase.__init__(self, path)
        made = kind("Mine", (base,), fields)
        if issubclass(base, FuncExtension):
            made("hello")
        elif issubclass(base, FuncExtensionBase):
            made("/app/hello/main.py")

    return define


MISTAKES = [
    (no_class_method, "write @classmethod above it"),
    (no_class_method_around, "write @classmethod above it"),
    (no_yield, "write `yield` where the function is to run"),
    (no_yield_of_a_function, "write `yield` where the function is to run"),
    (async_generator, "write `def` and a `yield`"),
    (coroutine, "write `def` and a `yield`"),
    (
        too_few_parameters,
        (
            "write def post_invocation_app_level("
            "cls, logger, context, func_args, func_ret, *args, **kwargs)"
        ),
    ),
    (too_few_parameters_around, "write def around_invocation(cls, invocation)"),
    (
        too_few_parameters_of_a_load_hook,
        (
            "write def post_function_load_app_level("
            "cls, function_name, function_directory, *args, **kwargs)"
        ),
    ),
    (misspelt("pre_invocation_app", AppExtensionBase), "write pre_invocation_app_level,"),
    (misspelt("pre_invocation", AppExtensionBase), "write pre_invocation_app_level,"),
    (misspelt("post_invokation_app_level", AppExtension), "write post_invocation_app_level,"),
    (misspelt("pre_invocation_applevel", AppExtensionBase), "write pre_invocation_app_level,"),
    (misspelt("post_invocation_app_levl", AppExtension), "write post_invocation_app_level,"),
    (misspelt("pre_invocation_application_level", AppExtension), "write pre_invocation_app_level,"),
    (misspelt("post_function_load_applevel", AppExtension), "write post_function_load_app_level,"),
    (misspelt("post_function_lode_app_level", FuncExtension), "write post_function_load,"),
    (misspelt_in_a_mixin, "write pre_invocation_app_level,"),
    (no_class_method_in_a_mixin, "write @classmethod above it"),
    (misspelt("postInvocationAppLevel", AppExtension), "write post_invocation_app_level,"),
    (misspelt("around_invokation", AppExtension), "write around_invocation,"),
    (misspelt("arround_invocation", FuncExtension), "write around_invocation,"),
    (misspelt("pre_invocation_app_level", FuncExtensionBase), "write pre_invocation,"),
    (misspelt("post_function_loaded", FuncExtensionBase), "write post_function_load,"),
    (
        misspelt("around_invocation", AppExtensionBase),
        "derive the class from funcscope.extensions.AppExtension",
    ),
]


@pytest.mark.parametrize(("make", "advice"), MISTAKES)
def test_mistake_is_told_once(
    make: Callable[[], None],
    advice: str,
    register: Register,
    worker_context: SimpleNamespace,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line names the hook and says what to write, when a function is loaded; it runs."""
    monkeypatch.setenv("AzureWebJobsScriptRoot", "/app")
    make()
    infos = [register(lambda req: f"got {req}", name=name) for name in ("hello", "other")]

    (said,) = [record.getMessage() for record in caplog.records]
    assert "Mine" in said
    assert advice in said
    assert [info.func(req="r", context=worker_context) for info in infos] == ["got r"] * 2
    assert [record.getMessage() for record in caplog.records] == [said]


def test_what_is_right_is_not_told_of(
    register: Register, worker_context: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    """Hooks that take anything, that need no class, and helpers of other names are no mistakes."""

    class Right(AppExtension):
        @classmethod
        def pre_invocation_app_level(cls, *args: Any) -> None:
            cls.end_invocation()

        @staticmethod
        def post_invocation_app_level(logger, context, func_args=None, func_ret=None):  # type: ignore[no-untyped-def]
            return None

        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            return cls.measure(invocation)

        @classmethod
        def measure(cls, invocation: Invocation) -> Step:
            yield

        @classmethod
        def end_invocation(cls) -> None:
            """Help."""

    class ByChance(AppExtensionBase):
        def pre_invocation_app_level(logger, context, func_args=None, *args, **kwargs):  # type: ignore[no-untyped-def,override]  # noqa: N805
            return None

    info = register(lambda req: f"got {req}")

    assert info.func(req="r", context=worker_context) == "got r"
    assert not caplog.records


def test_async_function_is_told_the_same(
    register: Register, worker_context: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    """What returns no generator is told so around an async function, too."""

    class Mine(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            return [1, 2]  # type: ignore[return-value]

    async def hello(req: str) -> str:
        return f"got {req}"

    info = register(hello)

    assert asyncio.run(info.func(req="r", context=worker_context)) == "got r"
    (said,) = [record.getMessage() for record in caplog.records]
    assert "returned list from around_invocation, which must be a generator function" in said
