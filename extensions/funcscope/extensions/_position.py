"""Where an extension's code is, for people who have to find it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from funcscope.extensions._errors import INTERRUPTS

if TYPE_CHECKING:
    from collections.abc import Callable


def look(thing: object, name: str, default: object = None) -> object:
    """Return an attribute of anything; the default where there is none, or asking for it raises."""
    try:
        return getattr(thing, name, default)
    except INTERRUPTS:
        raise
    except BaseException:  # noqa: BLE001  (a `__getattr__` or property of the app's)
        return default


def named(extension: str, function: Callable[..., object]) -> str:
    """Return an extension's name with the file and line of one of its functions."""
    try:
        code = getattr(inspect.unwrap(getattr(function, "__func__", function)), "__code__", None)
        where = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
    except INTERRUPTS:
        raise
    except BaseException:  # noqa: BLE001  (a callable of the app's may be anything)
        where = ""
    return extension + where


def qualified_name(function: Callable[..., object]) -> str:
    """Return `module.qualname` of a function, as far as it has them."""
    name = look(function, "__qualname__")
    module = look(function, "__module__")
    name = name if isinstance(name, str) and name else type(function).__qualname__
    return f"{module}.{name}" if isinstance(module, str) and module else name
