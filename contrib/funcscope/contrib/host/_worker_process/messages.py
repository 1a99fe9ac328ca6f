# ruff: noqa: N802  (the methods have protobuf's names)
"""
Stand-ins for protobuf's message classes, as library workers use them.

The app's environment need not have protobuf, and the worker's process must not load the one that it
has: an app may pin any version. Only what workers and bindings' extensions do with messages is
here. Fields that a message does not know are kept, as protobuf keeps them.
"""

from __future__ import annotations

import functools
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from .fields import OneMessage, OneValue, make_field
from .items import ITEMS, Item, delimited, enum_item
from .table import ENUMS, WELL_KNOWN, layouts
from .wire import DELIMITED, read_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .table import Field, Layout

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class PlainMessage:
    """
    A message. Fields are attributes; those that are unset have their type's empty value.

    Args:
        values: Fields by name; None leaves a field unset.

    Raises:
        ValueError: There is no such field, or it cannot hold this value.
        TypeError: It cannot hold values of this type.
    """

    __slots__ = ("_lazy", "_unknown", "_values")

    NAME: ClassVar[str]
    ONEOF: ClassVar[str]
    FIELDS: ClassVar[dict[str, OneValue]]
    NUMBERS: ClassVar[dict[int, OneValue]]
    _values: dict[str, Any]
    _lazy: dict[str, Any]
    _unknown: bytes

    def __init__(self, **values: Any) -> None:
        self._start()
        for name, value in values.items():
            if name not in self.FIELDS:
                raise ValueError(f'Protocol message {self.NAME} has no "{name}" field.')
            if value is not None:
                self._set(self.FIELDS[name], value)

    def __getattr__(self, name: str) -> Any:
        field = type(self).FIELDS.get(name)
        if field is None:
            raise AttributeError(name)
        if name in self._values:
            return self._values[name]
        if type(field) is OneValue:
            return field.default()
        if field.in_oneof:
            return field.default()  # reading sets nothing
        if isinstance(field, OneMessage):
            return self._lazy.setdefault(name, field.default())
        return self._values.setdefault(name, field.default())

    def __setattr__(self, name: str, value: Any) -> None:
        field = self.FIELDS.get(name)
        if type(field) is not OneValue:
            raise AttributeError(
                f'Assignment not allowed to field "{name}" in protocol message object.'
            )
        self._set(field, value)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._content() == other._content()

    __hash__ = None  # type: ignore[assignment]  # as protobuf's: messages can change

    def __repr__(self) -> str:
        return f"{self.NAME}({', '.join(f'{n}={v!r}' for n, v in self._content()[0].items())})"

    def HasField(self, name: str) -> bool:
        """Tell whether a message or a field of a oneof is set."""
        return name in self._content()[0]

    def WhichOneof(self, oneof: str) -> str | None:
        """Return the name of the field that is set of a oneof."""
        if oneof != self.ONEOF:
            raise ValueError(f'Protocol message {self.NAME} has no "{oneof}" field.')
        return next((name for name in self._values if self.FIELDS[name].in_oneof), None)

    def SerializeToString(self) -> bytes:
        """Encode the message."""
        values = self._content()[0]
        written = [f.write(values[n]) for n, f in self.FIELDS.items() if n in values]
        return b"".join([*written, self._unknown])

    def MergeFromString(self, data: bytes | memoryview) -> int:
        """Take over what encoded bytes say."""
        self._values.update({n: v for n, v in self._lazy.items() if n not in self._values})
        unknown = [self._unknown]
        for raw in read_fields(memoryview(data)):
            field = self.NUMBERS.get(raw.number)
            if field is None or not field.merge(self._values, raw):
                unknown.append(bytes(raw.whole))
            elif field.in_oneof:
                self._choose(field)
        object.__setattr__(self, "_unknown", b"".join(unknown))
        return len(data)

    @classmethod
    def FromString(cls, data: bytes | memoryview) -> PlainMessage:
        """
        Decode a message.

        Raises:
            ValueError: The bytes are no message.
        """
        message = cls()
        message.MergeFromString(data)
        return message

    def _start(self) -> None:
        object.__setattr__(self, "_values", {})
        object.__setattr__(self, "_lazy", {})
        object.__setattr__(self, "_unknown", b"")

    def _set(self, field: OneValue, value: Any) -> None:
        self._values[field.name] = field.check(value)
        if field.in_oneof:
            self._choose(field)

    def _choose(self, field: OneValue) -> None:
        for name in [n for n in self._values if self.FIELDS[n].in_oneof and n != field.name]:
            del self._values[name]

    def _content(self) -> tuple[dict[str, Any], bytes]:
        """Return all values that are set, and messages that were read first and then filled."""
        filled = {n: v for n, v in self._lazy.items() if v._content() != ({}, b"")}  # noqa: SLF001
        values = {n: v for n, v in {**filled, **self._values}.items() if self._is_set(n, v)}
        return values, self._unknown

    def _is_set(self, name: str, value: Any) -> bool:
        field = self.FIELDS[name]
        return field.in_oneof or isinstance(field, OneMessage) or value != field.default()


