"""The registry of extensions, and which of them run around a given function."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from funcscope.extensions._errors import INTERRUPTS, look, named, qualified_name
from funcscope.extensions._lifecycle.hooks import (
    LEVELS,
    LOAD,
    HookObserver,
    active,
    hook_observer,
    hooks,
    is_class,
    is_disabled,
    owners,
)
from funcscope.extensions._lifecycle.mistakes import AROUND, is_wrong, mistakes
from funcscope.extensions._lifecycle.observers import ExtensionFunction, NamedObserver, observer_of
from funcscope.extensions._lifecycle.watch import setting_problem
from funcscope.extensions._microsoft import registered as registered_names
from funcscope.extensions._runtime import OnceLog
from funcscope.extensions._status import ExtensionStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from funcscope.extensions._errors import Faults
    from funcscope.extensions._invocation import Function

_logger = logging.getLogger("funcscope.extensions")

DISABLE = "FUNCSCOPE_DISABLE"


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """
    A line of code, in one import of its module.

    Attributes:
        file: The module's file.
        line: The line.
        generation: Another object each time that the module is imported.
    """

    file: str
    line: int
    generation: object

    def is_newer(self, other: Site | None) -> bool:
        """Whether this is the same line in a later import of its module."""
        if other is None or (self.file, self.line) != (other.file, other.line):
            return False
        return self.generation is not other.generation


@dataclass(frozen=True, slots=True, eq=False)
class Registered:
    """
    An extension with an `around_invocation`.

    Attributes:
        owner: The app-level class, or the function-level instance.
        around: Its `around_invocation`.
        site: The line of code that made an instance, with the import of its module.
    """

    owner: object
    around: ExtensionFunction
    site: Site | None = None

    @property
    def name(self) -> str:
        """The extension's class name."""
        return (self.owner if is_class(self.owner) else type(self.owner)).__name__


