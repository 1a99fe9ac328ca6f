"""
A worker's conversion of a function's results, and its refusals.

A worker converts what a function returned, and what it put into its outputs, when the function is
done. What it cannot convert fails the invocation: an HTTP caller gets 500. What each binding type
takes was read in `azure/functions/*.py`, the converters' `encode` (azure-functions 1.24.0 and
2.3.0), and, for types without a converter, in the workers' `bindings/generic.py`
(azure-functions-runtime 1.3.0 and -v1 1.2.0). The converters themselves cannot be asked: they read
streams, use up iterators, and take cookies off responses. So nothing here looks at more than types,
but for items of Python's own containers, and what is not known to be refused is taken: a text that
is no Unicode, what a class makes of itself, the items of an iterator.

docs/decisions/036 says why.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import azure.functions as func

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.extensions import Function, Invocation

    Takes = Callable[[object], bool]
    Refusal = tuple[str, str]  # `error.type`, and what is wrong, for people

RETURN = "$return"
UNSUPPORTED_RETURN = "unsupported_return_value"
"""`error.type` where a worker refuses what a function returned."""
UNSUPPORTED_OUTPUT = "unsupported_output_value"
"""`error.type` where it refuses what a function has put into an output."""

_MOST_ITEMS = 1000  # are looked at; more would hold an event loop
_CONTAINERS = (list, tuple, set, frozenset, dict, str, bytes, bytearray, memoryview, range)
_JSON = (str, int, float, dict, list, tuple)
_BITS = 63  # of an int that the protocol has room for


class _Kind(NamedTuple):
    """The values that a binding type takes, for the program and for people."""

    takes: Takes
    wanted: str


def _is_response(value: object) -> bool:
    if isinstance(value, (str, func.HttpResponse)):
        return True
    return any(  # another class with the same base, as the converter has it
        kind.__name__ == "HttpResponse" and kind.__module__ == "azure.functions._abc"
        for kind in type(value).__mro__
    )


def _is_text(value: object) -> bool:
    return isinstance(value, (str, bytes))


def _is_blob(value: object) -> bool:
    return isinstance(value, (str, bytes, bytearray)) or hasattr(value, "read")


def _is_generic(value: object) -> bool:
    if isinstance(value, int):
        return int.bit_length(value) <= _BITS
    if isinstance(value, (dict, list)):
        return _is_json(cast("object", value))
    return value is None or isinstance(value, (str, bytes, bytearray, float))


def _is_event(value: object) -> bool:
    """Tell what an event hub takes: all else is sent as nothing, without an error."""
    if isinstance(value, int):
        return int.bit_length(value) <= _BITS
    return not isinstance(value, list) or _is_json(cast("object", value))


def _is_activity_result(value: object) -> bool:
    return _is_json(value, lambda leaf: hasattr(leaf, "to_json"))


def _is_nothing(_value: object) -> bool:
    return False


def _is_something(value: object) -> bool:
    return value is not None


def _of(*names: str) -> Takes:
    """Take instances of classes of azure.functions, of which an old version lacks some."""
    classes = tuple(c for name in names if isinstance(c := getattr(func, name, None), type))
    return lambda value: isinstance(value, classes)


def _one_or_many(is_one: Takes, is_item: Takes) -> Takes:
    """Take one, or what can be iterated over; items are known of Python's own containers alone."""

    def takes(value: object) -> bool:
        if is_one(value):
            return True
        kind = type(value)
        is_known = kind in _CONTAINERS or kind.__module__.startswith("azure.functions.")
        if not isinstance(value, Iterable) or not (is_known or isinstance(value, (str, bytes))):
            return isinstance(value, Iterable) and not _has_pairs(kind)
        items = cast("Iterable[object]", value)
        return all(map(is_item, islice(items, _MOST_ITEMS)))

    return takes


def _has_pairs(kind: type) -> bool:
    """Tell whether iterating gives the names and values of pydantic's fields, which none takes."""
    model: Any = getattr(sys.modules.get("pydantic"), "BaseModel", None)
    return model is not None and getattr(kind, "__iter__", None) is model.__iter__


def _is_json(value: object, is_leaf: Takes = lambda _: False) -> bool:
    """Tell whether `json.dumps` takes a value, as far as its first items tell."""
    waiting, left = [value], _MOST_ITEMS
    while waiting and left > 0:
        left -= 1
        item = waiting.pop()
        if type(item) is dict:
            of_dict = cast("Mapping[object, object]", item)
            if not all(map(_is_key, islice(of_dict, left))):
                return False
            waiting.extend(islice(of_dict.values(), left))
        elif type(item) in (list, tuple):
            waiting.extend(islice(cast("Iterable[object]", item), left))
        elif item is not None and not isinstance(item, _JSON) and not is_leaf(item):
            return False
    return True


