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
from funcscope.extensions._invocation import Invocation, enter, leave
from funcscope.extensions._position import named

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from funcscope.extensions._errors import Faults
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
    """
    The hooks of one name, each with the logger that classic would hand it.

    Attributes:
        name: Their name.
        pairs: Each hook with its logger.
    """

    __slots__ = ("_faults", "_names", "name", "pairs")

    def __init__(self, name: str, found: Sequence[Hook], faults: Faults) -> None:
        # The logger's name is classic's: azure_functions_worker/extension.py, worker 4.34.
        prefix = "azure_functions_worker.extension"
        self.name = name
        self.pairs = tuple((h.ext_impl, logging.getLogger(f"{prefix}.{h.ext_name}")) for h in found)
        self._names = [named(h.ext_name, h.ext_impl) for h in found]
        self._faults = faults

    @property
    def are_async(self) -> bool:
        """Whether any of these hooks is a coroutine function."""
        return any(inspect.iscoroutinefunction(hook) for hook, _ in self.pairs)

    def without_async(self) -> Calls:
        """Leave out, and report, the coroutine functions: a sync function cannot await them."""
        fault = f"was skipped: its {self.name} is async, the function not"
        for name, (hook, _) in zip(self._names, self.pairs, strict=True):
            if inspect.iscoroutinefunction(hook):
                self._faults.report(name, fault)
        return self.keeping(lambda hook: not inspect.iscoroutinefunction(hook))

    def keeping(self, is_kept: Callable[[Callable[..., object]], bool]) -> Calls:
        """Return those hooks that a condition holds for."""
        kept = [i for i, (hook, _) in enumerate(self.pairs) if is_kept(hook)]
        calls = Calls(self.name, (), self._faults)
        calls.pairs = tuple(self.pairs[i] for i in kept)
        calls._names = [self._names[i] for i in kept]
        return calls

    def timed(self, time: Callable[[str, Callable[..., object]], Callable[..., object]]) -> Calls:
        """Return the same hooks, each run through `time(name, hook)`."""
        calls = self.keeping(lambda _: True)
        named_pairs = zip(self._names, self.pairs, strict=True)
        calls.pairs = tuple((time(name, hook), logger) for name, (hook, logger) in named_pairs)
        return calls

    def failed(self, hook: Callable[..., object], error: BaseException) -> None:
        """Report a hook that raised."""
        index = [pair[0] for pair in self.pairs].index(hook)
        self._faults.report(self._names[index], f"failed in {self.name}", error)

    async def awaiting(self, invocation: Invocation, *result: object) -> None:
        """
        Call each hook, and await what it returns if that can be awaited.

        Raises:
            Reject: A pre hook does not let the function run.
        """
        for hook, logger in self.pairs:
            try:
                returned = hook(logger, invocation.context, invocation.args, *result)
                if inspect.isawaitable(returned):
                    await cast("Awaitable[object]", returned)
            except asyncio.CancelledError:
                raise  # the invocation's: a hook has no business raising it
            except BaseException as error:
                if isinstance(error, Reject) and not result:
                    raise
                self.failed(hook, error)


class Level:
    """The standard hooks of one level: pre hooks, and post hooks if the function returned."""

    __slots__ = ("after", "before")

    def __init__(self, before: Calls, after: Calls) -> None:
        self.before = before
        self.after = after

    @property
    def are_async(self) -> bool:
        """Whether any hook of this level is a coroutine function."""
        return self.before.are_async or self.after.are_async

    def around(self, invocation: Invocation) -> Step:
        """Run the hooks around one call."""
        context, args = invocation.context, invocation.args
        for hook, logger in self.before.pairs:
            try:
                hook(logger, context, args)
            except Reject:
                raise
            except BaseException as error:  # noqa: BLE001  (no extension stops a function)
                self.before.failed(hook, error)
        result = yield
        for hook, logger in self.after.pairs:
            try:
                hook(logger, context, args, result)
            except BaseException as error:  # noqa: BLE001  (the function has its result)
                self.after.failed(hook, error)


def level(
    function_name: str, scope: str, disabled: Collection[str], faults: Faults, *, is_async: bool
) -> Level | None:
    """Return the standard hooks of one level for a function, None where there are none."""
    both = [Calls(n, hooks(function_name, scope, n, disabled), faults) for n in LEVELS[scope]]
    before, after = both if is_async else [calls.without_async() for calls in both]
    return Level(before, after) if before.pairs or after.pairs else None


def drive_hooks(
    function: Callable[..., object], invocation: Invocation, levels: Sequence[Level]
) -> object:
    """
    Call a function with standard hooks alone around it, which need no steps to be kept.

    Args:
        function: What to call.
        invocation: The call.
        levels: The hooks, outermost level first.
    """
    token = enter(invocation)
    try:
        context, args = invocation.context, invocation.args
        for level in levels:
            for hook, logger in level.before.pairs:
                try:
                    hook(logger, context, args)
                except Reject as rejection:
                    return rejection.response
                except BaseException as error:  # noqa: BLE001  (no extension stops a function)
                    level.before.failed(hook, error)
        result = function(**args)
        for level in reversed(levels):
            for hook, logger in level.after.pairs:
                try:
                    hook(logger, context, args, result)
                except BaseException as error:  # noqa: BLE001  (the function has its result)
                    level.after.failed(hook, error)
        return result
    finally:
        leave(token)


async def drive_hooks_async(
    function: Callable[..., Awaitable[object]], invocation: Invocation, levels: Sequence[Level]
) -> object:
    """Do what `drive_hooks` does for a coroutine function."""
    token = enter(invocation)
    try:
        context, args = invocation.context, invocation.args
        for level in levels:
            for hook, logger in level.before.pairs:
                try:
                    hook(logger, context, args)
                except Reject as rejection:
                    return rejection.response
                except BaseException as error:  # noqa: BLE001  (no extension stops a function)
                    level.before.failed(hook, error)
        result = await function(**args)
        for level in reversed(levels):
            for hook, logger in level.after.pairs:
                try:
                    hook(logger, context, args, result)
                except BaseException as error:  # noqa: BLE001  (the function has its result)
                    level.after.failed(hook, error)
        return result
    finally:
        leave(token)
