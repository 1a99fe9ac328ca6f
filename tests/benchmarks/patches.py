"""What a call patches, to take out and put in again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

_ABSENT: Final = object()


class Patches:
    """
    What a call changes in some modules and in the classes they define, whatever it is.

    CPython 3.13 stops caching a class's attributes once it has changed a thousand times, and
    all that is timed on it from then on is slower: swap less often than that.
    """

    def __init__(self, patch: Callable[[], None], *modules: ModuleType) -> None:
        owners = [owner for module in modules for owner in _owners(module)]
        before = [dict(vars(owner)) for owner in owners]
        patch()
        self._is_in = True
        self._changes = [
            (owner, name, old.get(name, _ABSENT), vars(owner).get(name, _ABSENT))
            for owner, old in zip(owners, before, strict=True)
            for name in old.keys() | vars(owner).keys()
            if old.get(name, _ABSENT) is not vars(owner).get(name, _ABSENT)
        ]
        if not self._changes:
            raise RuntimeError(f"{patch!r} changes nothing in {modules!r}: name what it patches")

    def swap(self, is_in: bool) -> None:
        """Have the patches in place, or what was there before them."""
        if is_in == self._is_in:
            return
        for owner, name, old, new in self._changes:
            value = new if is_in else old
            if value is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, value)
        self._is_in = is_in


def _owners(module: ModuleType) -> Iterator[ModuleType | type]:
    """List a module and its classes, each once: `logging.Logger` stands there under two names."""
    yield module
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    for owner in dict.fromkeys(classes):
        if owner.__module__ == module.__name__:
            yield owner
