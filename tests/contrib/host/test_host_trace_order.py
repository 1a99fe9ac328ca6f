"""The order of the traces that are shown, and what belongs to a request though it comes apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from funcscope.contrib.host import Batch, ReceivedLog, ReceivedSpan
from funcscope.contrib.host._traces.collector import (
    MAX_TRACES,
    MAX_WEIGHT,
    PATIENCE_S,
    QUIET_S,
    TraceCollector,
)
from funcscope.contrib.host._traces.traces import HostRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeSpan = Callable[..., ReceivedSpan]
    MakeLog = Callable[..., ReceivedLog]

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SECOND_TRACE_ID, STARTED_TRACE_ID = "e" * 32, "f" * 32
HOST_SPAN_ID = "00f067aa0ba902b7"
OWN = {"InvocationId": "i1"}
FIRST = HostRequest("i1", TRACE_ID, HOST_SPAN_ID, "GET /first")
SECOND = HostRequest("i2", SECOND_TRACE_ID, HOST_SPAN_ID, "GET /second")


@pytest.fixture
def collector() -> TraceCollector:
    """Make a collector that knows of two requests, each in a trace of its own."""
    collector = TraceCollector()
    collector.begin(FIRST, now=0)
    collector.begin(SECOND, now=0.5)
    return collector


@pytest.fixture
def first_span(span: MakeSpan) -> ReceivedSpan:
    """Make the first request's own span."""
    return span("1st", HOST_SPAN_ID, attributes=OWN)


@pytest.fixture
def second_span(span: MakeSpan) -> ReceivedSpan:
    """Make the second request's own span."""
    attributes = {"InvocationId": "i2"}
    return span("2nd", HOST_SPAN_ID, trace_id=SECOND_TRACE_ID, attributes=attributes)


def end(collector: TraceCollector, request: HostRequest, now: float) -> None:
    """End an invocation with a 200."""
    collector.end(replace(request, result="200", duration_s=0.0123), now)


def take(collector: TraceCollector, now: float) -> list[str]:
    """Take the ids of the traces that are shown at a moment."""
    return [trace.trace_id for trace in collector.take_finished(now)]


def test_waits_for_an_earlier_request_whose_span_is_late(
    collector: TraceCollector, first_span: ReceivedSpan, second_span: ReceivedSpan
) -> None:
    """A slow first export does not put the cold start's tree behind that of a later request."""
    end(collector, FIRST, now=1)
    end(collector, SECOND, now=1)
    collector.add(Batch(spans=(second_span,)), now=1)
    late = 1 + 1.9 * QUIET_S
    assert take(collector, late) == []

    collector.add(Batch(spans=(first_span,)), now=late)

    assert collector.next_due() == late + QUIET_S
    assert take(collector, late + QUIET_S) == [TRACE_ID, SECOND_TRACE_ID]


def test_waits_for_an_earlier_request_for_a_limited_time(
    collector: TraceCollector, second_span: ReceivedSpan
) -> None:
    """A span that does not come holds the later requests' trees back for one quiet time only."""
    end(collector, FIRST, now=1)
    end(collector, SECOND, now=1)
    collector.add(Batch(spans=(second_span,)), now=1)

    assert collector.next_due() == 1 + 2 * QUIET_S
    assert take(collector, 1 + 2 * QUIET_S) == [SECOND_TRACE_ID]


def test_waits_for_an_earlier_request_that_is_not_quiet_for_a_limited_time(
    collector: TraceCollector, first_span: ReceivedSpan, second_span: ReceivedSpan, log: MakeLog
) -> None:
    """A trace that goes on growing holds the later ones back for two quiet times only."""
    end(collector, FIRST, now=1)
    end(collector, SECOND, now=1)
    collector.add(Batch(spans=(first_span, second_span)), now=1)
    for step in range(1, 10):
        collector.add(Batch(logs=(log("more"),)), now=1 + step * 0.9 * QUIET_S)

    assert take(collector, 1 + 3 * QUIET_S) == [SECOND_TRACE_ID]


def test_does_not_wait_for_a_request_that_runs(
    collector: TraceCollector, second_span: ReceivedSpan
) -> None:
    """A long request does not hold back those that end before it."""
    end(collector, SECOND, now=1)
    collector.add(Batch(spans=(second_span,)), now=1)

    assert take(collector, 1 + QUIET_S) == [SECOND_TRACE_ID]


def test_shown_together_in_the_order_of_starts(
    collector: TraceCollector, first_span: ReceivedSpan, second_span: ReceivedSpan
) -> None:
    """Of two traces that end in the other order, the one that started first comes first."""
    end(collector, SECOND, now=1)
    collector.add(Batch(spans=(second_span,)), now=1)
    end(collector, FIRST, now=1.1)
    collector.add(Batch(spans=(first_span,)), now=1.1)

    assert take(collector, 1 + QUIET_S) == []
    assert take(collector, 1.1 + QUIET_S) == [TRACE_ID, SECOND_TRACE_ID]


def test_request_without_telemetry_is_complete_after_a_longer_wait(
    collector: TraceCollector,
) -> None:
    """A request that nothing comes for is shown all the same, once nothing is to be expected."""
    end(collector, FIRST, now=2)

    assert collector.next_due() == 2 + PATIENCE_S
    (trace,) = collector.take_finished(2 + PATIENCE_S)
    assert trace.requests["i1"].result == "200"


