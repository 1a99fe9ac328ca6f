"""
Protobuf's wire format, as much of it as OTLP needs, both ways: no protobuf is imported.

Source: https://protobuf.dev/programming-guides/encoding/. A field is a tag, `number << 3 | type`,
and its value; writers are passed tags as the bytes they are. The types are 0 for varints, 1 and 5
for eight and four bytes, the lowest first, and 2 for bytes after their count.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

_Value = TypeVar("_Value", int, bytes)

fixed32 = Struct("<I").pack
fixed64 = Struct("<Q").pack
double = Struct("<d").pack

SHORT = tuple(bytes((number,)) for number in range(128))
"""The varints that take one byte."""

_UINT32, _INT64, _UINT64 = 1 << 32, 1 << 63, 1 << 64

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_LENGTHS = {_FIXED64: 8, _FIXED32: 4}
_MAX_VARINT_BITS = 63


def varint(number: int) -> bytes:
    """Encode a number from 0 on: seven bits a byte, the lowest first, the last below 128."""
    if number < 128:
        return SHORT[number]
    if number < 16384:
        return bytes((number & 127 | 128, number >> 7))
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def int64(number: int) -> bytes:
    """
    Encode a signed number as a varint; a negative one as its two's complement, in ten bytes.

    Raises:
        ValueError: The number does not fit in 64 bits.
    """
    if not -_INT64 <= number < _INT64:
        raise ValueError("an integer does not fit in 64 bits: send it as text")
    return varint(number % _UINT64)


def delimited(content: bytes) -> bytes:
    """Put a content's length before it, as strings, bytes and messages have it."""
    return varint(len(content)) + content


def utf8(text: str) -> bytes:
    """Encode text, with `?` for lone surrogates, which UTF-8 has no bytes for."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def text_field(tag: bytes, text: str | None) -> bytes:
    """Return a field that holds text: nothing where there is none, the default not being sent."""
    return tag + delimited(utf8(text)) if text else b""


def count_field(tag: bytes, count: int) -> bytes:
    """
    Return a field that holds a count: nothing for 0.

    Raises:
        ValueError: The count does not fit in an unsigned 32 bits.
    """
    if not count:
        return b""
    if not 0 < count < _UINT32:
        raise ValueError(f"a count of {count!r} does not fit in 32 bits")
    return tag + varint(count)


def time_field(tag: bytes, time_ns: int | None) -> bytes:
    """Return a field that holds a time in nanoseconds: nothing for 0, or where there is none."""
    return tag + fixed64(time_ns) if time_ns else b""


def first_field(data: bytes, number: int, kind: type[_Value]) -> _Value | None:
    """
    Return the first value of a field, if it is of a kind.

    Raises:
        ValueError: The bytes are not a message.
    """
    for field, value in read_fields(data):
        if field == number and isinstance(value, kind):
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