class Registry:
    """
    The extensions of this process.

    Attributes:
        changes: How often something was registered here, besides what is in `ExtensionMeta`.
        problems: Where wrong registrations are logged.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._app: list[Registered] = []
        self._func: dict[str, list[Registered]] = {}
        self._applied: list[_Applied] = []
        self._waiting: list[tuple[object, Site | None]] = []
        self._switched_off: set[str] = set()
        self.changes = 0
        self._functions: dict[str, str] = {}
        self.problems = OnceLog(_logger)

    def add_app_level(self, owner: type, around: ExtensionFunction) -> None:
        """Run `around` for every function."""
        self._app.append(Registered(owner, around))
        self.changes += 1

    def add_func_level(
        self, function_name: str, owner: object, around: ExtensionFunction, site: Site | None
    ) -> None:
        """Run `around` for one function; names are case-insensitive, as the host's are."""
        key = function_name.lower()
        others = [r for r in self._func.get(key, []) if site is None or not site.is_newer(r.site)]
        self._func[key] = [*others, Registered(owner, around, site)]
        self.changes += 1

    def switch(self, owner: type, *, is_on: bool) -> None:
        """Have an app-level extension run around later calls, or not, whoever registers it."""
        change = self._switched_off.discard if is_on else self._switched_off.add
        change(owner.__name__.lower())
        self.changes += 1

    def wait(self, owner: object, site: Site | None) -> None:
        """Remember an extension that names no function, until it is applied to one."""
        self._waiting.append((owner, site))

    def apply(
        self, function: Callable[..., object], owner: object, bind: Callable[[str], None]
    ) -> None:
        """Call `bind` with a function's name whenever a worker registers that function."""
        self._waiting = [entry for entry in self._waiting if entry[0] is not owner]
        self._applied.append(_Applied(function, bind))

    def bind(self, function: object, name: str) -> None:
        """Give the extensions that were applied to a function its name."""
        wrapped = _unwrapped(function)
        for applied in self._applied:
            if any(applied.function is known for known in wrapped):
                applied.is_bound = True
                applied.bind(name)

    def observers(self, function: Function, faults: Faults) -> list[NamedObserver]:
        """
        Return what runs around a function, outermost first.

        Level by level, `around_invocation` encloses the standard hooks, so that these run in
        classic's order: app pre, func pre, function, func post, app post. Hooks with nothing in
        between are one observer.
        """
        disabled, name = self.disabled, function.name
        observers: list[NamedObserver] = []
        for level, registered in (("app", self._app), ("func", self._func.get(name.lower(), []))):
            for extension in _active(registered, disabled):
                place = named(extension.name, extension.around)
                observer = observer_of(extension.around, place, faults)
                observers.append(NamedObserver(place, observer))
            hooked = hook_observer(
                name, level, disabled, faults, is_async=function.is_async, is_wrong=is_wrong
            )
            if hooked is None:
                continue
            if observers and isinstance(outer := observers[-1].observer, HookObserver):
                observers.pop()
                hooked = outer.around(hooked)
            observers.append(NamedObserver("standard hooks", hooked))
        return observers

    def loaded(self, function: Function, faults: Faults) -> None:
        """Call the load hooks for a function, function level first, as classic does."""
        self._functions[function.name.lower()] = function.name
        self._log(self._mistakes(function.name))
        for scope, hook_name in LOAD.items():
            for hook in hooks(function.name, scope, hook_name, self.disabled, is_wrong):
                try:
                    hook.ext_impl(function.name, function.directory)
                except INTERRUPTS:
                    raise
                except BaseException as error:  # noqa: BLE001  (no extension stops a function)
                    name = named(hook.ext_name, hook.ext_impl)
                    faults.report(name, f"failed in {hook_name}", error)

    def report_unmatched(self) -> None:
        """Log, once each, what was registered or switched off and matches nothing."""
        self._log(self._unmatched())

    def _log(self, problems: Iterable[str]) -> None:
        for problem in problems:
            self.problems.log("%s", problem)

    def _unmatched(self) -> Iterator[str]:
        there_are = ", ".join(sorted(self._functions.values()))
        for name, extensions in self._by_function().items():
            if name.lower() not in self._functions:
                hint = " (in the v2 model give a function's name, not __file__)"
                yield (
                    f"extension {', '.join(extensions)} applies to function {name!r}, which was "
                    f"not loaded{hint if name.endswith('.py') else ''}; there are: {there_are}"
                )
        for applied in self._applied:
            name = qualified_name(applied.function)
            if applied.is_bound:
                continue
            yield f"an extension decorates {name}, which was not loaded; there are: {there_are}"
        for owner, site in self._waiting:
            where = f" at {site.file}:{site.line}" if site else ""
            yield (
                f"{type(owner).__name__}(){where} names no function and decorates none: "
                f"give it a function's name"
            )
        for name in self._by_function():
            yield from self._mistakes(name)
        if (problem := setting_problem(self._environ)) is not None:
            yield problem
        for name in sorted(self.disabled - self._names()):
            yield f"{DISABLE} names {name!r}, and no extension has that name"

    def _mistakes(self, function_name: str) -> Iterator[str]:
        """Return a sentence for each mistake in how the extensions of a function are written."""
        for scope in LOAD:
            for owner in owners(function_name, scope):
                yield from mistakes(owner)

    def describe(self) -> tuple[ExtensionStatus, ...]:
        """Return all that is registered, app level first, switched off or not."""
        return (
            *self._describe("app", None, self._app),
            *(
                status
                for name in self._by_function()
                for status in self._describe("func", name, self._func.get(name.lower(), []))
            ),
        )

    def _describe(
        self, scope: str, function: str | None, registered: list[Registered]
    ) -> Iterator[ExtensionStatus]:
        names, disabled = (LOAD[scope], *LEVELS[scope]), self.disabled
        defined: dict[str, set[str]] = {}
        for hook_name in names:
            for hook in hooks(function or "", scope, hook_name, ()):
                defined.setdefault(hook.ext_name, set()).add(hook_name)
        for extension in registered:
            defined.setdefault(extension.name, set()).add(AROUND)
        running = {extension.name for extension in _active(registered, disabled)}
        for hook_name in names:
            running |= {h.ext_name for h in hooks(function or "", scope, hook_name, disabled)}
        for name, hook_names in defined.items():
            yield ExtensionStatus(name, function, tuple(sorted(hook_names)), name not in running)

    def _names(self) -> set[str]:
        """Return all names that an extension can be switched off by, in lower case."""
        info = cast("list[str]", registered_names().get("AppExtension", []))
        by_function = [name for names in self._by_function().values() for name in names]
        own = [r.owner for r in (*self._app, *(r for e in self._func.values() for r in e))]
        classes = [o if is_class(o) else type(o) for o in own]
        derived = [base.__name__ for cls in classes for base in cls.__mro__]
        return {name.lower() for name in (*info, *by_function, *derived)}

    def _by_function(self) -> dict[str, list[str]]:
        """Return the names of function-level extensions by the function that they name."""
        by_function = cast("dict[str, list[str]]", registered_names().get("FuncExtension", {}))
        return {name: list(dict.fromkeys(e)) for name, e in by_function.items()}

    @property
    def disabled(self) -> set[str]:
        """The names of extensions that `FUNCSCOPE_DISABLE` or code switches off, in lower case."""
        names = self._environ.get(DISABLE, "").split(",")
        return {name.strip().lower() for name in names if name.strip()} | self._switched_off


registry = Registry()
"""The one registry of this process, as `ExtensionMeta` is."""


def is_switched_off(extension: type) -> bool:
    """Whether an app-level extension, or one that it derives from, is switched off."""
    return is_disabled(extension, extension.__name__, registry.disabled)


def switch(extension: type, *, is_on: bool) -> None:
    """Switch an app-level extension off, or on again; calls in flight end as they have begun."""
    registry.switch(extension, is_on=is_on)


@dataclass(slots=True, eq=False)
class _Applied:
    """An extension that decorates a function, whose name is not known yet."""

    function: Callable[..., object]
    bind: Callable[[str], None]
    is_bound: bool = False


def _active(registered: list[Registered], disabled: set[str]) -> list[Registered]:
    return active(((r, r.owner, r.name) for r in registered), AROUND, disabled, is_wrong)


_WRAPS = ("__wrapped__", "orchestrator_function", "entity_function")
"""Attributes of a function for the one that it wraps; two are azure-functions-durable's."""


def _unwrapped(function: object) -> list[object]:
    """Return a function and all others that it names as wrapped."""
    functions: list[object] = []
    while function is not None and not any(function is known for known in functions):
        functions.append(function)
        wrapped = (look(function, name) for name in _WRAPS)
        function = next((inner for inner in wrapped if inner is not None), None)
    return functions
