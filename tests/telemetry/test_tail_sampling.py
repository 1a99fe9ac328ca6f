"""Which invocations are sampled, decided when they end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace._sampling_experimental import (
    composable_traceid_ratio_based,
    composite_sampler,
)
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, TraceState

from funcscope.extensions._invocation import entered
from funcscope.telemetry._pipeline import tail_sampling as _kept_invocations
from funcscope.telemetry._pipeline.tail_sampling import TailSampler

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.extensions import Invocation

    Make = Callable[..., Invocation]

LOW, HIGH = 1, (1 << 56) - 1  # trace ids that a ratio keeps last, and first


class Span(str):
    """A span by its name; exporters find noted on it what it is told with."""

    __slots__ = ("__dict__",)


def ids(trace_id: int, state: str = "") -> SpanContext:
    """Make the ids of an invocation's span."""
    header = TraceState.from_header([state] if state else [])
    return SpanContext(trace_id, 1, is_remote=False, trace_state=header)


class Taken:
    """Takes what is sampled."""

    def __init__(self) -> None:
        self.items: list[tuple[object, bool]] = []

    def __call__(self, item: object, is_error: bool) -> None:
        self.items.append((item, is_error))


@pytest.fixture
def taken() -> Taken:
    """Take what is sampled."""
    return Taken()


@pytest.mark.parametrize(
    ("trace_id", "duration_s", "has_failed", "is_kept"),
    [
        (LOW, 0.1, False, False),
        (HIGH, 0.1, False, True),
        (LOW, 0.1, True, True),
        (LOW, 1.1, False, True),
    ],
    ids=["ordinary", "of the ratio", "failed", "slow"],
)
def test_what_is_kept(
    taken: Taken,
    invocation: Make,
    trace_id: int,
    duration_s: float,
    has_failed: bool,
    is_kept: bool,
) -> None:
    """What failed, what was slow and a part of the rest is kept: spans and records together."""
    sampler = TailSampler(0.5, slower_s=1)
    put_span, put_record = sampler.buffering("traces", taken), sampler.buffering("logs", taken)
    call = invocation()
    with entered(call):
        put_record("record", True)
        put_span(Span("child"), False)
        assert taken.items == []
        sampler.decide(call, ids(trace_id), duration_s, has_failed=has_failed)
        put_span(Span("span"), False)

    wanted = [("record", True), ("child", False), ("span", False)]
    assert taken.items == (wanted if is_kept else [])
    assert sampler.sampled_out == ({} if is_kept else {"logs": 1, "traces": 2})


def test_what_is_kept_before_its_end_stays(taken: Taken, invocation: Make) -> None:
    """An invocation that was to be kept while it ran is kept, however it ends."""
    sampler, call = TailSampler(0), invocation()
    put = sampler.buffering("logs", taken)
    with entered(call):
        put("record", False)
        sampler.decide(call, ids(LOW), 0, has_failed=True)
        sampler.decide(call, ids(LOW), 0, has_failed=False)
        put("late", False)

    assert taken.items == [("record", False), ("late", False)]


def test_outside_an_invocation(taken: Taken) -> None:
    """What belongs to no invocation is sampled."""
    TailSampler(0).buffering("logs", taken)("record", False)

    assert taken.items == [("record", False)]


def test_what_is_in_no_trace(taken: Taken, invocation: Make) -> None:
    """What is logged in an invocation without a trace is kept: no ratio is one of it."""
    sampler, call = TailSampler(0), invocation()
    with entered(call):
        sampler.buffering("logs", taken)("record", False)
        sampler.decide(call, INVALID_SPAN_CONTEXT, 0, has_failed=False)

    assert taken.items == [("record", False)]


def test_slowness_is_no_reason_unless_asked_for(taken: Taken, invocation: Make) -> None:
    """Without a limit, how long an invocation ran does not count."""
    sampler, call = TailSampler(0), invocation()
    with entered(call):
        sampler.buffering("logs", taken)("record", False)
        sampler.decide(call, ids(LOW), 1e9, has_failed=False)

    assert taken.items == []


