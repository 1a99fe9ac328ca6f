"""Microsoft's extension bases with one hook more: `around_invocation`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from azure.functions import AppExtensionBase, FuncExtensionBase
from azure.functions.extension import ExtensionMeta

from funcscope.extensions._errors import ExtensionError
from funcscope.extensions._registry import registry
from funcscope.extensions.workers import install

if TYPE_CHECKING:
    from funcscope.extensions._invocation import Invocation
    from funcscope.extensions._lifecycle import Step

_OWN_MODULE = __name__


class _ExtensionType(ExtensionMeta):
    """Registers what Microsoft's metaclass registers, leaving out the bases in this module."""

    def __init__(  # pyright: ignore[reportInconsistentConstructor]  (ABCMeta's __new__ takes more)
        cls,  # noqa: N805  (a metaclass)
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, object],
    ) -> None:
        if cls.__module__ == _OWN_MODULE:
            type.__init__(cls, name, bases, namespace)
            return
        super().__init__(name, bases, namespace)  # type: ignore[no-untyped-call]  # Microsoft's
        if issubclass(cls, AppExtension):
            if _overrides(cls, AppExtension):
                registry.add_app_level(name, cls.around_invocation)
            install()

    def __call__(cls, *args: object, **kwargs: object) -> object:  # noqa: N805  (a metaclass)
        extension: object = super().__call__(*args, **kwargs)  # type: ignore[no-untyped-call]  # Microsoft's
        if isinstance(extension, FuncExtension):
            if _overrides(cls, FuncExtension):
                registry.add_func_level(
                    extension.function_name, cls.__name__, extension.around_invocation
                )
            install()
        return extension


def _overrides(extension: type, base: type) -> bool:
    own = getattr(extension, "around_invocation", None)
    inherited = vars(base)["around_invocation"]
    return getattr(own, "__func__", own) is not getattr(inherited, "__func__", inherited)


class AppExtension(AppExtensionBase, metaclass=_ExtensionType):
    """
    An extension that applies to every function of the app.

    Defining a subclass registers it and hooks the worker. Beside Microsoft's class methods
    (`init`, `configure`, `post_function_load_app_level`, `pre_invocation_app_level`,
    `post_invocation_app_level`) it may define `around_invocation`. Keep nothing of a call on
    the class: calls overlap. `invocation.state` is for that.
    """

    @classmethod
    def around_invocation(cls, invocation: Invocation) -> Step:  # noqa: ARG003
        """
        Run around each invocation: a generator that yields once, where the function runs.

        The `yield` returns the function's result or raises its exception. It runs on the
        function's thread, also for async functions, so it must not block. Whatever it does,
        the caller gets what the function gave.
        """
        yield


class FuncExtension(FuncExtensionBase, metaclass=_ExtensionType):
    """
    An extension that applies to one function.

    Creating an instance registers it and hooks the worker.

    Args:
        function: The function's name, in either programming model, or `__file__` in a
            function's folder (v1).

    Raises:
        ExtensionError: A path was given that belongs to no v1 function.
    """

    def __init__(self, function: str) -> None:
        # Microsoft's constructor takes a path alone; what it would set is set here.
        self._trigger_name = _function_name(function)

    @property
    def function_name(self) -> str:
        """The name of the function that this applies to."""
        return self._trigger_name

    def around_invocation(self, invocation: Invocation) -> Step:  # noqa: ARG002
        """Run around each invocation of the function; see `AppExtension.around_invocation`."""
        yield


def _function_name(function: str) -> str:
    """Read a function's name from the name itself or from a path in its folder."""
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
