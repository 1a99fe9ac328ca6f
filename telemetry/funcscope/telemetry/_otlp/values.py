"""
Attributes and bodies in OTLP: `AnyValue` and `KeyValue` of `opentelemetry/proto/common/v1`.

As in `common.proto` of opentelemetry-proto 1.45, and as that version's SDK exporter fills it in.

An app's attributes are mostly the same few again and again, so the bytes of strings and
integers are kept, key by key. What is kept is bounded: 128 keys, and of each its first 32
values that take no more than 512 bytes with their key, which is 5 MB of ASCII at the very
worst and some 100 kB in a usual app. A key whose values never repeat (an invocation's id)
keeps 32 of them, and gets new ones only after 4,096 others. Threads share it: each step on a
dict is atomic, and what two of them compute at once is the same.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import cast

from funcscope.extensions.integration import OnceLog
from funcscope.telemetry._otlp.wire import SHORT, delimited, double, int64, text_field, utf8, varint

_logger = logging.getLogger("funcscope.telemetry")

_MAX_KEYS = 128
_MAX_VALUES = 32
_MAX_LENGTH = 512
_MAX_MISSES = 4096
_LEFT_OUT = "attribute %r is left out of what is exported: %s"
_MAX_SINGLE = len(SHORT) - 1

_MAX_LEVELS = 30
"""
How deep a value may nest: a level takes up to three messages, and decoders refuse the whole
request below a hundred (https://protobuf.dev/programming-guides/proto-limits/), of which the
attribute of an event is the seventh.
"""


def any_value(value: object, levels: int = _MAX_LEVELS) -> bytes:
    """
    Encode a value as an `AnyValue`.

    Raises:
        TypeError: OTLP has no such value.
        ValueError: A number is out of range, or the value nests too deep.
    """
    if value is None:
        return b""
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, str):
        return b"\x0a" + delimited(utf8(value))
    if isinstance(value, int):
        return b"\x18" + int64(value)
    if isinstance(value, float):
        return b"\x21" + double(value)
    if isinstance(value, bytes):
        return b"\x3a" + delimited(value)
    return _nested_value(value, levels)


def text_value(value: object) -> bytes:
    """Encode a value as an `AnyValue`, as its text where OTLP has no such value."""
    try:
        return any_value(value)
    except Exception:  # noqa: BLE001  (what it is, or does, is the user's)
        return any_value(str(value))


def attributes_field(tag: bytes, attributes: Mapping[str, object] | None) -> bytes:
    """
    Return fields that hold attributes, each a `KeyValue`.

    One that cannot be encoded is left out, as the SDK does; its key is logged, once.
    """
    if attributes is None:
        return b""
    fields = [b""]
    append, keys = fields.append, _keys
    for key, value in _copied(attributes).items():
        try:
            kind = type(value)
            if kind is str or kind is int:
                append(keys[key][value])
            elif kind is bool:
                append(keys[key].true if value else keys[key].false)
            else:
                append(keys[key].encode(value))
        except Exception as error:  # noqa: BLE001  (one value may not spoil the others)
            _left_out.log(_LEFT_OUT, str(key), error, key=str(key))
    return tag.join(fields)


class _Key(dict[object, bytes]):
    """
    A key's values, strings and integers alone, as whole `KeyValue` messages after their length.

    One that is not there is encoded, and maybe kept.

    Attributes:
        true: The message whose value is true, which as a dict's key would be the integer 1.
        false: The message whose value is false.
    """

    __slots__ = ("_field", "_room", "false", "true")

    def __init__(self, key: str) -> None:
        super().__init__()
        self._field = _key_field(key)
        self._room = _MAX_VALUES
        self.true = self.encode(True)  # noqa: FBT003  (a value)
        self.false = self.encode(False)  # noqa: FBT003  (a value)

    def __missing__(self, value: str | int) -> bytes:
        encoded = self._encode_text(value) if type(value) is str else self.encode(value)
        room = self._room = self._room - 1
        if room < -_MAX_MISSES:
            self.clear()
            self._room = _MAX_VALUES
        elif room >= 0 and len(encoded) <= _MAX_LENGTH:
            self[value] = encoded
        return encoded

    def encode(self, value: object) -> bytes:
        """Encode a value of any kind."""
        return _key_value(self._field, value, _MAX_LEVELS)

    def _encode_text(self, text: str) -> bytes:
        """Encode a text as `encode` does, more quickly where all lengths are single bytes."""
        try:
            content = text.encode()
        except UnicodeEncodeError:
            return self.encode(text)
        field, size = self._field, len(content)
        whole = len(field) + 3 + size
        if whole > _MAX_SINGLE:
            return self.encode(text)
        return b"".join((SHORT[whole], field, SHORT[size + 2], b"\x0a", SHORT[size], content))


class TextFields(dict["str | None", bytes]):
    """
    Fields that hold a text which repeats, a span's name say; 128 of 512 bytes at most.

    Args:
        tag: The field's.
    """

    __slots__ = ("_tag",)

    def __init__(self, tag: bytes) -> None:
        super().__init__()
        self._tag = tag

    def __missing__(self, text: str | None) -> bytes:
        encoded = text_field(self._tag, text)
        if len(encoded) <= _MAX_LENGTH:
            if len(self) >= _MAX_KEYS:
                self.clear()
            self[text] = encoded
        return encoded


class _Keys(dict[str, _Key]):
    """Keys by name. One that is not there is made, and kept where its length allows."""

    def __missing__(self, key: str) -> _Key:
        if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance]  (the user's)
            raise TypeError(f"an attribute's key is a string, not {key!r}")
        known = _Key(key)
        if len(key) <= _MAX_LENGTH:
            if len(self) >= _MAX_KEYS:
                self.clear()
            self[key] = known
        return known


_keys = _Keys()
_left_out = OnceLog(_logger, limit=_MAX_KEYS)


def _key_field(key: str) -> bytes:
    """Return what a `KeyValue` holds before its value's length."""
    return text_field(b"\x0a", key) + b"\x12"


def _key_value(key_field: bytes, value: object, levels: int) -> bytes:
    """Encode a `KeyValue` with its length before it."""
    encoded = any_value(value, levels)
    length = varint(len(encoded))
    return varint(len(key_field) + len(length) + len(encoded)) + key_field + length + encoded


def _nested_value(value: object, levels: int) -> bytes:
    if not levels:
        raise ValueError(f"a value nests more than {_MAX_LEVELS} levels deep")
    if isinstance(value, Sequence):
        items = [any_value(item, levels - 1) for item in cast("Sequence[object]", value)]
        return b"\x2a" + delimited(b"".join([b"\x0a" + delimited(item) for item in items]))
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        fields = [
            b"\x0a" + _key_value(_key_field(str(key)), item, levels - 1) for key, item in pairs
        ]
        return b"\x32" + delimited(b"".join(fields))
    raise TypeError(f"OTLP has no value for a {type(value).__qualname__}: convert it to text")


def _copied(attributes: Mapping[str, object]) -> Mapping[str, object]:
    """Return attributes as a dict: the SDK's mappings are slow to walk, and quick to copy."""
    try:
        return cast("dict[str, object]", attributes).copy()
    except AttributeError:
        return dict(attributes)
