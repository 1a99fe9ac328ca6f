"""
The standard hooks of Microsoft's interface, in classic's order.

`azure.functions.ExtensionMeta` collects them from every `AppExtensionBase` class and
`FuncExtensionBase` instance (`azure/functions/extension/extension_meta.py`, azure-functions
1.20 to 2.3), each name in a list of its own, in the order of registration.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Protocol, cast

from azure.functions import AppExtensionBase, FuncExtensionBase
from azure.functions.extension import ExtensionMeta

from funcscope.extensions._errors import Reject
from funcscope.extensions._position import named

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from funcscope.extensions._errors import Faults
    from funcscope.extensions._invocation import Invocation
    from funcscope.extensions._lifecycle import Step

LEVELS = {
    "app": ("pre_invocation_app_level", "post_invocation_app_level"),
    "func": ("pre_invocation", "post_invocation"),
}
"""The names of the hooks around a call, outermost level first."""

LOAD = {"func": "post_function_load", "app": "post_function_load_app_level"}
"""The names of the load hooks, in the order that classic calls them."""


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


def hooks(function_name: str, level: str, name: str, disabled: Collection[str]) -> list[Hook]:
    """
    Return the hooks of one name that are to run for a function.

    Left out are those that the bases define (they do nothing), those of extensions that are
    switched off, those of a class that a registered class derives from (they are in that class
    too), and those of an earlier import of a module that was imported again.
    """
    found = cast("list[Hook]", getattr(_holder(function_name, level), name, []))
    owners = [_owner(hook) for hook in found]
    return [
        hook
        for index, (hook, owner) in enumerate(zip(found, owners, strict=True))
        if _implementation(hook) is not _EMPTY.get(name)
        and hook.ext_name.lower() not in disabled
        and not _is_superseded(owner, index, owners)
    ]


def _holder(function_name: str, level: str) -> object:
    if level == "app":
        return ExtensionMeta.get_application_hooks()
    return ExtensionMeta.get_function_hooks(function_name)


def _implementation(hook: Hook) -> object:
    return getattr(hook.ext_impl, "__func__", hook.ext_impl)


_EMPTY = {
    name: getattr(hook, "__func__", hook)
    for base in (AppExtensionBase, FuncExtensionBase)
    for name, hook in vars(base).items()
    if name.startswith(("post_", "pre_"))
}


def _owner(hook: Hook) -> object:
    """Return the class or instance that a hook is bound to; a static method is its own."""
    return getattr(hook.ext_impl, "__self__", hook.ext_impl)


def _is_superseded(owner: object, index: int, owners: list[object]) -> bool:
    """Tell whether another registered extension stands for this one."""
    if not isinstance(owner, type):
        # An instance, or a static method, which parent and child class share.
        return any(is_newer(later, owner) for later in owners[index + 1 :])
    return any(
        isinstance(other, type) and other is not owner and issubclass(other, owner)
        for other in owners
    ) or any(is_newer(later, owner) for later in owners[index + 1 :])


def is_newer(later: object, earlier: object) -> bool:
    """Tell whether `later` is what `earlier` became when its module was imported again."""
    if inspect.isfunction(earlier):
        return later is earlier
    new, old = (o if isinstance(o, type) else type(o) for o in (later, earlier))
    if (new.__module__, new.__qualname__) != (old.__module__, old.__qualname__):
        return False
    if new is old:
        return later is not earlier and _state(later) == _state(earlier)
    return "<locals>" not in new.__qualname__  # a function may define many classes of one name


def _state(extension: object) -> object:
    """Return what an instance was made with, or failing that what it holds."""
    made_with = getattr(extension, "made_with", None)
    return made_with if made_with is not None else getattr(extension, "__dict__", None)


class Calls:
    """The hooks of one name, each with the logger that classic would hand it."""

    def __init__(self, name: str, found: Sequence[Hook], faults: Faults) -> None:
        self.name = name
        self.fault = f"failed in {name}"
        self.faults = faults
        # The logger's name is classic's: azure_functions_worker/extension.py, worker 4.34.
        prefix = "azure_functions_worker.extension"
        self.calls = [
            (named(h.ext_name, h.ext_impl), h.ext_impl, logging.getLogger(f"{prefix}.{h.ext_name}"))
            for h in found
        ]

    @property
    def are_async(self) -> bool:
        """Whether any of these hooks is a coroutine function."""
        return any(inspect.iscoroutinefunction(hook) for _, hook, _ in self.calls)

    def drop_async(self) -> None:
        """Leave out, and report, the coroutine functions: a sync function cannot await them."""
        for name, hook, _ in self.calls:
            if inspect.iscoroutinefunction(hook):
                self.faults.report(name, f"was skipped: its {self.name} is async, the function not")
        self.calls = [call for call in self.calls if not inspect.iscoroutinefunction(call[1])]

    def __call__(self, invocation: Invocation, *result: object) -> None:
        """Call each hook, whatever the others do; a pre hook may reject the invocation."""
        for name, hook, logger in self.calls:
            try:
                hook(logger, invocation.context, invocation.args, *result)
            except Reject as rejection:
                self._reject(name, rejection, result)
            except BaseException as error:  # noqa: BLE001  (no extension stops a function)
                self.faults.report(name, self.fault, error)

    async def awaiting(self, invocation: Invocation, *result: object) -> None:
        """Do the same, and await what the hooks return that can be awaited."""
        for name, hook, logger in self.calls:
            try:
                returned = hook(logger, invocation.context, invocation.args, *result)
                if inspect.isawaitable(returned):
                    await cast("Awaitable[object]", returned)
            except Reject as rejection:
                self._reject(name, rejection, result)
            except asyncio.CancelledError:
                raise  # the invocation's: a hook has no business raising it
            except BaseException as error:  # noqa: BLE001  (no extension stops a function)
                self.faults.report(name, self.fault, error)

    def _reject(self, name: str, rejection: Reject, result: tuple[object, ...]) -> None:
        if not result:
            raise rejection
        self.faults.report(name, self.fault, rejection)


class Level:
    """The standard hooks of one level: pre hooks, and post hooks if the function returned."""

    def __init__(self, before: Calls, after: Calls) -> None:
        self.before = before
        self.after = after

    @property
    def are_async(self) -> bool:
        """Whether any hook of this level is a coroutine function."""
        return self.before.are_async or self.after.are_async

    def around(self, invocation: Invocation) -> Step:
        """Run the hooks around one call."""
        self.before(invocation)
        result = yield
        self.after(invocation, result)


def level(
    function_name: str, scope: str, disabled: Collection[str], faults: Faults, *, is_async: bool
) -> Level | None:
    """Return the standard hooks of one level for a function, None where there are none."""
    both = [Calls(n, hooks(function_name, scope, n, disabled), faults) for n in LEVELS[scope]]
    if not is_async:
        for calls in both:
            calls.drop_async()
    before, after = both
    return Level(before, after) if before.calls or after.calls else None