def _is_key(key: object) -> bool:
    return key is None or isinstance(key, (str, int, float))


def _messages(name: str, wanted: str) -> _Kind:
    """Take texts and objects of a class, and lists of str and such objects."""
    is_message = _of(name)

    def is_item(value: object) -> bool:
        return isinstance(value, str) or is_message(value)

    return _Kind(_one_or_many(lambda value: _is_text(value) or is_item(value), is_item), wanted)


def _rows(name: str) -> _Kind:
    """Take what a database's binding has classes for: a row, and a list of rows."""
    takes = _one_or_many(_of(name, f"{name}List"), _of(name))
    return _Kind(takes, f"an azure.functions.{name} or {name}List")


_JSON_TEXT = "a str, bytes, a number, None, or a dict or list of what JSON has"
_GENERIC = _Kind(_is_generic, _JSON_TEXT)
_KINDS: Mapping[str, _Kind] = {
    "http": _Kind(_is_response, "a str or an azure.functions.HttpResponse"),
    "blob": _Kind(_is_blob, "a str, bytes, or a stream"),
    "queue": _messages(
        "QueueMessage",
        "a str, bytes, an azure.functions.QueueMessage, or a list of str and such messages",
    ),
    "serviceBus": _Kind(_is_text, "a str or bytes"),
    "eventHub": _Kind(_is_event, "a str, bytes, an int, or a list of what JSON has"),
    "eventGrid": _messages(
        "EventGridOutputEvent",
        "a str, bytes, an azure.functions.EventGridOutputEvent, or a list of these",
    ),
    "cosmosDB": _rows("Document"),
    "sql": _rows("SqlRow"),
    "mysql": _rows("MySqlRow"),
    "kafka": _Kind(_is_nothing, "nothing without the annotation Out[str]"),
    "activityTrigger": _Kind(_is_activity_result, "what JSON has, or objects with to_json"),
}
_STREAM = _Kind(_is_something, "a response")


class Conversion:
    """
    How a worker converts what comes out of a function.

    Args:
        function: The function, with the types that its worker converts.
    """

    def __init__(self, function: Function) -> None:
        trigger, conversions = function.trigger, function.conversions or {}
        is_http = trigger is not None and trigger.type.lower() == "httptrigger"
        self._outputs = [
            (name, type_name, kind)
            for name, type_name in conversions.items()
            if name != RETURN and (kind := _kind(type_name)) is not None
        ]
        self._return_type = conversions.get(RETURN)
        self._return: _Kind | None = None
        if self._return_type is not None:
            self._return = _STREAM if is_http and _has_streams() else _kind(self._return_type)

    def refusal(self, invocation: Invocation, returned: object) -> Refusal | None:
        """Return why what a function returned and put out is refused; None where it is not."""
        if self._return_type is None and returned is not None:
            problem = f"returned {_named(returned)}, and has no $return binding: return None"
            return UNSUPPORTED_RETURN, problem
        for name, type_name, kind in self._outputs:
            value = _value(invocation.args.get(name))
            if value is not None and not kind.takes(value):
                problem = (
                    f"output {name} ({type_name}) was set to {_named(value)}, which no worker "
                    f"takes: set it to {kind.wanted}"
                )
                return UNSUPPORTED_OUTPUT, problem
        if self._return is not None and not self._return.takes(returned):
            problem = (
                f"returned {_named(returned)}, which no worker takes for $return "
                f"({self._return_type}): return {self._return.wanted}"
            )
            return UNSUPPORTED_RETURN, problem
        return None


def _kind(type_name: str) -> _Kind | None:
    """Find what a binding type takes; None where somebody else converts it."""
    registry: Any = func.get_binding_registry()  # type: ignore[no-untyped-call]  # has no types
    converter = registry.get(type_name)
    if converter is None:
        return _GENERIC
    is_known = str(converter.__module__).startswith("azure.functions.")
    return _KINDS.get(type_name) if is_known else None


def _has_streams() -> bool:
    """
    Tell whether the worker serves HTTP itself, and hands on what a function returns as it is.

    `HttpV2Registry` in `http_v2.py` of azure-functions-runtime 1.3.0.
    """
    base = sys.modules.get("azurefunctions.extensions.base")
    checker: Any = getattr(base, "HttpV2FeatureChecker", None)
    return checker is not None and bool(checker.http_v2_enabled())


def _value(out: object) -> object:
    get = getattr(out, "get", None)
    return get() if callable(get) else None


def _named(value: object) -> str:
    if value is None:
        return "None"
    kind = type(value)
    builtin = kind.__module__ == "builtins"
    return kind.__qualname__ if builtin else f"{kind.__module__}.{kind.__qualname__}"
