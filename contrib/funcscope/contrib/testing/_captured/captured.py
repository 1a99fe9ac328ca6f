"""Records of a test, in sequences that show themselves as a tree where a test fails."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from funcscope.contrib.testing._captured.records import Log, Point
from funcscope.contrib.testing._captured.trees import span_id_of, tree_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

T = TypeVar("T")
_Logs = Callable[[], Iterable[Log]]


class Captured(ABC, Generic[T]):
    """
    Records in the order of time, looked up anew whenever they are asked for.

    A sequence, but for its type: what is asked for by `in` is a name, not a record.

    Args:
        get: Returns them.
    """

    def __init__(self, get: Callable[[], Sequence[T]]) -> None:
        self._get = get

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """The name of each record."""

    @abstractmethod
    def lines(self) -> list[str]:
        """Return the lines that a failing test shows."""

    def one(self, name: str) -> T:
        """
        Return the only record of a name.

        Raises:
            AssertionError: There is none, or more than one; it shows what there is.
        """
        __tracebackhide__ = True
        matches = self.named(name)
        if len(matches) != 1:
            there_are = "\n".join(self.lines()) or "nothing"
            raise AssertionError(f"{len(matches)} of {self._kind} {name!r}; recorded:\n{there_are}")
        return matches[0]

    def named(self, name: str) -> list[T]:
        """Return all records of a name."""
        records = list(self._get())
        return [record for record in records if self._has_name(record, name)]

    @abstractmethod
    def _has_name(self, record: T, name: str) -> bool: ...

    @property
    def _kind(self) -> str:
        return type(self).__name__.lower()

    def __contains__(self, wanted: object) -> bool:
        if isinstance(wanted, str):
            return bool(self.named(wanted))
        return any(record is wanted or record == wanted for record in self._get())

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self._get()[index]

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._get()))

    def __len__(self) -> int:
        return len(self._get())

    def __repr__(self) -> str:
        return f"<{len(self)} {self._kind}: {', '.join(self.names)}>"

    def __str__(self) -> str:
        return "\n".join(self.lines())


class Spans(Captured["ReadableSpan"]):
    """
    The spans that have ended, by their start; each is the SDK's `ReadableSpan`.

    Args:
        get: Returns them.
        logs: Returns the log records that are drawn below them.
    """

    def __init__(self, get: Callable[[], Sequence[ReadableSpan]], logs: _Logs = list) -> None:
        super().__init__(lambda: sorted(get(), key=lambda span: span.start_time or 0))
        self._logs = logs

    @property
    def names(self) -> list[str]:
        """The names of the spans."""
        return [span.name for span in self]

    def children(self, parent: ReadableSpan) -> list[ReadableSpan]:
        """Return the spans right below one."""
        own = span_id_of(parent)
        return [span for span in self if span.parent is not None and span.parent.span_id == own]

    def lines(self) -> list[str]:
        """Draw each trace as a tree, log records included."""
        return tree_lines(self, (log for log in self._logs() if log.trace_id))

    def _has_name(self, record: ReadableSpan, name: str) -> bool:
        return record.name == name


class Logs(Captured[Log]):
    """The log records, as they would be exported; a name is any part of the message."""

    @property
    def names(self) -> list[str]:
        """The messages."""
        return [str(log.body) for log in self]

    def lines(self) -> list[str]:
        """Return a line for each record, with its logger."""
        return [f"{log.severity:<5} {log.logger}: {log.body}" for log in self]

    def _has_name(self, record: Log, name: str) -> bool:
        return name in str(record.body)


class Metrics(Captured[Point]):
    """The measurements: one point for each series of attributes."""

    @property
    def names(self) -> list[str]:
        """The names of the instruments, each once."""
        return sorted({point.name for point in self})

    def value(self, name: str, **attributes: object) -> float:
        """
        Return the sum over the series of an instrument that have these attributes.

        Args:
            name: The instrument.
            attributes: As keywords; write `**{"faas.name": "orders"}` where the name has dots.

        Raises:
            AssertionError: There is no such series; it shows what there is.
        """
        __tracebackhide__ = True
        matches = [p for p in self.named(name) if attributes.items() <= p.attributes.items()]
        if not matches:
            there_are = "\n".join(self.lines()) or "nothing"
            raise AssertionError(f"no {name!r} with {attributes!r}; recorded:\n{there_are}")
        return sum(point.value for point in matches)

    def lines(self) -> list[str]:
        """Return a line for each point."""
        return [str(point) for point in self]

    def _has_name(self, record: Point, name: str) -> bool:
        return record.name == name


def comparison(operator: str, left: object, right: object) -> list[str] | None:
    """Explain why a record is not, or is, in what was captured; None for any other comparison."""
    if operator not in ("in", "not in") or not issubclass(type(right), Captured):
        return None
    kind = type(right).__name__.lower()
    return [f"{left!r} {operator} {kind}", *(str(right).splitlines() or ["nothing was recorded"])]
