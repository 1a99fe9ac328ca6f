"""Read properties that only return an attribute, at the cost of the attribute."""

from __future__ import annotations

import inspect
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class AttributeReader:
    """
    What reads the same attributes of objects of any class.

    Workers keep what they tell in private attributes, each with a property that returns it: a
    Python function, which costs several times what it returns when it runs once per invocation
    (docs/decisions/022). Where a property does nothing else, its attribute is read in its place.

        read = getters.known(type(thing)) or getters.inspect(type(thing))
        name, place = read(thing)

    Args:
        names: The attributes; with one, what reads them returns its value, with more a tuple.
        may_lack: Whether an object may have none of a name, which counts as None then.

    Attributes:
        known: Looks up what reads them, by a class that was learned.
    """

    def __init__(self, *names: str, may_lack: bool = False) -> None:
        self._names = names
        self._may_lack = may_lack
        self._readers: dict[type, Callable[[Any], Any]] = {}
        self.known: Callable[[type], Callable[[Any], Any] | None] = self._readers.get

    def inspect(self, cls: type) -> Callable[[Any], Any]:
        """Look at a class when the first of its objects comes."""
        made: Callable[[Any], Any]
        if not self._may_lack or all(_is_declared(cls, name) for name in self._names):
            made = attrgetter(*(plainest(cls, name) for name in self._names))
        else:
            made = self._read_what_there_is
        self._readers[cls] = made
        return made

    def _read_what_there_is(self, thing: object) -> Any:
        """Read attributes that not all objects of a class have: None for one that is missing."""
        found = tuple(getattr(thing, name, None) for name in self._names)
        return found if len(self._names) > 1 else next(iter(found))


def _is_declared(cls: type, name: str) -> bool:
    """Tell whether all objects of a class have an attribute, as far as the class says so."""
    declared = any(name in getattr(c, "__annotations__", ()) for c in cls.__mro__)
    return declared or inspect.getattr_static(cls, name, None) is not None


def plainest(cls: type, name: str) -> str:
    """Return the attribute that a property only returns; the property's own name elsewhere."""
    found = inspect.getattr_static(cls, name, None)
    code = getattr(found.fget, "__code__", None) if type(found) is property else None
    if code is None or len(code.co_names) != 1:
        return name
    return str(code.co_names[0]) if code.co_code == _ONLY_RETURNS else name


def _only_returns(self: Any) -> Any:
    return self.attribute


_ONLY_RETURNS = _only_returns.__code__.co_code
