"""Mistakes in how extensions are written, and what to write instead."""

from __future__ import annotations

import dis
import inspect
from types import FunctionType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from azure.functions import AppExtensionBase, FuncExtensionBase

from funcscope.extensions._errors import INTERRUPTS
from funcscope.extensions._lifecycle.hooks import LEVELS, LOAD, is_class, is_stale

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

AROUND = "around_invocation"
_BEFORE, _AFTER = ("logger", "context", "func_args"), ("logger", "context", "func_args", "func_ret")
_LOADED = ("function_name", "function_directory")
_HOOKS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    scope: {
        LEVELS[scope][0]: _BEFORE,
        LEVELS[scope][1]: _AFTER,
        LOAD[scope]: _LOADED,
        AROUND: ("invocation",),
    }
    for scope in LEVELS
}
"""The arguments of each hook of each level, beside its class or instance."""
_STEMS = {
    "pre_invocation": 0, "post_invocation": 1, "post_function_load": 2, AROUND: 3,
}  # fmt: skip
_ENDINGS = (
    "_application_level", "_function_level", "_func_level", "_app_level",
    "_application", "_function", "_level", "_func", "_app",
)  # fmt: skip
_cache: WeakKeyDictionary[type, dict[int, dict[str, str]]] = WeakKeyDictionary()
"""The mistakes by extension, and by the position of one of its classes in its `__mro__`."""


def mistakes(owner: object) -> Iterator[str]:
    """Return a sentence for each mistake in the classes that an extension is made of."""
    cls = owner if is_class(owner) else type(owner)
    if not is_stale(cls) and _is_extension(cls):
        for part in cls.__mro__:
            yield from mistakes_of(part, cls).values()


def is_wrong(owner: object, hook_name: str) -> bool:
    """Whether a hook of a class or instance cannot work as it is written."""
    cls = owner if is_class(owner) else type(owner)
    if not _is_extension(cls):
        return False
    own = next((c for c in cls.__mro__ if hook_name in vars(c)), None)
    return own is not None and hook_name in mistakes_of(own, cls)


def _is_extension(cls: type) -> bool:
    return AppExtensionBase in cls.__mro__ or FuncExtensionBase in cls.__mro__


def mistakes_of(part: type, cls: type) -> Mapping[str, str]:
    """
    Return a sentence for each attribute that is wrong of those that a class defines itself.

    Args:
        part: The class; it may be none of an extension by itself.
        cls: The extension that it is a part of.
    """
    if _is_extension(part):
        cls = part
    cached, at = _cache.setdefault(cls, {}), cls.__mro__.index(part)
    if at not in cached:
        cached[at] = dict(_find(part, cls))
    return cached[at]


def _find(part: type, cls: type) -> Iterator[tuple[str, str]]:
    if str(part.__module__).startswith(("funcscope.", "azure.functions.", "builtins")):
        return
    scope = "app" if AppExtensionBase in cls.__mro__ else "func"
    for name, defined in tuple(vars(part).items()):
        try:
            wrong = _wrong(part, cls, scope, name, defined)
        except INTERRUPTS:
            raise
        except BaseException:  # noqa: BLE001, S112  (an attribute of the app's may be anything)
            continue
        if wrong is not None:
            code = getattr(getattr(defined, "__func__", defined), "__code__", None)
            where = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
            yield name, f"extension {cls.__name__}: {name}{where} {wrong}"


def _wrong(part: type, cls: type, scope: str, name: str, defined: object) -> str | None:
    function: object = defined
    if type(defined) in (classmethod, staticmethod):
        function = getattr(defined, "__func__", None)
    if not isinstance(function, FunctionType) or name.startswith("_"):
        return None
    if name not in _HOOKS[scope]:
        meant = _meant(scope, name)
        if meant is None or meant in vars(part):
            return None
        return f"is no hook, and is never called: write {meant}, if that is what it is"
    if name == AROUND and not any(AROUND in vars(c) for c in cls.__mro__ if c is not part):
        base = "AppExtension" if scope == "app" else "FuncExtension"
        return f"is never called: derive the class from funcscope.extensions.{base}"
    if name == AROUND and (wrong := _wrong_kind(function)) is not None:
        return wrong
    return _wrong_signature(scope, name, type(defined), function)


def _wrong_kind(function: FunctionType) -> str | None:
    """Return what keeps a function from running around an invocation; None where nothing does."""
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    if is_async:
        return (
            "is async, and is left out: write `def` and a `yield` where the function is to run; "
            "the same generator serves async functions"
        )
    if not inspect.isgeneratorfunction(function) and _returns_nothing(function):
        return "has no yield, and is left out: write `yield` where the function is to run"
    return None


def _returns_nothing(function: FunctionType) -> bool:
    """Whether a function returns None alone; else it may return another's generator."""
    if hasattr(function, "__wrapped__"):
        return False
    before: Any = None
    for instruction in dis.get_instructions(function):
        is_return = instruction.opname == "RETURN_VALUE"
        if is_return and (before is None or before.opname != "LOAD_CONST" or before.argval):
            return False
        if instruction.opname == "RETURN_CONST" and instruction.argval is not None:
            return False
        before = instruction
    return True


def _wrong_signature(scope: str, name: str, kind: type, function: FunctionType) -> str | None:
    """Return how a hook has to be declared; None where it can be called as it is."""
    given = _HOOKS[scope][name]
    parameters = tuple(inspect.signature(function).parameters)
    if scope == "app" and kind is FunctionType:
        # One without a first parameter for it works by chance, as a static method does.
        if _takes(function, given) and parameters[:1] not in (("self",), ("cls",)):
            return None
        return "is no class method, and is left out: write @classmethod above it"
    first = () if kind is staticmethod else ("cls" if scope == "app" else "self",)
    if _takes(function, (*first, *given)):
        return None
    more = () if name == AROUND else ("*args", "**kwargs")
    wanted = ", ".join((*first, *given, *more))
    return f"takes ({', '.join(parameters)}), and is left out: write def {name}({wanted})"


def _takes(function: FunctionType, given: tuple[str, ...]) -> bool:
    try:
        inspect.signature(function).bind(*given)
    except TypeError:
        return False
    return True


def _meant(scope: str, name: str) -> str | None:
    """Return the hook that a name is nearly that of, or of which it is the other level's."""
    words = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
    ending = next((e for e in _ENDINGS if words.endswith(e)), "")
    stem = words.removesuffix(ending).rstrip("_")
    # As a stem with an ending that is known, or as a whole whose ending is misspelt, too.
    known = [(_distance(stem, one), at) for one, at in _STEMS.items()]
    known += [(_distance(words, one), at) for of in _HOOKS.values() for at, one in enumerate(of)]
    distance, nearest = min(known)
    return tuple(_HOOKS[scope])[nearest] if distance <= _NEAR else None


_NEAR = 2


def _distance(one: str, other: str) -> int:
    """Count the letters to change, add or leave out (Levenshtein)."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1]
