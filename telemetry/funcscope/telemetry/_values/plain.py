"""An app's objects as plain values: made where and when they are handed over, and within bounds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias, cast

from funcscope.extensions.integration import INTERRUPTS
from funcscope.telemetry._values.exceptions import message_of
from funcscope.telemetry._values.limits import (
    LEFT_OUT_KEY,
    MAX_ITEMS,
    MAX_TEXT_LENGTH,
    left_out,
    shorten,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Plain: TypeAlias = "str | bool | int | float | bytes | list[Plain] | dict[str, Plain] | None"

MAX_DEPTH = 5
"""How deep mappings are looked into."""

_EXACT = frozenset((str, bool, int, float, bytes))
_MAX_INTEGER = 1 << 63
_MAPPINGS = (dict, OrderedDict)


def text_of(value: object, limit: int = MAX_TEXT_LENGTH) -> str:
    """
    Return what `str` makes of an object; if it raises, what is wrong is said in place.

    `KeyboardInterrupt` and `SystemExit` go on, as a signal may have raised them.
    """
    try:
        return shorten(exact_text(str(value)), limit)
    except INTERRUPTS:
        raise
    except BaseException as error:  # noqa: BLE001  (a user's __str__)
        return not_shown(value, error)


def not_shown(value: object, error: BaseException) -> str:
    """Return the text in place of a value that cannot be shown, with the reason."""
    return f"<{class_name(type(value))} that cannot be shown: {summary(error)}>"


def summary(error: BaseException) -> str:
    """Return an exception's class and message in short; the class alone where that raises."""
    name, message = class_name(type(error)), message_of(error, 200)
    return f"{name}: {message}" if message else name


def class_name(kind: type) -> str:
    """Return a class's name; its metaclass may be the app's."""
    try:
        return exact_text(type.__dict__["__name__"].__get__(kind))
    except Exception:  # noqa: BLE001  (whatever it is, something is said)
        return "object"


def exact_text(text: str) -> str:
    """Return a text without what a subclass of `str` adds to it."""
    return text if type(text) is str else "".join((text,))


class PlainValues:
    """
    Makes plain values of one object after another, with one bound for all that is in them.

    What can neither be shown nor walked is said in its place. Nothing that is returned is, or
    refers to, an object of the app's.

    Args:
        limit: How long a text may be.
        items: How many items of lists and mappings to take.
    """

    __slots__ = ("_items", "_limit")

    def __init__(self, limit: int = MAX_TEXT_LENGTH, items: int = MAX_ITEMS) -> None:
        self._limit = limit
        self._items = items

    def attributes(self, name: str, value: object) -> Iterator[tuple[str, Plain]]:
        """
        Make attributes of a value: of mappings one for each item, with dots between the names.

        None makes no attribute.
        """
        return self._flattened(name, value, MAX_DEPTH)

    def plain(self, value: object, depth: int = MAX_DEPTH) -> Plain:
        """Make a plain value of any object: mappings stay mappings, and lists lists."""
        whole = value
        try:
            scalar = self._scalar(value)
            if scalar is not None:
                return scalar
            if isinstance(value, Mapping):
                return self._mapping(cast("Mapping[object, object]", value), depth)
            if isinstance(value, (list, tuple)):
                return self._list(cast("Sequence[object]", value), depth)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (whatever the app's object does)
            return not_shown(whole, error)
        return text_of(value, self._limit)

    def _flattened(self, name: str, value: object, depth: int) -> Iterator[tuple[str, Plain]]:
        whole = value
        if value is None:
            return
        if type(value) in _EXACT:
            yield name, self._scalar(value)
            return
        try:
            is_mapping = isinstance(value, Mapping)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (a `__class__` of the app's)
            yield name, not_shown(value, error)
            return
        if not is_mapping or depth <= 0:
            yield name, self._attribute(whole)
            return
        mapping = cast("Mapping[object, object]", value)
        try:
            for key, item in self._items_of(mapping):
                part = self._key(key)
                yield from self._flattened(f"{name}.{part}" if name else part, item, depth - 1)
        except (*INTERRUPTS, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001  (a mapping of the app's)
            yield name, not_shown(mapping, error)

    def _attribute(self, value: object) -> Plain:
        """Make a text, a number or a list of such of a value."""
        plain = self.plain(value, 1)
        if type(plain) is list:
            return [item if type(item) in _EXACT else shorten(str(item), self._limit)
                    for item in plain]  # fmt: skip
        return plain if type(plain) in _EXACT else shorten(str(plain), self._limit)

    def _scalar(self, value: object) -> Plain | None:
        """Return a text, number or bytes as such, without a subclass's additions; None for else."""
        kind = type(value)
        if kind is str:
            return shorten(cast("str", value), self._limit)
        if kind is bool or kind is float:
            return cast("float", value)
        if isinstance(value, str):
            return text_of(value, self._limit)
        if isinstance(value, int):
            return self._integer(int.__pos__(value))
        if isinstance(value, float):
            return float.__pos__(value)
        if isinstance(value, (bytes, bytearray)):
            return memoryview(value)[: self._limit].tobytes()
        return None

    def _integer(self, number: int) -> Plain:
        """Return a number, as text where OTLP has no room for it."""
        if -_MAX_INTEGER <= number < _MAX_INTEGER:
            return number
        return text_of(number, self._limit)

    def _list(self, values: Sequence[object], depth: int) -> list[Plain]:
        if depth < 0:
            return [LEFT_OUT_KEY]
        taken: list[Plain] = []
        for value in values:
            if not self._has_room():
                taken.append(left_out(len(values) - len(taken)))
                break
            taken.append(None if value is None else self.plain(value, depth - 1))
        return taken

    def _mapping(self, mapping: Mapping[object, object], depth: int) -> dict[str, Plain]:
        if depth < 0:
            return {LEFT_OUT_KEY: LEFT_OUT_KEY}
        taken: dict[str, Plain] = {}
        try:
            for key, item in self._items_of(mapping):
                name = self._key(key)
                taken[name] = None if item is None else self.plain(item, depth - 1)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (a mapping of the app's)
            taken[LEFT_OUT_KEY] = not_shown(mapping, error)
        return taken

    def _items_of(self, mapping: Mapping[object, object]) -> Iterator[tuple[object, object]]:
        """Walk a mapping as far as there is room; another thread may change it meanwhile."""
        pairs: Iterable[tuple[object, object]] = mapping.items()
        if type(mapping) in _MAPPINGS:
            pairs = list(islice(pairs, max(self._items, 0) + 1))
        for taken, pair in enumerate(pairs):
            if not self._has_room():
                yield LEFT_OUT_KEY, left_out(len(mapping) - taken)
                return
            yield pair

    def _key(self, key: object) -> str:
        return text_of(key, min(self._limit, 256)) or "-"

    def _has_room(self) -> bool:
        self._items -= 1
        return self._items >= 0
