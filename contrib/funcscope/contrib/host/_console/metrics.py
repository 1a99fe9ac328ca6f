"""Metrics as lines, which `-v` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from funcscope.contrib.host._console.values import one_line, pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from funcscope.contrib.host._traces.otlp import ReceivedMetric, ReceivedPoint

_OF_ONE_NUMBER: Final = ("gauge", "sum")
_MAX_SERIES: Final = 5_000


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
