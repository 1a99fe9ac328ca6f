"""
The objects that the decorators of azure.functions return, and the user's function in them.

`@app.route` and all others return a `FunctionBuilder`, which holds a `Function`, which holds the
user's function (`decorators/function_app.py`, azure-functions 1.20 to 2.3). Both names are private,
and there is no public way from the first to the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from funcscope.extensions._errors import look

if TYPE_CHECKING:
    from collections.abc import Callable


def user_function(decorated: object) -> object:
    """Return the user's function in an object of the decorators; anything else as it is."""
    get = look(_declared(decorated), "get_user_function")
    return get() if callable(get) else decorated


def is_decorated(function: object) -> bool:
    """Whether something was returned by the decorators of azure.functions."""
    return type(function).__module__.startswith("azure.functions.") or (
        user_function(function) is not function
    )


def replace_user_function(
    decorated: object, make: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> bool:
    """
    Put another function in the user's function's place, before a worker has registered it.

    Args:
        decorated: An object that the decorators of azure.functions return.
        make: Makes it of the user's function.

    Returns:
        Whether that could be done.
    """
    declared, function = _declared(decorated), user_function(decorated)
    if declared is None or not callable(function) or look(declared, "_func") is not function:
        return False
    declared._func = make(function)  # noqa: SLF001  (no setter)
    return True


def _declared(decorated: object) -> Any:  # a `Function`, which has no public name
    return look(decorated, "_function")
