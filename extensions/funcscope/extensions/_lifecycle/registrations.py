"""Registrations of a process, apart from those that a test makes (docs/decisions/009)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from azure.functions.extension import ExtensionMeta

from funcscope.extensions import _invocation, _microsoft
from funcscope.extensions._lifecycle.registry import registry

if TYPE_CHECKING:
    from collections.abc import Mapping

Registrations = dict[tuple[int, str], Any]  # whatever the two registries keep
"""What was registered at one time, to be restored or merged."""

_OF_REGISTRY = ("_app", "_func", "_applied", "_waiting", "_functions")
_OF_MICROSOFT = ("_app_exts", "_func_exts", "_info")
_PLACES: Mapping[tuple[int, str], object] = {
    **{(0, name): registry for name in _OF_REGISTRY},
    **{(1, name): ExtensionMeta for name in _OF_MICROSOFT},
    (2, "_when_idle"): _invocation,
    (3, "logged"): registry.problems,
    (4, "logged"): _microsoft.problems,
}


def snapshot_registrations() -> Registrations:
    """Return all registrations of now."""
    return {key: _copied(getattr(place, key[1])) for key, place in _PLACES.items()}


def restore_registrations(wanted: Registrations) -> None:
    """Make these all registrations."""
    for key, place in _PLACES.items():
        setattr(place, key[1], _copied(wanted[key]))
    # Whatever functions have looked up is to be looked up again.
    registry.changes += 1


def merge_registrations(
    before: Registrations, mine: Registrations, now: Registrations
) -> Registrations:
    """Add to what is registered now what others had added to what was registered before."""
    return {key: _merged(before[key], mine[key], now[key]) for key in now}


def reset_cold_start() -> None:
    """Have the next invocation be the process's first: a cold start."""
    _invocation.cold_start.left[:] = [True]


def _copied(value: Any) -> Any:
    if issubclass(type(value), dict):  # not isinstance: for type checkers it stays whatever it is
        return {key: _copied(v) for key, v in value.items()}
    if isinstance(value, (list, set)):
        return cast("Any", value).copy()
    if _is_hooks(value):
        return type(value)(*map(_copied, value))
    return value


def _merged(before: Any, mine: Any, now: Any) -> Any:
    if issubclass(type(now), dict):
        merged: dict[Any, Any] = dict(now)
        known: dict[Any, Any] = before or {}
        for key, value in mine.items():
            is_known = key in merged
            merged[key] = _merged(known.get(key), value, merged[key]) if is_known else value
        return merged
    if issubclass(type(now), list):
        there: list[Any] = [*now, *(before or [])]
        return [*now, *(m for m in mine if not any(m is known for known in there))]
    if _is_hooks(now) and _is_hooks(mine):
        each = before if _is_hooks(before) else [None] * len(now)
        return type(now)(*map(_merged, each, mine, now))
    return mine if now is None else now


def _is_hooks(value: Any) -> bool:
    """Whether it is `AppExtensionHooks` or `FuncExtensionHooks`: tuples of lists."""
    return issubclass(type(value), tuple) and hasattr(value, "_fields")


def lasting_registrations(
    before: Registrations, now: Registrations, *, but_of: Path | None = None
) -> Registrations:
    """
    Return the lasting registrations: those from before, and those that modules have made.

    A module is imported once: if a test imports the first that defines an app-level extension,
    it is the others' too.

    Args:
        before: The registrations before a test.
        now: Those after it.
        but_of: The directory of an app, whose own extensions are left out.
    """

    def stays(owner: object) -> bool:
        if "<locals>" in str(getattr(owner, "__qualname__", "")):
            return False
        module = sys.modules.get(str(getattr(owner, "__module__", "")))
        file = getattr(module, "__file__", None)
        return but_of is None or not file or but_of not in Path(file).resolve().parents

    lasting, known = dict(before), before[0, "_app"]
    brought = [r for r in now[0, "_app"] if r not in known and stays(r.owner)]
    lasting[0, "_app"] = [*known, *brought]
    hooks = now[1, "_app_exts"]
    if hooks is not None:
        there = before[1, "_app_exts"] or [()] * len(hooks)
        lasting[1, "_app_exts"] = type(hooks)(
            *([*old, *(h for h in new if h not in old and stays(h.ext_impl))]
              for old, new in zip(there, hooks, strict=True))
        )  # fmt: skip
    return lasting
