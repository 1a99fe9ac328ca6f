"""A function's bindings, as an app declares them in either programming model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from funcscope.extensions._invocation import Binding

if TYPE_CHECKING:
    from collections.abc import Iterable

_COMMENT = r"//[^\n]*|/\*(?s:.*?)\*/"
_LENIENT = (
    r'"(?:\\(?s:.)|[^"\\])*"'
    rf"|'(?:\\(?s:.)|[^'\\])*'|{_COMMENT}"
    rf"|,(?=(?:\s|{_COMMENT})*[\]}}])|[A-Za-z_$][\w$]*(?=\s*:)"
)
"""What stands in lenient JSON: strings, which are no comments, and what strict JSON has not."""


class DeclaredBinding(Protocol):
    """A binding made by a decorator: `azure.functions.decorators.core.Binding`."""

    def get_dict_repr(self) -> dict[str, object]:
        """Return it with function.json's keys."""
        ...


class DeclaredFunction(Protocol):
    """A function of a v2 app: `azure.functions.decorators.function_app.Function`."""

    def get_bindings(self) -> Iterable[DeclaredBinding]:
        """Return its bindings, the trigger included."""
        ...


def decorated_bindings(function: DeclaredFunction) -> tuple[Binding, ...]:
    """Read the bindings of a v2 function from its decorators."""
    return tuple(_binding(b.get_dict_repr()) for b in function.get_bindings())


def read_bindings(directory: str) -> tuple[Binding, ...]:
    """Read the bindings of a v1 function; none where its file is missing or unreadable."""
    try:
        text = (Path(directory) / "function.json").read_text("utf-8-sig")
        content = json.loads(strict_json(text))
        return tuple(_binding(b) for b in content["bindings"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ()


def strict_json(text: str) -> str:
    """
    Make strict JSON of an app's, in which the Functions host allows more.

    The host reads it with Newtonsoft's `JObject.Parse`: comments, commas after a last element,
    strings in single quotes and names without any. Places stay right, but for columns after such a
    name.
    """
    return re.sub(_LENIENT, _strict, text)  # compiled for v1 apps alone


def _strict(match: re.Match[str]) -> str:
    text = match[0]
    if text[0] == '"':
        return text
    if text[0] == "'":
        inner = re.sub(r'\\(?s:.)|"', _requoted, text[1:-1])
        return f'"{inner}"'
    if text == "," and match.string[: match.start()].rstrip()[-1:] in ("{", "[", ","):
        return text  # it follows no element
    if text[0] in "/,":
        return re.sub(r"[^\n]", " ", text)
    return f'"{text}"'


def _requoted(match: re.Match[str]) -> str:
    """Escape a string's content for double quotes."""
    return {"\\'": "'", '"': '\\"'}.get(match[0], match[0])


def from_types(inputs: Mapping[str, object], outputs: Mapping[str, object]) -> tuple[Binding, ...]:
    """Read as much as a worker's own table of parameters tells."""
    return (
        *(Binding(name, _type_name(info), "in", {}) for name, info in inputs.items()),
        *(Binding(name, _type_name(info), "out", {}) for name, info in outputs.items()),
    )


def conversions(info: object) -> Mapping[str, str] | None:
    """
    Read by which binding type a worker converts what a function puts out, `$return` included.

    `has_return`, `return_type` and `output_types` of `FunctionInfo`, which all workers have; where
    an output's annotation is `Out[str]`, its type there is `generic`. None where that is not so.
    """
    outputs, has_return = getattr(info, "output_types", None), getattr(info, "has_return", None)
    if not isinstance(outputs, Mapping) or not isinstance(has_return, bool):
        return None
    types = {str(name): _type_name(of) for name, of in cast("Any", outputs).items()}
    if has_return:
        types["$return"] = _type_name(getattr(info, "return_type", None))
    return types if all(types.values()) else None


def _binding(declared: Mapping[str, object]) -> Binding:
    """Make our binding of one in function.json's form, with enums as plain values."""
    plain = {key: _plain(value) for key, value in declared.items()}
    direction = declared.get("direction", "in")
    return Binding(
        name=str(plain.pop("name", "")),
        type=str(plain.pop("type", "")),
        direction=(direction.name if isinstance(direction, Enum) else str(direction)).lower(),
        settings={k: v for k, v in plain.items() if k != "direction"},
    )


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return cast("object", value.value)
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item) for item in cast("list[object]", value))
    return value


def _type_name(info: object) -> str:
    """Return `ParamTypeInfo.binding_name` (functions.py, azure-functions-runtime 1.3.0)."""
    return str(getattr(info, "binding_name", ""))
