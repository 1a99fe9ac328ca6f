"""Where an extension's code is, for people who have to find it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def named(extension: str, function: Callable[..., object]) -> str:
    """Return an extension's name with the file and line of one of its functions."""
    code = getattr(inspect.unwrap(getattr(function, "__func__", function)), "__code__", None)
    if code is None:
        return extension
    return f"{extension} ({code.co_filename}:{code.co_firstlineno})"


def qualified_name(function: Callable[..., object]) -> str:
    """Return `module.qualname` of a function, as far as it has them."""
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    module = getattr(function, "__module__", None)
    return f"{module}.{name}" if module else str(name)
