"""Read properties that only return an attribute, at the cost of the attribute."""

from __future__ import annotations

import inspect
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class AttributeReader:
    """
    Reads the same attributes of objects of any class.

    Workers' objects have private attributes, each with a property that returns it: a Python
    function, which costs several times what the attribute does when it runs once per invocation
    (docs/decisions/022). Where a property does nothing else, its attribute is read in its place.

        read = reader.known(type(thing)) or reader.inspect(type(thing))
        name, place = read(thing)

    Args:
        names: The attributes; of one, its value is read, of more, a tuple.
        may_lack: Whether an object may have none of a name, which counts as None then.

    Attributes:
        known: Looks up the function that reads them, by a class that was inspected.
    """

    def __init__(self, *names: str, may_lack: bool = False) -> None:
        self._names = names
        self._may_lack = may_lack
        self._readers: dict[type, Callable[[Any], Any]] = {}
        self.known: Callable[[type], Callable[[Any], Any] | None] = self._readers.get

    def inspect(self, cls: type) -> Callable[[Any], Any]:
        """Return the function that reads objects of a class, when the first of them comes."""
        read: Callable[[Any], Any] = self._read_with_gaps
        if not self._may_lack or all(_is_declared(cls, name) for name in self._names):
            read = attrgetter(*(plainest(cls, name) for name in self._names))
        self._readers[cls] = read
        return read

    def _read_with_gaps(self, thing: object) -> Any:
        """Read attributes that not all objects of a class have: None for one that is missing."""
        values = tuple(getattr(thing, name, None) for name in self._names)
        return values if len(self._names) > 1 else next(iter(values))


def _is_declared(cls: type, name: str) -> bool:
    """Whether all objects of a class have an attribute, as far as the class declares it."""
    declared = any(name in getattr(c, "__annotations__", ()) for c in cls.__mro__)
    return declared or inspect.getattr_static(cls, name, None) is not None


def plainest(cls: type, name: str) -> str:
    """Return the attribute that a property only returns; the property's own name elsewhere."""
    static = inspect.getattr_static(cls, name, None)
    code = getattr(static.fget, "__code__", None) if type(static) is property else None
    if code is None or len(code.co_names) != 1:
        return name
    return str(code.co_names[0]) if code.co_code == _ONLY_RETURNS else name


def _only_returns(self: Any) -> Any:
    return self.attribute


_ONLY_RETURNS = _only_returns.__code__.co_code
