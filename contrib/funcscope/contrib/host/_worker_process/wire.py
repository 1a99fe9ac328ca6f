"""
The wire format of protobuf: numbers, tags, and the fields of a message's bytes.

Source: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5
_WIDTHS = {FIXED64: 8, FIXED32: 4}
_MASK = (1 << 64) - 1
_MOST_VARINT_BYTES = 10

RawValue: TypeAlias = "int | memoryview"
"""A varint's number, or the bytes of any other value."""


class RawField(NamedTuple):
    """A field as it stands in bytes: `whole` has its tag as well."""

    number: int
    wire: int
    value: RawValue
    whole: memoryview


def varint(number: int) -> bytes:
    """Encode a number; a negative one as its two's complement of 64 bits."""
    number &= _MASK
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def tag(number: int, wire: int) -> bytes:
    """Encode what stands before a field's value."""
    return varint(number << 3 | wire)


def signed(number: int, bits: int = 64) -> int:
    """Read the lowest bits of a number as two's complement."""
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def read_varint(data: memoryview, start: int) -> tuple[int, int]:
    """
    Read a number, and where the next byte is.

    Raises:
        ValueError: It does not end.
    """
    number = shift = 0
    for position in range(start, min(start + _MOST_VARINT_BYTES, len(data))):
        byte = data[position]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & _MASK, position + 1
        shift += 7
    raise ValueError("a number of a message does not end")


def read_fields(data: memoryview) -> Iterator[RawField]:
    """
    Read the fields of a message.

    Raises:
        ValueError: The bytes are no message.
    """
    end = 0
    while end < len(data):
        start = end
        key, end = read_varint(data, start)
        value, end = _read_value(data, key & 7, end)
        if key >> 3 == 0:
            raise ValueError("a field of a message has the number 0")
        yield RawField(key >> 3, key & 7, value, data[start:end])


def _read_value(data: memoryview, wire: int, start: int) -> tuple[RawValue, int]:
    if wire == VARINT:
        return read_varint(data, start)
    size = _WIDTHS.get(wire)
    if wire == DELIMITED:
        size, start = read_varint(data, start)
    if size is None or start + size > len(data):
        raise ValueError("a field of a message is cut off, or of an unknown kind")
    return data[start : start + size], start + size
