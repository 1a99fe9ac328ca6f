"""Results as a picture: bars of medians, with their quartiles, as SVG by hand."""

from __future__ import annotations

from html import escape
from statistics import quantiles
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks.report import BASES, TITLES
from tests.benchmarks.variants import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.suites import Series

# Each panel: a series, and whether what the bare function takes is taken off.
PANELS = (
    ("latency/async", "added latency, async function", True),
    ("latency/sync", "added latency, sync function", True),
    ("cpu/async", "added CPU per invocation, export included", True),
    ("at-once/async", "64 at a time: time per invocation", False),
    ("import/fresh", "import and set-up", False),
    ("first/fresh", "fresh process to its first span exported", False),
)
COLUMNS, WIDTH, BAR, GAP, LABELS, VALUES, HEAD, MARGIN = 2, 500, 16, 8, 196, 84, 44, 20
OURS, SDK, OTHERS, TEXT, SPREAD = "#2563eb", "#475569", "#b6c2d1", "#1f2937", "#111827"


class Bar(NamedTuple):
    """One variant in a panel."""

    name: str
    low: float
    median: float
    high: float


def draw(series: Series) -> str:
    """Return the picture."""
    panels = [
        (title, TITLES[group.partition("/")[0]], list(_bars(series, group, is_added=is_added)))
        for group, title, is_added in PANELS
    ]
    parts: list[str] = []
    top = MARGIN
    for start in range(0, len(panels), COLUMNS):
        line = panels[start : start + COLUMNS]
        for column, (title, (_, unit, scale), bars) in enumerate(line):
            left = MARGIN + column * (WIDTH + MARGIN)
            parts += _panel(left, top, f"{title}, {unit}", bars, scale)
        top += HEAD + max(len(bars) for *_, bars in line) * (BAR + GAP) + MARGIN
    width = MARGIN + COLUMNS * (WIDTH + MARGIN)
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" '
                f'width="{width}" height="{top}" font-family="system-ui, sans-serif" '
                f'font-size="12" fill="{TEXT}">'
            ),
            '<rect width="100%" height="100%" rx="8" fill="#ffffff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _bars(series: Series, group: str, *, is_added: bool) -> Iterator[Bar]:
    for name, values in series.items():
        if name.rpartition("/")[0] != group:
            continue
        variant = name.rpartition("/")[2]
        if is_added and variant.startswith("bare"):
            continue
        base = series[f"{group}/{BASES.get(variant, 'bare')}"] if is_added else [0.0] * len(values)
        shown = [value - offset for value, offset in zip(values, base, strict=True)]
        yield Bar(variant, *quantiles(shown, n=4))


def _panel(left: int, top: int, title: str, bars: list[Bar], scale: float) -> Iterator[str]:
    """Draw a panel; the quartiles are a line over the end of each bar."""
    yield f'<text x="{left}" y="{top + 20}" font-size="14" font-weight="600">{escape(title)}</text>'
    if not bars:
        return
    full = (WIDTH - LABELS - VALUES) / max(max(bar.high, bar.median) for bar in bars)
    for number, bar in enumerate(bars):
        y = top + HEAD + number * (BAR + GAP)
        x, middle = left + LABELS, y + BAR / 2
        low, end, high = (x + max(0.0, value) * full for value in bar[1:])
        yield f'<text x="{x - 8}" y="{y + 12}" text-anchor="end">{_label(bar.name)}</text>'
        yield (
            f'<rect x="{x}" y="{y}" width="{end - x:.1f}" height="{BAR}" rx="2" '
            f'fill="{_colour(bar.name)}"/>'
        )
        yield (
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" '
            f'stroke="{SPREAD}" stroke-opacity="0.55"/>'
        )
        yield f'<text x="{max(end, high) + 6:.1f}" y="{y + 12}">{bar.median * scale:.0f}</text>'


def _label(name: str) -> str:
    return escape(
        BY_NAME[name]
        .title.replace("with metrics and logs", "+ metrics, logs")
        .replace("OpenTelemetry SDK", "SDK")
    )


def _colour(name: str) -> str:
    if name.startswith("funcscope"):
        return OURS
    return SDK if name.startswith("raw") else OTHERS
