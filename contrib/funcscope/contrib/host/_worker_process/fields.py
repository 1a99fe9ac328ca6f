"""Fields of messages: one value, a list or a map of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from .items import ITEMS, Item, delimited
from .wire import DELIMITED, RawField, read_fields, read_varint, tag

if TYPE_CHECKING:
    from .table import Field

Values: TypeAlias = "dict[str, Any]"
"""A message's values by the names of their fields; what is not there is unset."""

_KEY, _VALUE = 1, 2


class OneValue:
    """A field that holds one value."""

    def __init__(self, field: Field, item: Item) -> None:
        self.name = field.name
        self.in_oneof = field.in_oneof
        self.item = item
        self._tag = tag(field.number, item.wire)

    def default(self) -> Any:
        """Make the value of an unset field."""
        return self.item.default()

    def check(self, value: Any) -> Any:
        """Make the value to keep of an app's; TypeError and ValueError say what is wrong."""
        return self.item.check(value)

    def write(self, value: Any) -> bytes:
        """Encode the field; nothing where it has its default and no presence."""
        if not self.in_oneof and self._is_default(value):
            return b""
        return self._tag + self.item.write(value)

    def merge(self, values: Values, raw: RawField) -> bool:
        """Take a field's value over; False where it is written as no such value is."""
        if raw.wire != self.item.wire:
            return False
        values[self.name] = self.item.read(raw.value)
        return True

    def _is_default(self, value: Any) -> bool:
        return not value and str(value) != "-0.0"


class OneMessage(OneValue):
    """A field that holds a message."""

    def write(self, value: Any) -> bytes:
        """Encode it; an empty message, too, is a value."""
        return self._tag + self.item.write(value)

    def merge(self, values: Values, raw: RawField) -> bool:
        """Take a value over into the one that is there."""
        if raw.wire == DELIMITED and self.name in values:
            values[self.name].MergeFromString(raw.value)
            return True
        return super().merge(values, raw)


class ManyValues(OneValue):
    """A repeated field."""

    def default(self) -> list[Any]:
        """Make an empty list."""
        return []

    def check(self, value: Any) -> list[Any]:
        """Make a list of checked values."""
        return [self.item.check(each) for each in value]

    def write(self, value: Any) -> bytes:
        """Encode all values, numbers as one."""
        written = [self.item.write(each) for each in value]
        if not written or not self.item.is_packed:
            return b"".join(self._tag + each for each in written)
        return self._packed_tag + delimited(b"".join(written))

    def merge(self, values: Values, raw: RawField) -> bool:
        """Add a value, or several in one."""
        read = self._read(raw)
        if read is None:
            return False
        values.setdefault(self.name, []).extend(read)
        return True

    def __init__(self, field: Field, item: Item) -> None:
        super().__init__(field, item)
        self._packed_tag = tag(field.number, DELIMITED)

    def _read(self, raw: RawField) -> list[Any] | None:
        if raw.wire == self.item.wire:
            return [self.item.read(raw.value)]
        if raw.wire != DELIMITED or isinstance(raw.value, int):
            return None
        return list(_unpack(raw.value, self.item))


class ValueByName(OneValue):
    """A map from text, which is written as a list of entries."""

    def __init__(self, field: Field, item: Item) -> None:
        super().__init__(field, item)
        self._tag = tag(field.number, DELIMITED)
        self._value_tag = tag(_VALUE, item.wire)
        self._key_tag = tag(_KEY, DELIMITED)

    def default(self) -> dict[str, Any]:
        """Make an empty map."""
        return {}

    def check(self, value: Any) -> dict[str, Any]:
        """Make a map of checked names and values."""
        text = ITEMS["string"]
        return {text.check(key): self.item.check(each) for key, each in dict(value).items()}

    def write(self, value: Any) -> bytes:
        """Encode all entries."""
        text = ITEMS["string"]
        return b"".join(
            self._tag
            + delimited(self._key_tag + text.write(key) + self._value_tag + self.item.write(each))
            for key, each in value.items()
        )

    def merge(self, values: Values, raw: RawField) -> bool:
        """Take an entry over."""
        if raw.wire != DELIMITED or isinstance(raw.value, int):
            return False
        entry = {field.number: field.value for field in read_fields(raw.value)}
        key = ITEMS["string"].read(entry[_KEY]) if _KEY in entry else ""
        value = self.item.read(entry[_VALUE]) if _VALUE in entry else self.item.default()
        values.setdefault(self.name, {})[key] = value
        return True


def _unpack(data: memoryview, item: Item) -> list[Any]:
    found: list[Any] = []
    position = 0
    while position < len(data):
        if item.wire == 0:
            number, position = read_varint(data, position)
            found.append(item.read(number))
        else:
            found.append(item.read(data[position : position + 8]))
            position += 8
    return found


def make_field(field: Field, item: Item, *, is_message: bool) -> OneValue:
    """Make what reads and writes a field of a table's layout."""
    if field.is_map:
        return ValueByName(field, item)
    if field.is_repeated:
        return ManyValues(field, item)
    return OneMessage(field, item) if is_message else OneValue(field, item)
