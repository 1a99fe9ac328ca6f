"""
The standard hooks of Microsoft's interface, in classic's order.

`azure.functions.ExtensionMeta` collects them from every `AppExtensionBase` class and
`FuncExtensionBase` instance (`azure/functions/extension/extension_meta.py`, azure-functions
1.20 to 2.3), each name in a list of its own, in the order of registration. They are called in
loops, and need no generator (docs/decisions/006).
"""

from __future__ import annotations

import inspect
import logging
import sys
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, cast

from azure.functions import AppExtensionBase, FuncExtensionBase

from funcscope.extensions._errors import INTERRUPTS, Reject, look, named
from funcscope.extensions._microsoft import application_hooks, function_hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from typing import TypeGuard

    from funcscope.extensions._errors import Faults
    from funcscope.extensions._invocation import Invocation

_T = TypeVar("_T")

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


def hooks(
    function_name: str,
    level: str,
    name: str,
    disabled: Collection[str],
    is_wrong: Callable[[object, str], bool] | None = None,
) -> list[Hook]:
    """
    Return the hooks of one name that are to run for a function.

    Left out are those that the bases define (they do nothing), those of extensions that are
    switched off, those of a class that a registered class derives from (they are in that class
    too), those of an earlier import of a module that was imported again, and, where `is_wrong`
    is asked, those that cannot work as they are written.
    """
    registered = cast("list[Hook]", look(_holder(function_name, level), name) or [])
    defined = [h for h in registered if _implementation(h) is not _EMPTY.get(name)]
    owned = ((hook, _owner(hook, name), hook.ext_name) for hook in defined)
    return active(owned, name, disabled, is_wrong)


def active(
    owned: Iterable[tuple[_T, object, str]],
    name: str,
    disabled: Collection[str],
    is_wrong: Callable[[object, str], bool] | None,
) -> list[_T]:
    """
    Leave out what is not to run of hooks that are defined.

    Args:
        owned: Each with the class or instance that defines it, and that one's name.
        name: The hooks' name.
        disabled: The names of extensions that are switched off, in lower case.
        is_wrong: Whether the hook of an owner cannot work; None to leave that in.
    """
    remaining = [
        (hook, owner)
        for hook, owner, ext_name in owned
        if not is_disabled(owner, ext_name, disabled)
        and not is_stale(owner)
        and not (is_wrong is not None and is_wrong(owner, name))
    ]
    classes = [owner for _, owner in remaining if is_class(owner)]
    return [h for h, o in remaining if not any(derives(c, o) for c in classes)]


def owners(function_name: str, scope: str) -> list[object]:
    """Return the classes or instances that are registered for a function, whatever they define."""
    holder, known = _holder(function_name, scope), dict[int, object]()
    for name in (LOAD[scope], *LEVELS[scope]):
        for hook in cast("list[Hook]", look(holder, name) or []):
            owner = _owner(hook, name)
            known[id(owner)] = owner
    return list(known.values())


def _holder(function_name: str, level: str) -> object:
    if level == "app":
        return application_hooks()
    return function_hooks(function_name)


def _implementation(hook: Hook) -> object:
    return look(hook.ext_impl, "__func__", hook.ext_impl)


_EMPTY = {
    name: getattr(hook, "__func__", hook)
    for base in (AppExtensionBase, FuncExtensionBase)
    for name, hook in vars(base).items()
    if name.startswith(("post_", "pre_"))
}


def _owner(hook: Hook, name: str) -> object:
    """Return the class or instance that a hook belongs to; a static method does not name it."""
    owner = look(hook.ext_impl, "__self__")
    if owner is not None:
        return owner
    named_so = [c for c in subclasses(AppExtensionBase) if c.__name__ == hook.ext_name]
    return next((c for c in named_so if look(c, name) is hook.ext_impl), hook.ext_impl)


def subclasses(base: type) -> Iterator[type]:
    """Go through all classes that derive from one, some of them more than once."""
    direct: list[type] = type.__subclasses__(base)
    for subclass in direct:
        yield subclass
        yield from subclasses(subclass)


def is_class(thing: object) -> TypeGuard[type]:
    """Whether a thing is a class; the thing itself, which may claim anything, is not asked."""
    return issubclass(type(thing), type)


def derives(cls: object, owner: object) -> bool:
    """Whether a class derives from another."""
    bases: tuple[object, ...] = cls.__mro__[1:] if is_class(cls) else ()
    return id(owner) in map(id, bases)


