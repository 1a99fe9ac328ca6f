"""
Microsoft's registry of extensions, as far as we ask it: `azure.functions.ExtensionMeta`.

Read from `azure/functions/extension/extension_meta.py`, azure-functions 1.20 to 2.3. It is asked by
its public getters; private names there are read on the hot path, and where there is no other way,
and one line says what is off where they are gone.

docs/decisions/032 says why.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, cast

from azure.functions import AppExtensionBase

from funcscope.extensions._runtime import OnceLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_logger = logging.getLogger("funcscope.extensions")
problems = OnceLog(_logger)

extension_meta: Any = type(AppExtensionBase)
"""`ExtensionMeta`: the metaclass of the public bases, wherever it is kept."""


def application_hooks() -> (
    Any
):  # an `AppExtensionHooks`, a tuple of lists; None while there are none
    """Return the hooks of app-level extensions."""
    return _ask("get_application_hooks")


def function_hooks(function_name: str) -> Any:  # a `FuncExtensionHooks`, as above
    """Return the hooks of one function's extensions, whose name may be in any case."""
    return _ask("get_function_hooks", function_name)


def count_hooks(function_name: str) -> int:
    """Return a number that grows with each extension that is registered for a function."""
    problems.log(
        "each call looks for new extensions at a higher cost: this azure-functions is another"
    )
    app, func = application_hooks(), function_hooks(function_name)
    return _count(app, "pre_invocation_app_level") + _count(func, "pre_invocation")


def registered() -> Mapping[str, Any]:
    """Return the names of all extensions, as Microsoft's own report of them has it."""
    text = _ask("get_registered_extensions_json")
    try:
        return cast("Mapping[str, Any]", json.loads(text)) if text else {}
    except ValueError:
        return {}


def register(extension: object, function_name: str) -> None:
    """Register the standard hooks of an extension for a function."""
    # What their constructor, which takes a path alone, and their metaclass do.
    vars(extension)["_trigger_name"] = function_name
    try:
        extension_meta._register_function_extension(extension)  # noqa: SLF001
    except AttributeError as error:
        problems.log(
            f"pre_invocation, post_invocation and post_function_load of {type(extension).__name__} "
            f"do not run, around_invocation does: this azure-functions is another ({error})"
        )


def _count(hooks: Any, name: str) -> int:
    return len(getattr(hooks, name, ())) if hooks else 0


def _ask(getter: str, *args: str) -> Any:  # each returns something else
    try:
        get: Callable[..., Any] = getattr(extension_meta, getter)
        return get(*args)
    except Exception as error:  # noqa: BLE001  (logged; all other extensions run)
        problems.log(
            "extensions written to Microsoft's bases do not run: this azure-functions has no "
            f"ExtensionMeta.{getter} that works ({error!r})"
        )
        return None
