"""
Values that a field of a message holds: scalars and enums.

What is refused, and how, is what protobuf's own classes do (5.29, C implementation), since workers
leave it to them: a header that is no text fails the invocation. A number may be a bool, which
protobuf 7 refuses.
"""

from __future__ import annotations

import functools
import operator
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from .wire import DELIMITED, FIXED64, VARINT, RawValue, signed, varint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DOUBLE = struct.Struct("<d")


class Item(NamedTuple):
    """
    One value, of whatever type.

    Attributes:
        wire: How it is written, as protobuf numbers that.
        default: Makes the value that an unset field has.
        check: Makes of an app's value the one that is kept, or raises TypeError or ValueError.
        write: Encodes it without its tag.
        read: Decodes it.
    """

    wire: int
    default: Callable[[], Any]
    check: Callable[[Any], Any]
    write: Callable[[Any], bytes]
    read: Callable[[Any], Any]

    @property
    def is_packed(self) -> bool:
        """Whether a list of these is written as one value."""
        return self.wire != DELIMITED


def delimited(content: bytes) -> bytes:
    """Encode bytes with their length before them."""
    return varint(len(content)) + content


def enum_item(values: tuple[str, ...]) -> Item:
    """Describe an enum, whose values are given by name or number."""
    numbers: Mapping[str, int] = {name: number for number, name in enumerate(values)}

    def check(value: object) -> int:
        if not isinstance(value, str):
            return _integer(value, 32)
        if value not in numbers:
            raise ValueError(f"unknown enum label {value!r}: use one of {', '.join(values)}")
        return numbers[value]

    return _integers(32)._replace(check=check)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, str):
        raise TypeError(f"expected str, {type(value).__name__} found")
    value.encode()  # a lone surrogate has no place in a message
    return value


def _octets(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"expected bytes, {type(value).__name__} found")
    return value


def _integer(value: Any, bits: int) -> int:
    number = operator.index(value)
    if not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
        raise ValueError(f"Value out of range: {number}")
    return number


def _real(value: Any) -> float:
    if isinstance(value, str | bytes | bytearray):
        raise TypeError(f"must be real number, not {type(value).__name__}")
    return float(value)


def _truth(value: Any) -> bool:
    return bool(_integer(value, 64))


def _write_text(text: str) -> bytes:
    return delimited(text.encode())


def _read_text(raw: memoryview) -> str:
    return str(raw, "utf-8")


def _read_real(raw: memoryview) -> float:
    number: float = _DOUBLE.unpack(raw)[0]
    return number


def _read_integer(raw: RawValue, bits: int) -> int:
    return signed(_number(raw), bits)


def _integers(bits: int) -> Item:
    check = functools.partial(_integer, bits=bits)
    return Item(VARINT, int, check, varint, functools.partial(_read_integer, bits=bits))


def _zigzag(number: int) -> bytes:
    return varint(number << 1 ^ number >> 63)


def _unzigzag(raw: RawValue) -> int:
    number = _number(raw)
    return number >> 1 ^ -(number & 1)


def _number(raw: RawValue) -> int:
    if not isinstance(raw, int):
        raise TypeError("a number of a message is written as bytes")
    return raw


ITEMS: Mapping[str, Item] = {
    "string": Item(DELIMITED, str, _text, _write_text, _read_text),
    "bytes": Item(DELIMITED, bytes, _octets, delimited, bytes),
    "bool": Item(VARINT, bool, _truth, varint, bool),
    "double": Item(FIXED64, float, _real, _DOUBLE.pack, _read_real),
    "int32": _integers(32),
    "int64": _integers(64),
    "sint64": _integers(64)._replace(write=_zigzag, read=_unzigzag),
}