def is_disabled(owner: object, name: str, disabled: Collection[str]) -> bool:
    """Whether an extension, or one that it derives from, is switched off by name."""
    cls = owner if is_class(owner) else type(owner)
    return any(n.lower() in disabled for n in (name, *(c.__name__ for c in cls.__mro__)))


def is_stale(owner: object) -> bool:
    """Whether the module that defines an extension's class was imported again since."""
    cls = owner if is_class(owner) else type(owner)
    current: object = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):  # "<locals>" is no attribute of anything
        current = look(current, part)  # a lazy module imports, which may fail
    if current is cls or not is_class(current):
        return False
    return (current.__module__, current.__qualname__) == (cls.__module__, cls.__qualname__)


Call: TypeAlias = "tuple[Callable[..., object], logging.Logger, str]"
"""A hook with the logger that classic would hand it, and its name and place; unpacked per call."""


def calls(registered: Sequence[Hook]) -> tuple[Call, ...]:
    """Make hooks ready to be called."""
    # The logger's name is classic's: azure_functions_worker/extension.py, worker 4.34.
    prefix = "azure_functions_worker.extension"
    return tuple(
        (h.ext_impl, logging.getLogger(f"{prefix}.{h.ext_name}"), named(h.ext_name, h.ext_impl))
        for h in registered
    )


class HookObserver:
    """
    The standard hooks of a function as an observer, whose loops are the whole of it.

    It reports what goes wrong by itself, and raises nothing but `Reject` and interrupts.

    Attributes:
        before: The pre hooks.
        after: The post hooks, for when the function returned.
    """

    __slots__ = ("_faults", "after", "before")

    def __init__(self, before: tuple[Call, ...], after: tuple[Call, ...], faults: Faults) -> None:
        self.before = before
        self.after = after
        self._faults = faults

    def begin(self, invocation: Invocation) -> None:
        """
        Run the pre hooks.

        Raises:
            Reject: A guard does not let the function run.
        """
        context, args = invocation.context, invocation.args
        for hook, logger, name in self.before:
            try:
                hook(logger, context, args)
            except Reject:
                invocation.is_rejected = True
                raise
            except INTERRUPTS:
                raise
            except BaseException as error:  # noqa: BLE001  (no extension stops a function)
                self._faults.report(name, FAILED_BEFORE, error)

    def end(
        self,
        invocation: Invocation,
        _: None,
        result: object,
        error: BaseException | None = None,
    ) -> None:
        """Run the post hooks where the function returned."""
        if error is not None:
            return
        context, args = invocation.context, invocation.args
        for hook, logger, name in self.after:
            try:
                hook(logger, context, args, result)
            except INTERRUPTS:
                raise
            except BaseException as raised:  # noqa: BLE001  (the function has its result)
                self._faults.report(name, FAILED_AFTER, raised)

    def around(self, inner: HookObserver) -> HookObserver:
        """Return the hooks of both, these outside."""
        before, after = (*self.before, *inner.before), (*inner.after, *self.after)
        return HookObserver(before, after, self._faults)

    @property
    def are_async(self) -> bool:
        """Whether any of them is a coroutine function."""
        return any(inspect.iscoroutinefunction(hook) for hook, *_ in (*self.before, *self.after))


FAILED_BEFORE = "failed in its pre hook"
FAILED_AFTER = "failed in its post hook"


def hook_observer(
    function_name: str,
    level: str,
    disabled: Collection[str],
    faults: Faults,
    *,
    is_async: bool,
    is_wrong: Callable[[object, str], bool],
) -> HookObserver | None:
    """
    Return the standard hooks of one level for a function, None where there are none.

    On a sync function a hook that is a coroutine function is reported, and left out.
    """
    both: list[tuple[Call, ...]] = []
    for hook_name in LEVELS[level]:
        ready = calls(hooks(function_name, level, hook_name, disabled, is_wrong))
        awaited = {name for hook, _, name in ready if inspect.iscoroutinefunction(hook)}
        if not is_async:
            for extension in sorted(awaited):
                fault = f"was skipped: its {hook_name} is async, the function not"
                faults.report(extension, fault)
            ready = tuple(call for call in ready if call[2] not in awaited)
        both.append(ready)
    before, after = both
    return HookObserver(before, after, faults) if before or after else None
