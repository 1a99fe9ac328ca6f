"""
Results as files: pyperf's JSON, and the table between the markers of docs/benchmarks.md.

`python -m pyperf stats docs/benchmarks/results.json` reads the one; value *n* of each benchmark of
a suite was measured in the same round, which is what ratios compare. No file names the machine.
"""

from __future__ import annotations

import re
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from tests.benchmarks.plot import draw
from tests.benchmarks.report import groups, rows, title, verdicts
from tests.benchmarks.variants import VARIANTS
from tests.benchmarks.worker import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.suites import Series

PAGE = ROOT / "docs" / "benchmarks.md"
FILES = ROOT / "docs" / "benchmarks"
BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"
KEPT = ("cpu_count", "cpu_model_name", "python_implementation", "python_version")
PACKAGES = (
    "funcscope",
    "azure-functions-runtime",
    "azure-functions",
    "opentelemetry-sdk",
    "azure-monitor-opentelemetry",
    "ddtrace",
    "elastic-apm",
)
DYING_BESIDE = "dies-spool"  # the variant whose metadata has the counts of `dying`
Metadata = dict[str, str]
Suite = Any  # pyperf has no annotations


def write(series: Series) -> None:
    """Write the JSON, the plot and the table."""
    metadata = _metadata()
    FILES.mkdir(exist_ok=True)
    _suite(series, metadata).dump(str(FILES / "results.json"), replace=True)
    (FILES / "results.svg").write_text(draw(series))
    text = PAGE.read_text()
    if BEGIN not in text or END not in text:
        raise ValueError(f"{PAGE.name} has lost its markers: put {BEGIN!r} and {END!r} back")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page = "\n".join([BEGIN, "", *_page(series, metadata), "", END])
    PAGE.write_text(f"{before}{page}{after}")


def _suite(series: Series, metadata: Metadata) -> Suite:
    """Make pyperf's suite; it has no place for zeros, so counts are other benchmarks' metadata."""
    pyperf, benchmarks = _pyperf(), []
    for name, values in series.items():
        if min(values) <= 0 or name.startswith("dying/"):
            continue
        unit = "byte" if "memory" in name else "second"
        about = {**metadata, "name": name, "unit": unit}
        if (lost := name.replace("at-once", "lost")) != name and lost in series:
            about["spans_lost"] = str(sum(series[lost]))
        if name == f"faults/async/{DYING_BESIDE}":
            about |= {
                n.replace("/all/", "_"): str(v) for n, (v, *_) in series.items() if "dying/" in n
            }
        kept = [int(v) if unit == "byte" else round(v, 9) for v in values]
        run = pyperf.Run(kept, metadata=about, collect_metadata=False)
        benchmarks.append(pyperf.Benchmark([run]))
    return pyperf.BenchmarkSuite(benchmarks)


def _metadata() -> Metadata:
    """Describe the machine and the versions, less host names and paths."""
    collected = _pyperf().Run([1.0]).get_metadata()
    about = {name: str(collected[name]) for name in KEPT if name in collected}
    about["measured"] = str(collected["date"])[:10]
    return about | {f"version_{name}": found for name, found in _versions()}


def _pyperf() -> Any:
    """Import what only this needs: tests import all modules, for their doctests."""
    return import_module("pyperf")


def _versions() -> Iterator[tuple[str, str]]:
    """Read each package's version where it is installed: here, or in a variant's environment."""
    homes = {v.python.parent.parent for v in VARIANTS if v.group and v.is_installed}
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            folder = f"lib/python*/site-packages/{name.replace('-', '_')}-*.dist-info"
            for found in (path for home in homes for path in home.glob(folder)):
                yield name, found.name.removesuffix(".dist-info").rpartition("-")[2]


def _page(series: Series, metadata: Metadata) -> Iterator[str]:
    versions = ", ".join(
        f"{name.removeprefix('version_')} {value}"
        for name, value in metadata.items()
        if name.startswith("version_")
    )
    python = re.sub(r" \(.*", "", metadata["python_version"])
    yield f"Measured {metadata['measured']} on {metadata['cpu_count']} cores of"
    yield f"{metadata.get('cpu_model_name', 'an unknown CPU')} with Python {python}: {versions}."
    yield ""
    yield from _table(
        ("funcscope's ratio", "ratio", "quartiles", "target", ""),
        [row for _, row, _ in verdicts(series)],
    )
    for group in groups(series):
        text, unit = title(group)
        yield ""
        yield from _table((text, unit, "quartiles", "added"), list(rows(series, group)))


def _table(head: tuple[str, ...], body: list[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|---|{'---:|' * (len(head) - 1)}"
    for row in body:
        yield f"| {' | '.join(row)} |"
