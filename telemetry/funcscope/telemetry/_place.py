"""A place of somebody else's that a function of ours is in, over and under other people's."""

from __future__ import annotations

import logging
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

from funcscope.extensions.integration import look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CellType

    Method = Callable[..., Any]  # whatever it returns

_FAR = 16
"""How many wrappers there may be around ours."""


class Place:
    """
    A method of a class, with a function of ours in its place.

    Another's wrapper around ours may have the name and all fields of it (`functools.wraps`), or
    answer for it (wrapt): ours is told by what it is, and by nothing that it has.

    Args:
        owner: The class.
        name: The method's name.
        make: Makes ours of what is there.
    """

    def __init__(self, owner: type, name: str, make: Callable[[Method], Method]) -> None:
        self._owner = owner
        self._name = name
        self._original: Method = getattr(owner, name)
        self._own = make(self._original)
        self._last: object = self._own
        self._is_reached = True
        setattr(owner, name, self._own)

    def leave(self) -> bool:
        """Put back the original; False where another's is over ours, which stays then."""
        if getattr(self._owner, self._name) is not self._own:
            return False
        setattr(self._owner, self._name, self._original)
        return True

    def is_reached(self) -> bool:
        """
        Tell whether what is in the place now calls ours, as far as can be seen.

        Who puts back what was there before us takes ours away with theirs.
        """
        current: object = getattr(self._owner, self._name)
        if current is not self._last:
            self._is_reached = any(each is self._own for each in _within(current))
            self._last = current
        return self._is_reached


def as_of_logging(call: Method) -> Method:
    """
    Have a function in `Logger.callHandlers`'s place say that its code is `logging`'s; return it.

    What looks for who has logged goes up the stack until that is left, as `Handler.handleError`
    does, and what loguru's documentation recommends to pass records on to it (0.7).
    """
    # Of Python's own function: what was found in the place may be anybody's.
    theirs, function = logging.Logger.handle.__code__, cast("FunctionType", call)
    function.__code__ = function.__code__.replace(
        co_filename=theirs.co_filename, co_name="callHandlers", co_firstlineno=theirs.co_firstlineno
    )
    return call


def _within(call: object) -> Iterator[object]:
    """Go through what a wrapper wraps: what it names as that, and what it closes over."""
    waiting, seen = [call], set[int]()
    while waiting and len(seen) < _FAR:
        wrapper = waiting.pop(0)
        if id(wrapper) in seen:
            continue
        seen.add(id(wrapper))
        yield wrapper
        wrapped = look(wrapper, "__wrapped__")
        if wrapped is not None:
            waiting.append(wrapped)
        if type(wrapper) is FunctionType:
            values = map(_content, wrapper.__closure__ or ())
            waiting.extend(value for value in values if callable(value))


def _content(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # empty
        return None
