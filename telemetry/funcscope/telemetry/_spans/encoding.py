"""The spans of one function as OTLP has them, made of parts that many of them share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from funcscope.telemetry._otlp.spans import ATTRIBUTES, plain_message
from funcscope.telemetry._otlp.values import attributes_field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import SpanKind

    from funcscope.telemetry._semconv import Attributes

_MOST_KNOWN = 256
_GUID_LENGTH = 36
"""Of a host's invocation ids. A shorter one may stand in what else is said, by chance."""


class Teller(Protocol):
    """Describes the invocations of one function by what was kept of them."""

    @property
    def key(self) -> Callable[[Any], object | None]:
        """What returns what all depends on that a trigger says, the name too; None: unknown."""
        ...

    def tell(self, captured: Any, invocation_id: str, facts: Any) -> Telling:
        """Describe an invocation by what was kept of its trigger, its id, and what else it is."""
        ...


class Telling(Protocol):
    """What describes one span."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    def said(self) -> Attributes:
        """Make the attributes that the key is of."""
        ...

    def own(self) -> Attributes:
        """Make the others."""
        ...


class _Part(NamedTuple):
    """What spans share, as it is sent; and how many attributes it has."""

    name: str
    field: bytes
    size: int


class SpanMessages:
    """
    Makes the messages of one function's spans; for the exporter's thread.

    Args:
        teller: Describes the function's invocations.
        kind: The kind of their spans.
        constants: Attributes that all of them have.
    """

    def __init__(self, teller: Teller, kind: SpanKind, constants: Mapping[str, Any]) -> None:
        self._teller = teller
        self._key = teller.key
        self._kind = kind
        self._constants = constants
        self._triggers: dict[object, _Part] = {}
        self._owns: dict[object, tuple[list[bytes], int]] = {}
        self._saids: dict[int, tuple[Attributes, bytes]] = {}  # by identity, which is quicker

    def make(
        self,
        captured: object,
        invocation_id: str,
        facts: tuple[object, ...],
        said: Attributes | None,
        ids: tuple[bytes, bytes, bytes],
        times: tuple[int, int],
        most: int | None,
    ) -> bytes | None:
        """
        Make a span's message; None where what its trigger says is not known to be another's.

        Args:
            captured: What was kept of its trigger.
            invocation_id: Whose it is.
            facts: What else its own attributes are made of.
            said: What was said of it when it ended.
            ids: Its trace's, its own and its parent's, which is the host's.
            times: When it started and ended, in nanoseconds since the epoch.
            most: How many attributes it may have; None where they are not limited.
        """
        key = self._key(captured)
        if key is None:
            return None
        name, fields, size = self._triggers.get(key) or self._share(key, captured)
        own, own_size = self._own(captured, invocation_id, facts)
        more = b"" if not said else self._said(said)
        if most is not None and size + own_size + len(said or ()) > most:
            return None
        return plain_message(ids, name, self._kind, times, (fields, own, more))

    def _share(self, key: object, captured: object) -> _Part:
        """Encode what a trigger says, for all others of which the same is said."""
        telling = self._teller.tell(captured, "", ())
        attributes = {**self._constants, **telling.said()}
        field = attributes_field(ATTRIBUTES, attributes)
        _make_room(self._triggers)
        part = self._triggers[key] = _Part(telling.name, field, len(attributes))
        return part

    def _own(
        self, captured: object, invocation_id: str, facts: tuple[object, ...]
    ) -> tuple[bytes, int]:
        """Encode what is an invocation's own: its id, within what is the same for many."""
        content = invocation_id.encode()
        is_usual = len(content) == _GUID_LENGTH and invocation_id not in facts
        known = self._owns.get(facts) if is_usual else None
        if known is not None:
            parts, size = known
            return content.join(parts), size
        own = self._teller.tell(captured, invocation_id, facts).own()
        field = attributes_field(ATTRIBUTES, own)
        if is_usual:
            _make_room(self._owns)
            self._owns[facts] = (field.split(content), len(own))
        return field, len(own)

    def _said(self, said: Attributes) -> bytes:
        """Encode what is said of many spans in the same object, which nobody changes."""
        known = self._saids.get(id(said))
        if known is None:
            _make_room(self._saids)
            known = self._saids[id(said)] = (said, attributes_field(ATTRIBUTES, said))  # keeps it
        return known[1]


def _make_room(known: dict[Any, Any]) -> None:
    if len(known) >= _MOST_KNOWN:
        known.clear()
