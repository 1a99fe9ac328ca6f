"""Results as tables, for the terminal and for the docs."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.rounds import quartiles
from tests.benchmarks.targets import TARGETS
from tests.benchmarks.variants import BY_NAME, FAULTY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.suites import Series
    from tests.benchmarks.targets import Target

Row = tuple[str, ...]

TITLES = {
    "latency": ("latency (median of a slice)", "µs", 1e6),
    "mean": ("latency (mean of a slice)", "µs", 1e6),
    "cpu": ("CPU per invocation, export included", "µs", 1e6),
    "at-once": ("64 at a time: time per invocation", "µs", 1e6),
    "p99": ("64 at a time: p99", "ms", 1e3),
    "lost": ("64 at a time: spans lost per round", "", 1),
    "import": ("import and set-up over azure.functions", "ms", 1e3),
    "import-memory": ("resident memory of that", "MiB", 1 / 2**20),
    "first": ("fresh process to its first span exported", "ms", 1e3),
    "memory": ("resident memory after 100 exported invocations", "MiB", 1 / 2**20),
    "faults": ("latency by receiver (median of a slice)", "µs", 1e6),
    "faults-mean": ("latency by receiver (mean of a slice)", "µs", 1e6),
    "faults-p99": ("latency by receiver (p99 of a slice)", "µs", 1e6),
    "faults-cpu": ("CPU per invocation by receiver, export included", "µs", 1e6),
    "dying": ("receiver that dies and comes back, 64 invocations at a time, spool", "", 1),
}
BASES = {
    "raw-signals": "bare-logs",
    "funcscope-signals": "bare-logs",
    **{variant.name: variant.healthy for variant in FAULTY},
}
ROWS = {
    "invocations": "invocations",
    "deaths": "times it died",
    "lost": "spans lost",
    "doubled": "spans that came twice",
    "unexplained": "of these, outside unanswered batches",
}
NO_KIND = ("fresh", "all")


def groups(series: Series) -> list[str]:
    """Name what was measured, `latency/async`, in order."""
    return list(dict.fromkeys(name.rpartition("/")[0] for name in series))


def title(group: str) -> tuple[str, str]:
    """Return a group's title and its unit."""
    what, _, kind = group.partition("/")
    text, unit, _ = TITLES[what]
    return f"{text}, {kind}" if kind not in NO_KIND else text, unit


def rows(series: Series, group: str) -> Iterator[Row]:
    """Return each variant's title, median, quartiles, and what it adds to the bare function."""
    _, _, scale = TITLES[group.partition("/")[0]]
    for name, values in series.items():
        if name.rpartition("/")[0] != group:
            continue
        variant = name.rpartition("/")[2]
        low, middle, high = (v * scale for v in quartiles(values))
        spread = f"{low:.1f} to {high:.1f}" if len(values) > 1 else ""
        digits = 1 if spread else 0
        base = series.get(f"{group}/{BASES.get(variant, 'bare')}")
        added = ""
        if base is not None and base is not values:
            added = f"{median(v - b for v, b in zip(values, base, strict=True)) * scale:+.1f}"
        shown = ROWS.get(variant) or BY_NAME[variant].title
        yield shown, f"{middle:.{digits}f}", spread, added


def verdicts(series: Series) -> Iterator[tuple[Target, Row, bool]]:
    """Compare with each target that was measured."""
    for target in TARGETS:
        if (ratio := target.ratio(series)) is None:
            continue
        is_met = target.is_met(ratio)
        limit = f"{'≥' if target.is_least else '≤'} {target.limit}"
        spread = f"{ratio.low:.2f} to {ratio.high:.2f}"
        row = (
            target.title(series),
            f"{ratio.median:.2f}",
            spread,
            limit,
            "met" if is_met else "missed",
        )
        yield target, row, is_met


def print_report(series: Series) -> bool:
    """Print all of it; say whether each target is met."""
    for group in groups(series):
        text, unit = title(group)
        print(f"\n{text}{f', {unit}' if unit else ''}")
        for name, middle, spread, added in rows(series, group):
            print(f"  {name:36} {middle:>9}  {f'({spread})' if spread else '':22} {added:>9}")
    print(f"\n{'target':60} {'ratio':>6}  {'quartiles':16} {'limit':8}")
    results = list(verdicts(series))
    for _, (what, ratio, spread, limit, verdict), _ in results:
        print(f"{what:60} {ratio:>6}  {spread:16} {limit:8} {verdict}")
    return all(is_met for *_, is_met in results)