def test_several_places(taken: Taken, invocation: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes to several places is decided for all, held as often, and counted once."""
    monkeypatch.setattr(_kept_invocations, "MAX_ITEMS", 1)
    sampler, call, others = TailSampler(0), invocation(), Taken()
    puts = [sampler.buffering("logs", taken), sampler.buffering("logs", others)]
    for has_failed in (True, False):
        call = invocation()
        with entered(call):
            for put in puts:
                put("record", False)
            sampler.decide(call, ids(LOW), 0, has_failed=has_failed)

    assert taken.items == others.items == [("record", False)]
    assert sampler.sampled_out == {"logs": 1}


def test_too_much_to_hold(taken: Taken, invocation: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invocation that says too much has its first part held, and the rest counted."""
    monkeypatch.setattr(_kept_invocations, "MAX_ITEMS", 2)
    sampler, call = TailSampler(0), invocation()
    with entered(call):
        put = sampler.buffering("logs", taken)
        for number in range(3):
            put(number, False)
        sampler.decide(call, ids(LOW), 0, has_failed=True)

    assert [item for item, _ in taken.items] == [0, 1]
    assert sampler.sampled_out == {"logs": 1}


def test_too_many_bytes_to_hold(taken: Taken, invocation: Make) -> None:
    """What waits of all invocations together has so many bytes at most; the rest is counted."""
    sampler, calls = TailSampler(0, max_bytes=10), [invocation(), invocation()]
    put = sampler.buffering("logs", taken, weigh=lambda item: len(str(item)))
    for call in calls:
        with entered(call):
            put("a" * 6, False)
            put("b" * 4, False)
            put("", False)
    for call in calls:
        sampler.decide(call, ids(LOW), 0, has_failed=True)

    assert [item for item, _ in taken.items] == ["a" * 6, "b" * 4, "", ""]
    assert sampler.sampled_out == {"logs": 2}


@pytest.mark.parametrize("is_settled", [True, False])
def test_room_for_bytes_is_there_again(taken: Taken, invocation: Make, is_settled: bool) -> None:
    """There is room again once an invocation is settled, or gone; what comes late takes none."""
    sampler = TailSampler(0, max_bytes=10)
    put = sampler.buffering("logs", taken, weigh=lambda item: len(str(item)))
    for _ in range(3):
        call = invocation()
        with entered(call):
            put("a" * 8, False)
            if is_settled:
                sampler.decide(call, ids(LOW), 0, has_failed=True)
                put("late" * 5, False)
                put("late", False)
        call.state.clear()

    assert sampler.sampled_out == {}
    assert len(taken.items) == (9 if is_settled else 0)


@pytest.mark.parametrize("state", ["", "ot=rv:00000000000005", "ot=rv:ffffffffffffff;x:y"])
@pytest.mark.parametrize("trace_id", [LOW, HIGH // 3, HIGH // 2, HIGH, HIGH << 64 | 5])
@pytest.mark.parametrize("ratio", [0.0, 0.2, 0.5, 1.0])
def test_ratio_is_opentelemetrys(
    taken: Taken, invocation: Make, trace_id: int, ratio: float, state: str
) -> None:
    """The same traces are sampled as by OpenTelemetry's consistent sampler, and spans say so."""
    span = ids(trace_id, state)
    known = composite_sampler(composable_traceid_ratio_based(ratio)).should_sample(
        None, trace_id, "x", trace_state=span.trace_state
    )
    sampler, call = TailSampler(ratio), invocation()
    with entered(call):
        sampler.buffering("traces", taken)(Span("span"), False)
        sampler.decide(call, span, 0, has_failed=False)

    assert bool(taken.items) == (known.decision is Decision.RECORD_AND_SAMPLE)
