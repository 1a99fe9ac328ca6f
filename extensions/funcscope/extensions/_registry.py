"""
What is registered: extensions of Microsoft's interface and of ours, in classic's order.

`azure.functions.ExtensionMeta` collects the hooks of every `AppExtensionBase` class and
`FuncExtensionBase` instance (`azure/functions/extension/extension_meta.py`, azure-functions
1.20 to 2.3). Our bases register there too, so that there is one order for all; only their
`around_invocation` is kept here.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol, cast

from azure.functions import AppExtensionBase, FuncExtensionBase
from azure.functions.extension import ExtensionMeta

from funcscope.extensions._lifecycle import Around, Step, Wrapper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from funcscope.extensions._errors import Faults
    from funcscope.extensions._invocation import Function, Invocation


class Hook(Protocol):
    """An `ExtensionHookMeta`: one hook of one extension."""

    @property
    def ext_name(self) -> str:
        """The extension's class name."""
        ...

    @property
    def ext_impl(self) -> Callable[..., object]:
        """The hook, bound to its extension."""
        ...


class Registry:
    """The extensions of this process, and what they ask for around a given function."""

    def __init__(self) -> None:
        self._app: list[Wrapper] = []
        self._func: dict[str, list[Wrapper]] = {}

    def add_app_level(self, name: str, around: Around) -> None:
        """Run `around` for every function."""
        self._app.append(Wrapper(name, around))

    def add_func_level(self, function_name: str, name: str, around: Around) -> None:
        """Run `around` for one function; names are case-insensitive, as the host's are."""
        self._func.setdefault(function_name.lower(), []).append(Wrapper(name, around))

    def version(self, function_name: str) -> tuple[int, ...]:
        """Return what changes whenever something is registered that concerns a function."""
        app = ExtensionMeta.get_application_hooks()
        func = ExtensionMeta.get_function_hooks(function_name)
        return (
            len(app.pre_invocation_app_level) if app else 0,
            len(func.pre_invocation) if func else 0,
            len(self._app),
            len(self._func.get(function_name.lower(), ())),
        )

    def wrappers(self, function_name: str, faults: Faults) -> tuple[Wrapper, ...]:
        """
        Return what runs around a function, outermost first.

        Level by level, `around_invocation` encloses the standard hooks, so that these run in
        classic's order: app pre, func pre, function, func post, app post.
        """
        app = ExtensionMeta.get_application_hooks()
        func = ExtensionMeta.get_function_hooks(function_name)
        return (
            *self._app,
            *_level(app, "pre_invocation_app_level", "post_invocation_app_level", faults),
            *self._func.get(function_name.lower(), ()),
            *_level(func, "pre_invocation", "post_invocation", faults),
        )

    def loaded(self, function: Function, faults: Faults) -> None:
        """Call the load hooks for a function, function level first, as classic does."""
        func = ExtensionMeta.get_function_hooks(function.name)
        app = ExtensionMeta.get_application_hooks()
        for hook in (
            *_hooks(func, "post_function_load"),
            *_hooks(app, "post_function_load_app_level"),
        ):
            try:
                hook.ext_impl(function.name, function.directory)
            except BaseException as error:  # noqa: BLE001  (no extension stops a function)
                faults.report(hook.ext_name, "failed in its load hook", error)


registry = Registry()
"""The one registry of this process, as `ExtensionMeta` is."""


def _level(holder: object, pre: str, post: str, faults: Faults) -> Sequence[Wrapper]:
    """Make the standard hooks of one level into a wrapper, where there are any."""
    pre_hooks, post_hooks = _hooks(holder, pre), _hooks(holder, post)
    if not pre_hooks and not post_hooks:
        return ()
    return (Wrapper(pre, _standard(_Calls(pre, pre_hooks), _Calls(post, post_hooks), faults)),)


def _hooks(holder: object, name: str) -> list[Hook]:
    """Return the hooks of one name that do anything; the bases' own are empty."""
    hooks = cast("list[Hook]", getattr(holder, name, []))
    base = _EMPTY.get(name)
    return [h for h in hooks if getattr(h.ext_impl, "__func__", h.ext_impl) is not base]


_EMPTY = {
    name: getattr(hook, "__func__", hook)
    for base in (AppExtensionBase, FuncExtensionBase)
    for name, hook in vars(base).items()
    if name.startswith(("post_", "pre_"))
}


class _Calls:
    """The hooks of one name, each with the logger that classic would hand it."""

    def __init__(self, name: str, hooks: Sequence[Hook]) -> None:
        self._fault = f"failed in {name}"
        # The logger's name is classic's: azure_functions_worker/extension.py, worker 4.34.
        prefix = "azure_functions_worker.extension"
        self._calls = [
            (h.ext_name, h.ext_impl, logging.getLogger(f"{prefix}.{h.ext_name}")) for h in hooks
        ]

    def __call__(self, invocation: Invocation, faults: Faults, *result: object) -> None:
        for name, hook, logger in self._calls:
            try:
                hook(logger, invocation.context, invocation.args, *result)
            except BaseException as error:  # noqa: BLE001  (no extension stops a function)
                faults.report(name, self._fault, error)


def _standard(before: _Calls, after: _Calls, faults: Faults) -> Around:
    """Run the hooks of Microsoft's interface: post hooks only when the function returned."""

    def run_hooks(invocation: Invocation) -> Step:
        before(invocation, faults)
        result = yield
        after(invocation, faults, result)

    return run_hooks
