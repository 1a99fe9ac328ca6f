"""As much of protobuf's wire format as an OTLP answer needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

_Value = TypeVar("_Value", int, bytes)

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_LENGTHS = {_FIXED64: 8, _FIXED32: 4}
_MAX_VARINT_BITS = 63


def first_field(data: bytes, number: int, kind: type[_Value]) -> _Value | None:
    """
    Return the first value of a field, if it is of a kind.

    Raises:
        ValueError: The bytes are not a message.
    """
    for found, value in read_fields(data):
        if found == number and isinstance(value, kind):
            return value
    return None


def read_fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """
    Read the fields of a message: varints as unsigned numbers, all others as bytes.

    See https://protobuf.dev/programming-guides/encoding/.

    Raises:
        ValueError: The bytes are not a message.
    """
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, at = _read_varint(data, at)
            yield number, value
            continue
        if wire_type == _BYTES:
            length, at = _read_varint(data, at)
        elif wire_type in _FIXED_LENGTHS:
            length = _FIXED_LENGTHS[wire_type]
        else:
            raise ValueError(f"wire type {wire_type} is not known")
        if not number or at + length > len(data):
            raise ValueError("the message is cut short")
        yield number, data[at : at + length]
        at += length


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, _MAX_VARINT_BITS + 1, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # no continuation bit
            return value, at
    raise ValueError("a number is cut short")
