"""
Workers whose registry we do not know: the functions are wrapped where an app hands them over.

Such are runtimes built on `azurefunctions.extensions.base.RuntimeBase` (1.2.0), and known
workers that have changed. `FunctionRegister.get_functions` (`decorators/function_app.py`,
azure-functions 2.3.0) is what any worker of the v2 model calls, for `FunctionApp`,
`AsgiFunctionApp` and `WsgiFunctionApp` alike. Nothing can be asked of the worker here: a function
without a `context` parameter gets no context, so its invocation's id and trace stay unknown.
"""

from __future__ import annotations

import copy
import inspect
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import wrapt

from funcscope.extensions._errors import INTERRUPTS, ExtensionError, log_quietly, qualified_name
from funcscope.extensions._invocation import Function
from funcscope.extensions._workers.bindings import DeclaredFunction, decorated_bindings
from funcscope.extensions._workers.ids import WorkerIds
from funcscope.extensions._workers.wrapping import Lifecycle, is_wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.extensions._runtime import Args, Kwargs, Wrapped

_logger = logging.getLogger("funcscope.extensions")

_NO_IDS = WorkerIds(thread_local=None)


class IndexedFunction(DeclaredFunction, Protocol):
    """A function of a v2 app, with what we read and replace of it."""

    _func: Callable[..., object]

    def get_user_function(self) -> Callable[..., object]:
        """Return the user's function."""
        ...

    def get_function_name(self) -> str:
        """Return the name that the host knows it by."""
        ...


class Fallback:
    """
    Wraps the functions that `get_functions` returns, where no registry is hooked.

    Args:
        is_needed: Tells whether no registry is hooked.

    Attributes:
        functions: The functions that are wrapped, by name.
    """

    def __init__(self, is_needed: Callable[[], bool]) -> None:
        self._is_needed = is_needed
        self.functions: dict[str, Function] = {}

    def hook(self) -> None:
        """Wrap all functions that apps hand over from now on."""
        wrapt.wrap_function_wrapper(
            "azure.functions.decorators.function_app", "FunctionRegister.get_functions", self._get
        )

    def _get(
        self, wrapped: Wrapped, _app: object, args: Args, kwargs: Kwargs
    ) -> list[IndexedFunction]:
        functions: list[IndexedFunction] = wrapped(*args, **kwargs)
        if not self._is_needed():
            return functions
        try:
            return [self._wrap(function) for function in functions]
        except Exception as error:  # noqa: BLE001  (whatever is wrong with us, the app runs)
            log_quietly(_logger, logging.ERROR, "functions run without extensions", error=error)
            return functions

    def _wrap(self, declared: IndexedFunction) -> IndexedFunction:
        """
        Return a declared function with the lifecycle around the user's.

        A copy, as the app's own object is what the app calls when one function calls another: that
        is a plain call, and no invocation.
        """
        try:
            function = declared.get_user_function()
            if is_wrapped(function):
                return declared
            handed_over = copy.copy(declared)
            lifecycle = _lifecycle(declared, function)
            invoke = lifecycle.wrap(function)
            handed_over._func = invoke  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # no setter
            if handed_over.get_user_function() is not invoke:
                raise ExtensionError("this azure-functions keeps a function elsewhere")  # noqa: TRY301
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (whatever is wrong with us, the app runs)
            what = "%r could not be wrapped: it runs without extensions"
            log_quietly(_logger, logging.ERROR, what, declared, error=error)
            return declared
        if self.functions.get(lifecycle.function.name) is None:
            self.functions[lifecycle.function.name] = lifecycle.function
            lifecycle.loaded()
        return handed_over


def _lifecycle(declared: IndexedFunction, function: Callable[..., object]) -> Lifecycle:
    bindings = decorated_bindings(declared)
    has_context_binding = any(binding.name == "context" for binding in bindings)
    return Lifecycle(
        Function(
            name=declared.get_function_name(),
            directory=str(Path(inspect.getfile(inspect.unwrap(function))).parent),
            is_async=inspect.iscoroutinefunction(function),
            qualified_name=qualified_name(function),
            bindings=bindings,
        ),
        wants_context=True,  # whatever is passed is the function's own
        has_context_binding=has_context_binding,
        ids=_NO_IDS,
    )


def custom_runtime() -> str | None:
    """Return the package of the runtime built on RuntimeBase that was imported, if one was."""
    base = sys.modules.get("azurefunctions.extensions.base")
    tracker = getattr(base, "RuntimeTrackerMeta", None)
    return tracker.get_package_name() if tracker is not None else None
