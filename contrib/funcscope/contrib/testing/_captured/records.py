"""Log records and points of metrics, as a test looks at them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Log:
    """
    One log record, as it would be exported.

    Attributes:
        body: The message.
        severity: Such as `INFO`; empty where none was given.
        logger: The name of the logger, or of the instrumentation scope.
        attributes: What else it says, the invocation's fields included.
        trace_id: Its trace; 0 in none.
        span_id: Its span; 0 in none.
        time_ns: When it was made, in nanoseconds since 1970.
        event_name: Its name where it is an event.
    """

    body: object
    severity: str
    logger: str
    attributes: Mapping[str, object] = field(default_factory=dict[str, object])
    trace_id: int = 0
    span_id: int = 0
    time_ns: int = 0
    event_name: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """
    One series of a metric, as far as the test added to it.

    Attributes:
        name: The instrument's name.
        unit: Its unit.
        attributes: What the series is of.
        value: The sum of what was recorded; of a gauge, what it was last.
        count: How often a histogram was recorded to; 1 for everything else.
    """

    name: str
    unit: str
    attributes: Mapping[str, object]
    value: float
    count: int = 1

    def __str__(self) -> str:
        """Describe the series in a line, as failing tests show it."""
        attributes = ", ".join(f"{key}={value!r}" for key, value in sorted(self.attributes.items()))
        times = f" in {self.count}" if self.count != 1 else ""
        return f"{self.name}{{{attributes}}} {self.value:g}{times} {self.unit}".rstrip()