def _as_fields(value: Any) -> Mapping[str, Any]:
    """Return the fields of what protobuf takes for a message that is none of ours."""
    if isinstance(value, timedelta):
        seconds, rest = divmod(abs(value), timedelta(seconds=1))
        sign = -1 if value < timedelta() else 1
        return {"seconds": sign * seconds, "nanos": sign * rest.microseconds * 1000}
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        seconds, rest = divmod(moment - _EPOCH, timedelta(seconds=1))
        return {"seconds": seconds, "nanos": rest.microseconds * 1000}
    if hasattr(value, "seconds") and hasattr(value, "nanos"):  # protobuf's own, from older workers
        return {"seconds": value.seconds, "nanos": value.nanos}
    raise TypeError(f"expected a message or a dict of its fields, {type(value).__name__} found")


def _message_item(cls: type[PlainMessage]) -> Item:
    is_well_known = cls.NAME.startswith(WELL_KNOWN)

    def check(value: Any) -> PlainMessage:
        if isinstance(value, cls):
            return value
        if isinstance(value, dict):
            return cls(**value)
        if is_well_known:
            return cls(**_as_fields(value))
        raise TypeError(f"expected {cls.NAME} or dict, {type(value).__name__} found")

    def write(value: PlainMessage) -> bytes:
        return delimited(value.SerializeToString())

    return Item(DELIMITED, cls, check, write, cls.FromString)


def _item(field: Field, messages: Mapping[str, type[PlainMessage]]) -> Item:
    if field.type in ENUMS:
        return enum_item(ENUMS[field.type])
    return ITEMS.get(field.type) or _message_item(messages[field.type])


def _make_class(layout: Layout) -> type[PlainMessage]:
    names = {"__slots__": (), "NAME": layout.name, "ONEOF": layout.oneof}
    return type(layout.name.removeprefix(WELL_KNOWN), (PlainMessage,), names)


def _add_fields(
    cls: type[PlainMessage], layout: Layout, messages: Mapping[str, type[PlainMessage]]
) -> None:
    """Let a message know its fields, once there are classes for all that they hold."""
    cls.FIELDS, cls.NUMBERS = {}, {}
    for described in layout.fields:
        is_message = described.type in messages
        field = make_field(described, _item(described, messages), is_message=is_message)
        cls.FIELDS[described.name] = cls.NUMBERS[described.number] = field


def _add_enums(cls: type[PlainMessage]) -> None:
    """Let a message have its enums' values, as protobuf's classes have: some by attribute alone."""
    for name, values in ENUMS.items():
        owner, _, short = name.partition(".")
        if owner == cls.NAME:
            numbers = {value: number for number, value in enumerate(values)}
            setattr(cls, short, SimpleNamespace(**numbers))
            for value, number in numbers.items():
                setattr(cls, value, number)


@functools.cache
def stand_ins() -> Any:
    """Return a namespace of message classes, as workers expect of their `protos` property."""
    made = {layout.name: _make_class(layout) for layout in layouts()}
    for layout in layouts():
        _add_fields(made[layout.name], layout, made)
        _add_enums(made[layout.name])
    return SimpleNamespace(**{cls.__name__: cls for cls in made.values()})
