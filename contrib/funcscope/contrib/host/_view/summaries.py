"""A summary for each function, of the invocations that are kept."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from funcscope.contrib.host._view.rows import InvocationRow

_MAX_FUNCTIONS = 500


def summarize(rows: Iterable[InvocationRow]) -> list[dict[str, object]]:
    """
    Count the invocations of each function, in the order of names.

    Durations are in microseconds, and those of invocations that have ended.
    """
    groups: defaultdict[str, list[InvocationRow]] = defaultdict(list)
    for row in rows:
        groups[row.function].append(row)
    return [_summary(name, groups[name]) for name in sorted(groups)[:_MAX_FUNCTIONS]]


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """
    Return the smallest value that a share of all values does not exceed (nearest rank).

    >>> percentile([10.0, 20.0, 30.0], 0.5), percentile([], 0.5)
    (20.0, None)
    """
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def _summary(name: str, rows: Sequence[InvocationRow]) -> dict[str, object]:
    durations = sorted(us for row in rows if (us := row.duration_us) is not None)
    return {
        "function": name,
        "trigger": next(filter(None, (row.trigger for row in rows)), ""),
        "count": len(rows),
        "errors": sum(row.status == "error" for row in rows),
        "running": sum(row.status == "running" for row in rows),
        "cold": sum(row.is_cold for row in rows),
        "p50_us": percentile(durations, 0.5),
        "p95_us": percentile(durations, 0.95),
        "p99_us": percentile(durations, 0.99),
        "max_us": durations[-1] if durations else None,
    }
