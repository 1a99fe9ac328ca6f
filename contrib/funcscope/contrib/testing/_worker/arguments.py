"""Arguments of a function, completed from those that a test gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.contrib.testing._errors import TestingError
from funcscope.contrib.testing._worker.payloads import is_plain, trigger_object

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from funcscope.contrib.testing._worker.declared import AppFunction
    from funcscope.extensions import Binding


def arguments(
    declared: AppFunction,
    given: Sequence[object],
    by_name: Mapping[str, object],
    metadata: Mapping[str, object],
) -> dict[str, object]:
    """
    Return all arguments that the host gives, by name.

    Args:
        declared: The function.
        given: The trigger, then other input bindings as they are declared.
        by_name: Bindings by name.
        metadata: What the host says of a trigger that is given as plain data.

    Raises:
        TestingError: One is missing, there are too many, or a name is not a binding's.
    """
    trigger = declared.trigger
    others = [name for name in declared.inputs if name != trigger.name]
    free = [name for name in (trigger.name, *others) if name not in by_name]
    if len(given) > len(free):
        raise TestingError(
            f"function {declared.name!r} takes {', '.join(free) or 'nothing'} by position, "
            f"and {len(given)} were given"
        )
    values = {**dict(zip(free, given, strict=False)), **by_name}
    _check_names(declared, values)
    if trigger.name not in values:
        values[trigger.name] = _default(declared, trigger)
    elif is_plain(values[trigger.name]) and not _is_http(trigger):
        values[trigger.name] = trigger_object(values[trigger.name], trigger, metadata)
    missing = [name for name in others if name not in values]
    if missing:
        raise TestingError(
            f"function {declared.name!r} has an input binding {missing[0]!r}: "
            f"invoke(…, {missing[0]}=…)"
        )
    return values


def _check_names(declared: AppFunction, values: Mapping[str, object]) -> None:
    names = [*declared.inputs, *declared.outputs]
    for name in values:
        if name not in names:
            raise TestingError(
                f"function {declared.name!r} has no binding {name!r}; there are: {', '.join(names)}"
            )


def _default(declared: AppFunction, trigger: Binding) -> object:
    """Make a trigger without content: a GET request, a timer in time, a warmup."""
    kind = trigger.type.lower()
    if kind == "httptrigger":
        from azure.functions import HttpRequest

        route = str(trigger.settings.get("route") or declared.name)
        return HttpRequest("GET", f"https://localhost/api/{route}", body=b"")
    if kind in ("timertrigger", "warmuptrigger"):
        return trigger_object({}, trigger, {})
    raise TestingError(
        f"function {declared.name!r} is called with what its {trigger.type} gives: "
        f"invoke({declared.name!r}, …)"
    )


def _is_http(trigger: Binding) -> bool:
    return trigger.type.lower() == "httptrigger"
