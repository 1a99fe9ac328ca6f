"""What issue 6 asks for, as ratios within one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.benchmarks.rounds import quartiles
from tests.benchmarks.variants import FAULTY

if TYPE_CHECKING:
    from tests.benchmarks.suites import Series


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio's median over the rounds, and its quartiles."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class Target:
    """
    A ratio of two series, and its limit.

    Attributes:
        what: Its title; `{invocations}` stands for how many a dying receiver saw.
        subject: The series of ours.
        reference: The series that it is compared with; the subject itself where there is none.
        base: What is taken off both, where additions are compared.
        limit: What the ratio may reach at most; at least, where `is_least`.
        is_inverse: Whether the series are times, and what they allow per second is compared.
    """

    what: str
    subject: str
    reference: str
    limit: float
    base: str = ""
    is_least: bool = False
    is_inverse: bool = False

    def ratio(self, series: Series) -> Ratio | None:
        """Compare round by round, so that what the machine did falls on both; None if unknown."""
        names = filter(None, (self.subject, self.reference, self.base))
        if any(name not in series for name in names):
            return None
        own = series[self.subject]
        others = series[self.reference] if self.reference else [1.0] * len(own)
        bases = series[self.base] if self.base else [0.0] * len(own)
        pairs = [(a - base, b - base) for a, b, base in zip(own, others, bases, strict=True)]
        if self.is_inverse:
            pairs = [(b, a) for a, b in pairs]
        return _spread([over / under for over, under in pairs if under])

    def title(self, series: Series) -> str:
        """Return its title for what was measured."""
        return self.what.format(invocations=series.get("dying/all/invocations", [0])[0])

    def is_met(self, ratio: Ratio) -> bool:
        """Say whether the limit holds."""
        if self.is_least:
            return ratio.median >= self.limit
        return ratio.median <= self.limit


def _spread(values: list[float]) -> Ratio | None:
    return Ratio(*quartiles(values)) if values else None


def _added(what: str, series: str, subject: str, reference: str, base: str, limit: float) -> Target:
    return Target(
        what,
        f"{series}/{subject}",
        f"{series}/{reference}",
        limit,
        base=f"{series}/{base}",
    )


TARGETS: Final = (
    *(
        target
        for kind in ("async", "sync")
        for target in (
            _added(
                f"added latency, sampled, {kind}, traces only",
                f"latency/{kind}", "funcscope", "raw", "bare", 0.25,
            ),
            _added(
                f"added latency, unsampled, {kind}",
                f"latency/{kind}", "funcscope-unsampled", "raw-unsampled", "bare", 0.5,
            ),
            _added(
                f"added latency, three signals, {kind}",
                f"latency/{kind}", "funcscope-signals", "raw-signals", "bare-logs", 0.45,
            ),
            _added(
                f"CPU per invocation, export included, {kind}, traces only",
                f"cpu/{kind}", "funcscope", "raw", "bare", 0.35,
            ),
        )
    ),
    Target(
        "throughput, 64 at a time, of the bare worker's",
        "at-once/async/funcscope", "at-once/async/bare", 0.75, is_least=True, is_inverse=True,
    ),
    Target("p99, 64 at a time, of the bare worker's", "p99/async/funcscope", "p99/async/bare", 1.5),
    Target("spans lost per round, 64 at a time", "lost/async/funcscope", "", 0),
    Target("`import funcscope.auto`", "import/fresh/funcscope", "import/fresh/raw", 0.35),
    Target(
        "resident memory after import",
        "import-memory/fresh/funcscope", "import-memory/fresh/raw", 0.6,
    ),
    Target(
        "fresh process to the first invocation's span exported",
        "first/fresh/funcscope", "first/fresh/raw", 0.8,
    ),
    Target(
        "resident memory after 100 exported invocations",
        "memory/fresh/funcscope", "memory/fresh/raw", 0.8,
    ),
    *(
        Target(
            f"latency, {variant.title}, of a healthy one's",
            f"faults/async/{variant.name}", f"faults/async/{variant.healthy}", 1.1,
        )
        for variant in FAULTY
        if variant.name != variant.healthy
    ),
    Target("dying receiver: {invocations:,} invocations, spans lost", "dying/all/lost", "", 0),
    Target("dying receiver: doubled outside unanswered batches", "dying/all/unexplained", "", 0),
)  # fmt: skip
