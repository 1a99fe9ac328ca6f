"""
What a worker makes of a function's outputs, as far as that may fail.

The converters of azure-functions themselves make the values; what stands here is what workers do
around them. Sources: `bindings/meta.py`, `bindings/generic.py`, `bindings/datumdef.py` and
`functions.py` of azure-functions-runtime 1.3.0; the classic worker 4.34 has the same.
"""

from __future__ import annotations

import json
import sys
import typing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import azure.functions

if TYPE_CHECKING:
    from funcscope.extensions import Binding

_GENERIC: tuple[tuple[str | None, type | tuple[type, ...]], ...] = (
    ("string", str),
    ("bytes", (bytes, bytearray)),
    (None, type(None)),
    ("dict", dict),
    ("list", list),
    ("int", int),
    ("double", float),
)
_LEAST_INT, _MOST_INT = -(2**63), 2**63 - 1  # `sint64`


class OutgoingType(NamedTuple):
    """
    The type of an output, with the fields of a worker's `ParamTypeInfo`.

    Attributes:
        binding_name: The binding's type, or `generic`.
        pytype: The annotation, of an `Out` what is in it; None where there is none.
    """

    binding_name: str
    pytype: Any = None


def outgoing_type(kind: str, annotation: object) -> OutgoingType:
    """Return the type of an output binding: text and bytes go to any of them as they are."""
    inner = typing.get_args(annotation)
    pytype = inner[0] if inner and _origin_name(annotation) == "Out" else annotation
    is_plain = pytype in (str, bytes) and not has_implicit_output(kind)
    return OutgoingType("generic" if is_plain else kind, pytype)


def has_implicit_output(kind: str) -> bool:
    """Tell whether a trigger's function may return something without `$return`."""
    converter = converter_of(kind)
    if converter is None:
        return kind != "durableClient"
    return bool(getattr(converter, "has_implicit_output", lambda: False)())


def converter_of(kind: str) -> Any:
    """Return what azure-functions converts a binding's values with; None where it has nothing."""
    library: Any = azure.functions  # it has no types for this
    return library.get_binding_registry().get(kind)


def annotation_problem(binding: Binding, annotation: object) -> str | None:
    """
    Say why a worker would not load a function with this annotation of a parameter.

    Args:
        binding: The parameter's.
        annotation: As it is read; types of SDK clients are left to their own package.
    """
    is_out = _origin_name(annotation) == "Out"
    if is_out != (binding.direction == "out"):
        needed = "has to be" if binding.direction == "out" else "must not be"
        return (
            f"its annotation {needed} azure.functions.Out, as its direction is {binding.direction}"
        )
    kind, pytype = outgoing_type(binding.type, annotation)
    converter = converter_of(kind)
    if not isinstance(pytype, type) or _is_client(pytype):
        return None
    if converter is None:
        fits = issubclass(pytype, (str, bytes, bytearray) if is_out else (str, bytes))
    elif is_out:
        fits = converter.check_output_type_annotation(pytype)
    else:
        fits = converter.check_input_type_annotation(pytype)
    if fits:
        return None
    return (
        f'type of {binding.name} binding in its declaration "{binding.type}" does not match '
        f'its Python annotation "{pytype.__name__}"'
    )


def _is_client(pytype: type) -> bool:
    base = sys.modules.get("azurefunctions.extensions.base")
    return base is not None and bool(base.get_binding_registry().check_supported_type(pytype))


def check_outgoing(value: object, outgoing: OutgoingType) -> None:
    """
    Convert an output as a worker does, for its errors alone.

    Raises:
        TypeError: The value does not fit its binding; any other error is a converter's own.
    """
    converter = converter_of(outgoing.binding_name)
    try:
        if converter is None:
            datum: object = _encode_generic(value)
        else:
            datum = converter.encode(value, expected_type=outgoing.pytype)
    except NotImplementedError:
        raise unsupported(outgoing.binding_name, value) from None
    check_datum(datum)


def unsupported(kind: str, value: object) -> TypeError:
    """Make the error of a worker for a value that a binding does not take."""
    return TypeError(
        f'unable to encode outgoing TypedData: unsupported type "{kind}" for '
        f'Python type "{type(value).__name__}"'
    )


def check_datum(datum: Any) -> None:
    """
    Check that a converter's result fits the protocol's message (`datum_as_proto`).

    Raises:
        TypeError: An object in it has no JSON.
        ValueError: A number has too many digits.
    """
    if datum is None:
        return
    if datum.type in ("dict", "list"):
        json.dumps(datum.value)
    elif datum.type == "int" and not _LEAST_INT <= datum.value <= _MOST_INT:
        raise ValueError(f"Value out of range: {datum.value}")


def _encode_generic(value: object) -> SimpleNamespace:
    """Encode a value of a binding without a converter."""
    for kind, types in _GENERIC:
        if isinstance(value, types):
            return SimpleNamespace(type=kind, value=value)
    raise NotImplementedError


def _origin_name(annotation: object) -> str:
    origin = typing.get_origin(annotation) or annotation
    return str(getattr(origin, "__name__", ""))
