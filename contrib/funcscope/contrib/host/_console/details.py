"""What is written with `-v` alone: attributes, events, links, fields, and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from funcscope.contrib.host._console.failures import EXCEPTION_EVENTS, exception_line
from funcscope.contrib.host._console.values import milliseconds, one_line, pairs
from funcscope.telemetry.integration import INVOCATION_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from funcscope.contrib.host._traces.otlp import (
        ReceivedEvent,
        ReceivedLink,
        ReceivedMetric,
        ReceivedPoint,
        ReceivedSpan,
    )

_OF_ONE_NUMBER: Final = ("gauge", "sum")
_MAX_SERIES: Final = 5_000
_STACK = "exception.stacktrace"
_OF_THE_INVOCATION = (INVOCATION_ID, "faas.invocation_id", "faas.invocation.id", "faas.name")
_TOLD = ("exception.type", "exception.message", _STACK)


def span_details(span: ReceivedSpan) -> Iterator[Text]:
    """Write a span's attributes, its events with their stack traces, and its links."""
    for pair in pairs(span.attributes):
        yield Text(pair, style="dim")
    for event in span.events:
        yield _event(event, span.start_ns)
    for link in span.links:
        yield _link(link)


def log_fields(attributes: dict[str, object]) -> Iterator[Text]:
    """Write the fields of a log record, which `extra=` and `bind()` add to."""
    fields = pairs(attributes, without=(_STACK, *_OF_THE_INVOCATION))
    if fields:
        yield Text("  ".join(fields), style="dim")
    if _STACK in attributes:
        yield _stack(attributes[_STACK])


def _event(event: ReceivedEvent, start_ns: int) -> Text:
    after = milliseconds((event.time_ns - start_ns) / 1e9)
    is_exception = event.name in EXCEPTION_EVENTS
    words = [f"event {one_line(event.name)}", f"after {after}"]
    words += [exception_line(event.attributes)] if is_exception else []
    words += pairs(event.attributes, without=_TOLD if is_exception else ())
    line = Text("  ".join(words), style="dim")
    stack = event.attributes.get(_STACK)
    return line.append("\n").append(_stack(stack)) if stack else line


def _link(link: ReceivedLink) -> Text:
    words = [f"link to trace {link.trace_id} span {link.span_id}", *pairs(link.attributes)]
    return Text("  ".join(words), style="dim")


def _stack(stack: object) -> Text:
    return Text(str(stack).rstrip(), style="dim")


class MetricLines:
    """Writes the data points of metrics that are not what they were when they last came."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def lines(self, metrics: Iterable[ReceivedMetric]) -> Iterator[Text]:
        """Yield a line for each point that is new: its value, or count and sum, and attributes."""
        for metric in metrics:
            for point in metric.points:
                series = "  ".join([one_line(metric.name), *pairs(point.attributes)])
                value = _value(metric, point)
                if self._last.get(series) != value and (point.value or series in self._last):
                    self._keep(series, value)
                    yield Text(f"metric {series}  {value}", style="dim")

    def _keep(self, series: str, value: str) -> None:
        if len(self._last) >= _MAX_SERIES:
            self._last.clear()
        self._last[series] = value


def _value(metric: ReceivedMetric, point: ReceivedPoint) -> str:
    unit = "" if metric.unit.startswith("{") else one_line(metric.unit)
    number = f"{point.value:g} {unit}".rstrip()
    return number if metric.kind in _OF_ONE_NUMBER else f"count {point.count}  sum {number}"
