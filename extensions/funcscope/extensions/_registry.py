"""What is registered, and what of it runs around a given function."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from azure.functions.extension import ExtensionMeta

from funcscope.extensions._hooks import LEVELS, LOAD, Level, hooks, is_newer, level
from funcscope.extensions._lifecycle import Around, Wrapper
from funcscope.extensions._position import named
from funcscope.extensions._status import ExtensionStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from funcscope.extensions._errors import Faults
    from funcscope.extensions._invocation import Function

_logger = logging.getLogger("funcscope.extensions")

DISABLE = "FUNCSCOPE_DISABLE"


@dataclass(frozen=True, slots=True)
class Registered:
    """
    An extension with an `around_invocation`.

    Attributes:
        owner: The app-level class, or the function-level instance.
        around: Its `around_invocation`.
    """

    owner: object
    around: Around

    @property
    def name(self) -> str:
        """The extension's class name."""
        return (self.owner if isinstance(self.owner, type) else type(self.owner)).__name__


class Registry:
    """The extensions of this process."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._app: list[Registered] = []
        self._func: dict[str, list[Registered]] = {}
        self._applied: list[tuple[Callable[..., object], Callable[[str], None]]] = []
        self._changes = 0
        self._functions: dict[str, str] = {}
        self._said: set[str] = set()

    def add_app_level(self, owner: type, around: Around) -> None:
        """Run `around` for every function, in place of that of a class `owner` derives from."""
        self._app = [r for r in self._app if not _stands_for(owner, r.owner)]
        self._app.append(Registered(owner, around))
        self._changes += 1

    def add_func_level(self, function_name: str, owner: object, around: Around) -> None:
        """Run `around` for one function; names are case-insensitive, as the host's are."""
        others = self._func.get(function_name.lower(), [])
        kept = [r for r in others if not is_newer(owner, r.owner)]
        self._func[function_name.lower()] = [*kept, Registered(owner, around)]
        self._changes += 1

    def apply(self, function: Callable[..., object], bind: Callable[[str], None]) -> None:
        """Call `bind` with a function's name once the worker registers that function."""
        self._applied.append((function, bind))

    def bind(self, function: object, name: str) -> None:
        """Give the extensions that were applied to a function its name."""
        wrapped = set(_unwrapped(function))
        for applied, bind in self._applied:
            if id(applied) in wrapped:
                bind(name)
        self._applied = [entry for entry in self._applied if id(entry[0]) not in wrapped]

    def version(self, function_name: str) -> int:
        """Return what grows whenever something is registered that concerns a function."""
        app = ExtensionMeta.get_application_hooks()
        func = ExtensionMeta.get_function_hooks(function_name)
        return (
            self._changes
            + (len(app.pre_invocation_app_level) if app else 0)
            + (len(func.pre_invocation) if func else 0)
        )

    def layers(self, function: Function, faults: Faults) -> list[Wrapper | Level]:
        """
        Return what runs around a function, outermost first.

        Level by level, `around_invocation` encloses the standard hooks, so that these run in
        classic's order: app pre, func pre, function, func post, app post.
        """
        disabled, name = self.disabled, function.name
        found: list[Wrapper | Level] = []
        for scope, registered in (("app", self._app), ("func", self._func.get(name.lower(), []))):
            found += [
                Wrapper(named(r.name, r.around), r.around)
                for r in registered
                if r.name.lower() not in disabled
            ]
            standard = level(name, scope, disabled, faults, is_async=function.is_async)
            found += [standard] if standard else []
        return found

    def loaded(self, function: Function, faults: Faults) -> None:
        """Call the load hooks for a function, function level first, as classic does."""
        self._functions[function.name.lower()] = function.name
        for scope, hook_name in LOAD.items():
            for hook in hooks(function.name, scope, hook_name, self.disabled):
                try:
                    hook.ext_impl(function.name, function.directory)
                except BaseException as error:  # noqa: BLE001  (no extension stops a function)
                    name = named(hook.ext_name, hook.ext_impl)
                    faults.report(name, f"failed in {hook_name}", error)

    def report_unmatched(self) -> None:
        """Name, once each, what was registered or switched off and matches nothing."""
        for problem in self._unmatched():
            if problem not in self._said:
                self._said.add(problem)
                _logger.warning("%s", problem)

    def _unmatched(self) -> Iterator[str]:
        there_are = ", ".join(sorted(self._functions.values()))
        for name, extensions in self._by_function().items():
            if name.lower() not in self._functions:
                hint = " (in the v2 model give a function's name, not __file__)"
                yield (
                    f"extension {', '.join(extensions)} applies to function {name!r}, which was "
                    f"not loaded{hint if name.endswith('.py') else ''}; there are: {there_are}"
                )
        for function, _ in self._applied:
            name = getattr(function, "__qualname__", repr(function))
            yield f"an extension decorates {name}, which was not loaded; there are: {there_are}"
        registered = {extension.name.lower() for extension in self.describe()}
        for name in sorted(self.disabled - registered):
            yield f"{DISABLE} names {name!r}, and no extension has that name"

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
        found: dict[str, set[str]] = {}
        for hook_name in (LOAD[scope], *LEVELS[scope]):
            for hook in hooks(function or "", scope, hook_name, ()):
                found.setdefault(hook.ext_name, set()).add(hook_name)
        for extension in registered:
            found.setdefault(extension.name, set()).add("around_invocation")
        for name, defined in found.items():
            is_disabled = name.lower() in self.disabled
            yield ExtensionStatus(name, function, tuple(sorted(defined)), is_disabled)

    def _by_function(self) -> dict[str, list[str]]:
        """Return the names of function-level extensions by the function that they name."""
        info = cast("dict[str, dict[str, list[str]]]", ExtensionMeta._info)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # their report of it is JSON
        return {name: list(dict.fromkeys(e)) for name, e in info.get("FuncExtension", {}).items()}

    @property
    def disabled(self) -> set[str]:
        """The names of extensions that `FUNCSCOPE_DISABLE` switches off, in lower case."""
        names = self._environ.get(DISABLE, "").split(",")
        return {name.strip().lower() for name in names if name.strip()}


registry = Registry()
"""The one registry of this process, as `ExtensionMeta` is."""


def _stands_for(owner: type, earlier: object) -> bool:
    return isinstance(earlier, type) and (issubclass(owner, earlier) or is_newer(owner, earlier))


def _unwrapped(function: object) -> list[int]:
    """Return the ids of a function and of all that it says it wraps."""
    found: list[int] = []
    while function is not None and id(function) not in found:
        found.append(id(function))
        function = getattr(function, "__wrapped__", None)
    return found
