"""When to try again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from funcscope.telemetry._delivery.retry import Backoff, CircuitBreaker


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_delay_is_bounded(failures: int, drawn: float) -> None:
    """However many failures, a wait is between none and the longest."""
    assert 0 <= Backoff(1, 30, lambda: drawn).delay_s(failures) <= 30


def test_delay_doubles() -> None:
    """Without luck the waits double up to the longest; jitter takes any part of them."""
    assert [Backoff(1, 5, lambda: 1.0).delay_s(n) for n in range(1, 6)] == [1, 2, 4, 5, 5]
    assert Backoff(1, 5, lambda: 0.25).delay_s(3) == 1


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Breaker(CircuitBreaker):
    """One that opens after two failures, on a test's clock, and remembers what it says."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        super().__init__(
            2,
            Backoff(1, 8, lambda: 1.0),
            on_open=self.said.append,
            on_close=lambda: self.said.append("closed"),
            longest_retry_after_s=60,
            clock=self.clock,
        )


def test_opens_once_and_closes_once() -> None:
    """However long it fails, it says once that it opens, and once that it closes."""
    breaker = Breaker()
    for number in range(5):
        breaker.failed(f"reason {number}")
    breaker.succeeded()
    breaker.succeeded()

    assert breaker.said == ["reason 1", "closed"]
    assert not breaker.is_failing


def test_single_failures_do_not_open() -> None:
    """Failures with a success between them are none in a row."""
    breaker = Breaker()
    for _ in range(3):
        breaker.failed("once")
        breaker.succeeded()

    assert not breaker.said


def test_one_probe_per_wait() -> None:
    """An attempt may be made when the wait is over, and the next after another, longer one."""
    breaker = Breaker()
    breaker.failed("a")
    breaker.failed("b")

    assert not breaker.is_ready()
    breaker.clock.now += 2
    assert breaker.is_ready()
    breaker.failed("c")
    breaker.clock.now += 2
    assert not breaker.is_ready()
    breaker.clock.now += 2
    assert breaker.is_ready()
    breaker.succeeded()
    breaker.failed("d")
    breaker.clock.now += 1
    assert breaker.is_ready()


def test_retry_after_is_the_least_wait() -> None:
    """`Retry-After` is waited for, up to a bound, unless the backoff waits longer anyway."""
    breaker = Breaker()
    breaker.failed("a", 10)
    assert breaker.ready_at == breaker.clock.now + 10
    breaker.failed("b", 0.5)
    assert breaker.ready_at == breaker.clock.now + 2
    breaker.failed("c", 1e9)
    assert breaker.ready_at == breaker.clock.now + 60


def test_hurry_skips_the_backoff_alone() -> None:
    """At the end one attempt may be made at once, unless the collector asked to be left alone."""
    breaker = Breaker()
    breaker.failed("a")
    breaker.retry_now()
    assert breaker.is_ready()
    breaker.failed("b", 10)
    breaker.retry_now()
    assert not breaker.is_ready()
    breaker.clock.now += 10
    assert breaker.is_ready()