def test_an_orchestrators_run_is_not_waited_for() -> None:
    """A run that makes no span is complete at once, and says nothing of whether telemetry comes."""
    collector = TraceCollector()
    run = replace(FIRST, trigger="orchestrationTrigger")
    collector.begin(run, now=0)
    end(collector, run, now=1)

    assert take(collector, 1 + QUIET_S) == [TRACE_ID]
    collector.begin(SECOND, now=2)
    end(collector, SECOND, now=3)
    assert collector.next_due() == 3 + PATIENCE_S


def test_trace_that_a_function_starts_belongs_to_its_request(
    collector: TraceCollector, span: MakeSpan, log: MakeLog
) -> None:
    """A span that names its invocation takes its whole trace to the request."""
    own = span("own", trace_id=STARTED_TRACE_ID, attributes=OWN)
    child = span("child", own.span_id, trace_id=STARTED_TRACE_ID)
    collector.add(Batch(spans=(child,), logs=(log("early", trace_id=STARTED_TRACE_ID),)), now=1)
    collector.add(Batch(spans=(own,)), now=1)
    collector.add(Batch(logs=(log("late", trace_id=STARTED_TRACE_ID),)), now=1)
    end(collector, FIRST, now=2)

    (trace,) = collector.take_finished(2 + QUIET_S)

    assert trace.trace_id == TRACE_ID
    assert {span.name for span in trace.spans} == {"own", "child"}
    assert {record.body for record in trace.logs} == {"early", "late"}
    assert [trace.trace_id for trace in collector.take_all()] == [SECOND_TRACE_ID]


def test_trace_of_another_request_stays_with_it(collector: TraceCollector, span: MakeSpan) -> None:
    """One stray span does not move another request's trace."""
    stray = span("stray", trace_id=SECOND_TRACE_ID, attributes=OWN)

    collector.add(Batch(spans=(stray, span("its", trace_id=SECOND_TRACE_ID))), now=1)

    first, second = collector.take_all()
    assert [s.name for s in first.spans] == ["stray"]
    assert [s.name for s in second.spans] == ["its"]


def test_request_that_continues_a_functions_trace_has_it(
    collector: TraceCollector, span: MakeSpan
) -> None:
    """A function may call another one of its app from the trace that it started."""
    collector.add(Batch(spans=(span("a", trace_id=STARTED_TRACE_ID, attributes=OWN),)), now=1)
    collector.begin(HostRequest("i3", STARTED_TRACE_ID, HOST_SPAN_ID, "GET /inner"), now=2)

    collector.add(Batch(spans=(span("b", trace_id=STARTED_TRACE_ID),)), now=3)

    first, _, inner = collector.take_all()
    assert [s.name for s in first.spans] == ["a"]
    assert [s.name for s in inner.spans] == ["b"]


def test_record_without_a_trace_finds_its_request(collector: TraceCollector, log: MakeLog) -> None:
    """A log record that has no trace, but names its invocation, belongs to the request."""
    collector.add(Batch(logs=(log("hello", trace_id="", attributes=OWN),)), now=1)

    assert [record.body for record in collector.take_all()[0].logs] == ["hello"]


@pytest.mark.parametrize("attributes", [{}, OWN])
def test_late_telemetry_is_shown_below_its_request_again(
    collector: TraceCollector, log: MakeLog, attributes: dict[str, str]
) -> None:
    """What comes after its request was shown has the request's line, too, without a long wait."""
    end(collector, FIRST, now=1)
    assert take(collector, 1 + PATIENCE_S) == [TRACE_ID]

    collector.add(Batch(logs=(log("late", attributes=attributes),)), now=9)

    (trace,) = collector.take_finished(9 + QUIET_S)
    assert trace.requests["i1"].result == "200"


def test_late_telemetry_is_not_the_traces_next_requests(
    collector: TraceCollector, log: MakeLog
) -> None:
    """A caller may use one trace twice: what names the first request goes below that one."""
    end(collector, FIRST, now=1)
    assert take(collector, 1 + PATIENCE_S) == [TRACE_ID]
    collector.begin(HostRequest("i3", TRACE_ID, "b7" * 8, "GET /again"), now=9)

    collector.add(Batch(logs=(log("late", attributes=OWN),)), now=9)

    again = next(t for t in collector.take_all() if t.trace_id == TRACE_ID)
    assert [r.result for r in again.requests.values()] == [None, "200"]


def test_end_of_a_request_that_was_shown_is_not_shown() -> None:
    """A request that had to be shown while it ran is not said to be without telemetry later."""
    collector = TraceCollector()
    requests = [
        HostRequest(f"i{number}", f"{number:032x}", HOST_SPAN_ID, "GET /")
        for number in range(MAX_TRACES + 1)
    ]
    for request in requests:
        collector.begin(request, now=0)
    assert take(collector, 0) == [requests[0].trace_id]

    end(collector, requests[0], now=1)

    assert collector.next_due() is None


def test_what_waits_is_bounded_by_its_size(
    collector: TraceCollector, span: MakeSpan, log: MakeLog
) -> None:
    """Long texts count as several, and the oldest trace is shown when there is too much."""
    texts = tuple(log("x" * 40_000, trace_id=f"{n:032x}") for n in range(1, 2_100))
    collector.add(Batch(logs=texts), now=1)

    shown = take(collector, 1)

    assert shown[:2] == [TRACE_ID, SECOND_TRACE_ID]
    kept = sum(trace.weight for trace in collector.take_all())
    assert MAX_WEIGHT - 20 < kept <= MAX_WEIGHT
