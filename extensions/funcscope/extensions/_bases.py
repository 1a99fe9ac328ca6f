"""Microsoft's extension bases with one hook more: `around_invocation` (docs/decisions/038)."""

from __future__ import annotations

import inspect
import logging
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from azure.functions import AppExtensionBase, FuncExtensionBase

from funcscope.extensions._decorated import user_function
from funcscope.extensions._errors import ExtensionError, guarded, look
from funcscope.extensions._lifecycle.registry import Site, registry
from funcscope.extensions._microsoft import extension_meta, register
from funcscope.extensions._workers.install import install

if TYPE_CHECKING:
    from azure.functions.extension import ExtensionMeta

    from funcscope.extensions._invocation import Invocation
    from funcscope.extensions._lifecycle.observers import Step
else:
    ExtensionMeta = extension_meta

_logger = logging.getLogger("funcscope.extensions")
_OWN_MODULE = __name__
_F = TypeVar("_F")
_T = TypeVar("_T")


class _ExtensionType(ExtensionMeta):
    """Registers what Microsoft's metaclass registers, leaving out the bases in this module."""

    def __init__(  # pyright: ignore[reportInconsistentConstructor]  (ABCMeta's __new__ takes more)
        cls,  # noqa: N805  (a metaclass)
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, object],
        **kwargs: object,
    ) -> None:
        if cls.__module__ == _OWN_MODULE:
            type.__init__(cls, name, bases, namespace)
            return
        super().__init__(name, bases, namespace, **kwargs)  # type: ignore[no-untyped-call]  # Microsoft's
        if issubclass(cls, AppExtension):
            guarded(partial(_add, cls), _logger, "extension %s is not registered", cls.__qualname__)
            install()

    def __call__(cls: type[_T], *args: object, **kwargs: object) -> _T:  # noqa: N805  (a metaclass)
        """Make and register a function-level extension; one without a function waits for it."""
        # Typed as `type` has it, or checkers take what is made for anything.
        if not issubclass(cls, FuncExtension):
            return cast("_T", ExtensionMeta.__call__(cast("ExtensionMeta", cls), *args, **kwargs))  # type: ignore[no-untyped-call]  # Microsoft's
        extension = type.__call__(cls, *args, **kwargs)
        extension.site = _caller()
        if extension.function_name is not None:
            _register(extension, extension.function_name)
        else:
            registry.wait(extension, extension.site)
        install()
        return cast("_T", extension)


def _add(cls: type[AppExtension]) -> None:
    """Register the `around_invocation` of an app-level class, if it has one of its own."""
    if _overrides(cls, AppExtension):
        registry.add_app_level(cls, cls.around_invocation)


def _register(extension: FuncExtension, function_name: str) -> None:
    """Register an extension for a function, with Microsoft's registry and with ours."""
    register(extension, function_name)
    if _overrides(type(extension), FuncExtension):
        around = extension.around_invocation
        registry.add_func_level(function_name, extension, around, extension.site)


def _caller() -> Site | None:
    """Name the line that makes an extension, in this import of its module."""
    here = inspect.currentframe()
    metaclass = here.f_back if here is not None else None
    caller = metaclass.f_back if metaclass is not None else None
    if caller is None:  # an interpreter without frames
        return None
    return Site(caller.f_code.co_filename, caller.f_lineno, caller.f_globals.get("__spec__"))


def _overrides(extension: type, base: type) -> bool:
    own = look(extension, "around_invocation")
    inherited = vars(base)["around_invocation"]
    return look(own, "__func__", own) is not getattr(inherited, "__func__", inherited)


class AppExtension(AppExtensionBase, metaclass=_ExtensionType):
    """
    An extension that applies to every function of the app.

    Defining a subclass registers it and hooks the worker. Beside Microsoft's class methods
    (`init`, `configure`, `post_function_load_app_level`, `pre_invocation_app_level`,
    `post_invocation_app_level`) it may define `around_invocation`. The hooks around a call may
    be `async def`; they run for async functions alone. Keep nothing of a call on the class:
    calls overlap. `invocation.state` is for that.
    """

    @classmethod
    def around_invocation(cls, invocation: Invocation) -> Step:  # noqa: ARG003
        """
        Run around each invocation: a generator that yields once, where the function runs.

        The `yield` returns the function's result or raises its exception. It runs on the
        function's thread, also for async functions, so it must not block. Whatever it does,
        the caller gets what the function gave; only `Reject`, raised before the yield, keeps
        the function from being called.
        """
        yield


class FuncExtension(FuncExtensionBase, metaclass=_ExtensionType):
    """
    An extension that applies to one function.

    Creating an instance hooks the worker, and registers it for the function it names. Without
    a name it is a decorator, above or below those of azure.functions:

        @Mine()
        @app.route("orders")
        def orders(req): ...

    Args:
        function: The function's name, in either programming model, or `__file__` in a
            function's folder (v1); None to apply it as a decorator.

    Raises:
        ExtensionError: What was given is no name, or a path that belongs to no v1 function.
    """

    site: Site | None = None

    def __init__(self, function: str | None = None) -> None:
        self._function_name = None if function is None else _function_name(function)

    def __call__(self, function: _F) -> _F:
        """
        Apply this to a function, which is returned as it was.

        Args:
            function: A function, or what a decorator of azure.functions made of one.

        Raises:
            ExtensionError: This names a function already, or `function` is none.
        """
        if self._function_name is not None:
            raise ExtensionError(
                f"{type(self).__name__}({self._function_name!r}) names a function already: "
                f"to decorate one, write @{type(self).__name__}()"
            )
        decorated = user_function(function)
        if not callable(decorated):
            raise ExtensionError(f"{function!r} is not a function: put the extension on one")
        registry.apply(decorated, self, self._bind)
        return function

    def _bind(self, function_name: str) -> None:
        self._function_name = function_name
        _register(self, function_name)

    @property
    def function_name(self) -> str | None:
        """The function that this applies to; None before a decorated one is registered."""
        return self._function_name

    def around_invocation(self, invocation: Invocation) -> Step:  # noqa: ARG002
        """Run around each invocation of the function; see `AppExtension.around_invocation`."""
        yield


def _function_name(function: str) -> str:
    """Read a function's name from the name itself or from a path in its folder."""
    if callable(function):
        raise ExtensionError(
            f"{function!r} is a function: to decorate it, write the extension with parentheses, "
            "as in @Timing()"
        )
    if not isinstance(function, str) or not function:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ExtensionError(f"{function!r} is no function's name: give the name, as a string")
    if os.sep not in function and not function.endswith(".py"):
        return function
    path = Path(function).resolve()
    for folder in path.parents:
        if (folder / "function.json").is_file():
            return folder.name
    raise ExtensionError(
        f"{function!r} is not in the folder of a v1 function (no function.json there or above): "
        "in the v2 model give the function's name instead of __file__"
    )
