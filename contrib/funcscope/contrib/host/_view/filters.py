"""What the page wants to see, as its queries say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._view.rows import STATUSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.contrib.host._view.rows import InvocationRow


@dataclass(frozen=True, slots=True)
class RowFilter:
    """
    Which rows are wanted; what is left out or empty restricts nothing.

    Attributes:
        function: The function's name.
        trace: The trace's id, exactly.
        status: One of `STATUSES`.
        min_us: The least duration; with a bound, what still runs is left out.
        max_us: The greatest duration.
        text: In lower case, and in UTF-8: stands in the row, or in anything of its trace.
    """

    function: str = ""
    trace: str = ""
    status: str = ""
    min_us: float = 0.0
    max_us: float = math.inf
    text: bytes = b""

    def accepts(self, row: InvocationRow) -> bool:
        """Tell whether a row is wanted, its trace and text left aside."""
        if self.function and row.function != self.function:
            return False
        if self.status and row.status != self.status:
            return False
        if self.min_us <= 0 and self.max_us == math.inf:
            return True
        duration_us = row.duration_us
        return duration_us is not None and self.min_us <= duration_us <= self.max_us


def parse_filter(query: Mapping[str, str]) -> RowFilter:
    """
    Read a filter of a query: `function`, `trace`, `status`, `min_ms`, `max_ms`, `text`.

    Raises:
        HostError: A value is not one that the field may have.
    """
    status = query.get("status", "")
    if status and status not in STATUSES:
        raise HostError(f"status {status!r} is not known: use one of {', '.join(STATUSES)}")
    return RowFilter(
        function=query.get("function", ""),
        trace=query.get("trace", ""),
        status=status,
        min_us=_milliseconds(query, "min_ms", 0.0) * 1000,
        max_us=_milliseconds(query, "max_ms", math.inf) * 1000,
        text=query.get("text", "").strip().lower().encode(errors="replace"),
    )


def _milliseconds(query: Mapping[str, str], name: str, default: float) -> float:
    text = query.get(name, "").strip()
    try:
        number = float(text) if text else default
    except ValueError:
        number = math.nan
    if math.isnan(number) or number < 0:
        raise HostError(f"{name} {text!r} is not a number of milliseconds from 0 on")
    return number
