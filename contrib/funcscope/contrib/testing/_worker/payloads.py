"""
A trigger's object, made of plain data as a worker makes it of its host's payload.

The converters of azure-functions themselves make the object.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from funcscope.contrib._local.payloads import make_payload, typed
from funcscope.contrib.testing._errors import TestingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.extensions import Binding

_PLAIN = (str, bytes, int, float, bool, type(None))
_AS_ROWS = {"mysqltrigger": "cosmosDBTrigger", "sqltrigger": "cosmosDBTrigger"}
"""Triggers whose rows come as the documents of another do."""


def is_plain(value: object) -> bool:
    """Tell whether a value is text, bytes or JSON, and not yet a trigger's object."""
    if type(value) is dict:
        fields = cast("Mapping[object, object]", value)
        return all(isinstance(key, str) and is_plain(v) for key, v in fields.items())
    if type(value) is list:
        return all(map(is_plain, cast("list[object]", value)))
    return type(value) in _PLAIN


def trigger_object(value: object, binding: Binding, metadata: Mapping[str, object]) -> object:
    """
    Make a trigger's object of plain data.

    Args:
        value: Text, bytes or anything that JSON has; a list is a batch where the trigger has
            `cardinality` many.
        binding: The trigger.
        metadata: What else the host would say, such as a message's `DequeueCount`; it is added to
            the defaults, and replaces those of the same names.

    Raises:
        TestingError: The worker could make nothing of it.
    """
    kind = binding.type.lower()
    if kind == "activitytrigger":
        return value  # what went through Durable's JSON is what it was
    from azure.functions import get_binding_registry

    converter: Any = get_binding_registry().get(binding.type)  # type: ignore[no-untyped-call]
    payload = make_payload(_AS_ROWS.get(kind, kind), value, binding.settings)
    if converter is None:  # `GenericBinding.decode`, azure-functions-runtime 1.3.0
        return payload.value.value
    sent = {name: _datum(item) for name, item in {**payload.metadata, **metadata}.items()}
    try:
        return cast("object", converter.decode(_datum(payload.value), trigger_metadata=sent))
    except Exception as error:
        raise TestingError(
            f"a {binding.type} cannot be made of {value!r}: {error!r}; pass an object of "
            "azure.functions instead"
        ) from error


def _datum(item: object) -> object:
    """Make an `azure.functions.meta.Datum`; what is one already, as a test may give, stays."""
    from azure.functions.meta import Datum

    if isinstance(item, Datum):
        return item
    kind, value = typed(item)
    collection = kind.removeprefix("collection_")
    return Datum(value if collection == kind else SimpleNamespace(**{collection: value}), kind)
