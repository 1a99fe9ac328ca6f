"""
Timing in rounds: what benchmarks compare.

Each round times all variants, one after another, so that what else the machine does falls on all
of them; what is compared are medians over the rounds, as ratios within one run.
"""

from __future__ import annotations

from statistics import quantiles
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")


def time_calls(calls: int, function: Callable[..., object], **kwargs: object) -> float:
    """Return seconds per call."""
    start = perf_counter()
    for _ in range(calls):
        function(**kwargs)
    return (perf_counter() - start) / calls


def measure(rounds: int, variants: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Time the variants in turn, every other round in reverse; return what each one measured."""
    measured: dict[str, list[T]] = {name: [] for name in variants}
    for number in range(rounds):
        order = list(variants.items())
        for name, once in reversed(order) if number % 2 else order:
            measured[name].append(once())
    return measured


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """
    Return the lower quartile, the median and the upper one; of a single value that value.

    >>> quartiles([3])
    (3, 3, 3)
    """
    if len(values) == 1:  # which `quantiles` takes on Python 3.13 and later
        return values[0], values[0], values[0]
    low, middle, high = quantiles(values, n=4)
    return low, middle, high


def print_timings(kind: str, seconds: Mapping[str, Sequence[float]]) -> None:
    """Print a line for each variant: its median, and its quartiles."""
    for name, values in seconds.items():
        low, median, high = (value * 1e6 for value in quartiles(values))
        print(f"{kind:6} {name:16} {median:7.2f} µs  ({low:.2f} to {high:.2f})")
