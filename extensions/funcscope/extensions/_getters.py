"""Read properties that only return an attribute, at the cost of the attribute."""

from __future__ import annotations

import inspect
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Getters:
    """
    What reads the same attributes of objects of any class.

    Workers keep what they tell in private attributes, each with a property that returns it: a
    Python function, which costs several times what it returns when it runs once per invocation
    (docs/decisions/022). Where a property does nothing else, its attribute is read in its place.

        read = getters.known(type(thing)) or getters.learn(type(thing))
        name, place = read(thing)

    Args:
        names: The attributes; with one, what reads them returns its value, with more a tuple.

    Attributes:
        known: Looks up what reads them, by a class that was learned.
    """

    def __init__(self, *names: str) -> None:
        self._names = names
        self._readers: dict[type, Callable[[Any], Any]] = {}
        self.known = self._readers.get

    def learn(self, cls: type) -> Callable[[Any], Any]:
        """Look at a class when the first of its objects comes."""
        made = attrgetter(*(_plainest(cls, name) for name in self._names))
        self._readers[cls] = made
        return made


def _plainest(cls: type, name: str) -> str:
    """Return the attribute that a property only returns; the property's own name elsewhere."""
    found = inspect.getattr_static(cls, name, None)
    code = getattr(found.fget, "__code__", None) if type(found) is property else None
    if code is None or len(code.co_names) != 1:
        return name
    return str(code.co_names[0]) if code.co_code == _ONLY_RETURNS else name


def _only_returns(self: Any) -> Any:
    return self.attribute


_ONLY_RETURNS = _only_returns.__code__.co_code
