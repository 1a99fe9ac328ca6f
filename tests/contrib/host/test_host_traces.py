"""Which telemetry makes a trace, when it is complete, and how it is drawn."""

from __future__ import annotations

import io
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from tests import patience

from funcscope.contrib.host import Batch, ReceivedEvent, ReceivedLog, ReceivedSpan
from funcscope.contrib.host._traces.collector import (
    MAX_TRACES,
    PATIENCE_S,
    QUIET_S,
    TraceCollector,
)
from funcscope.contrib.host._traces.console import HostConsole
from funcscope.contrib.host._traces.printer import TracePrinter
from funcscope.contrib.host._traces.traces import HostRequest, Trace

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeSpan = Callable[..., ReceivedSpan]
    MakeLog = Callable[..., ReceivedLog]

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
HOST_SPAN_ID = "00f067aa0ba902b7"
OWN = {"InvocationId": "i1"}


@pytest.fixture
def request_() -> HostRequest:
    """Make a request that the host made invocation `i1` of."""
    return HostRequest("i1", TRACE_ID, HOST_SPAN_ID, "GET /api/hello")


@pytest.fixture
def collector(request_: HostRequest) -> TraceCollector:
    """Make a collector that knows of the request since second 0."""
    collector = TraceCollector()
    collector.begin(request_, now=0)
    return collector


def end(collector: TraceCollector, request: HostRequest, now: float) -> None:
    """End the invocation with a 200."""
    collector.end(replace(request, result="200", duration_s=0.0123), now)


def test_complete_after_a_quiet_time(
    collector: TraceCollector, request_: HostRequest, span: MakeSpan
) -> None:
    """A trace is complete when its invocation has ended, its span came, and then nothing."""
    assert collector.next_due() is None
    collector.add(Batch(spans=(span("own", HOST_SPAN_ID, attributes=OWN),)), now=1)
    assert collector.next_due() is None
    end(collector, request_, now=2)
    assert collector.next_due() == 2 + QUIET_S
    collector.add(Batch(spans=(span("late"),)), now=2.1)

    assert collector.take_finished(2.1 + QUIET_S - 0.01) == []
    (trace,) = collector.take_finished(2.1 + QUIET_S)
    assert [s.name for s in trace.spans] == ["own", "late"]
    assert trace.requests["i1"].result == "200"
    assert collector.take_all() == []


def test_more_patience_without_the_own_span(
    collector: TraceCollector, request_: HostRequest, span: MakeSpan
) -> None:
    """An app that makes other spans only is shown, too, but not before a longer wait."""
    collector.add(Batch(spans=(span("other"),)), now=1)
    end(collector, request_, now=2)

    assert collector.next_due() == 2 + PATIENCE_S


def test_waits_for_every_invocation_of_the_trace(
    collector: TraceCollector, request_: HostRequest, span: MakeSpan
) -> None:
    """Two requests that continue one caller's trace are shown together."""
    other = HostRequest("i2", TRACE_ID, "b7" * 8, "GET /api/other")
    collector.begin(other, now=0)
    collector.add(Batch(spans=(span("own", HOST_SPAN_ID, attributes=OWN),)), now=1)
    end(collector, request_, now=2)
    assert collector.next_due() is None

    collector.add(Batch(spans=(span("b", attributes={"InvocationId": "i2"}),)), now=3)
    end(collector, other, now=4)

    assert len(collector.take_finished(4 + QUIET_S)[0].requests) == 2


def test_records_outside_of_traces_are_left_out(log: MakeLog) -> None:
    """A log record without a trace id belongs to no tree."""
    collector = TraceCollector()

    collector.add(Batch(logs=(log("start-up", trace_id=""),)), now=0)

    assert collector.take_all() == []


def test_never_keeps_more_than_so_many() -> None:
    """Traces that never end do not fill the memory: the oldest go."""
    collector = TraceCollector()
    for number in range(MAX_TRACES + 5):
        request = HostRequest(f"i{number}", f"{number:032x}", HOST_SPAN_ID, "GET /")
        collector.begin(request, now=number)

    oldest = collector.take_finished(now=MAX_TRACES + 10)

    assert [t.trace_id for t in oldest] == [f"{number:032x}" for number in range(5)]


def drawn(trace: Trace) -> list[str]:
    """Draw a trace as plain text."""
    output = io.StringIO()
    console = Console(file=output, highlight=False, soft_wrap=True, width=1000)
    HostConsole(console).show_trace(trace)
    return output.getvalue().splitlines()


def test_tree(span: MakeSpan, log: MakeLog) -> None:
    """Spans hang from their parents, log lines from their spans, in the order of time."""
    own = span("GET /api/hello", HOST_SPAN_ID, attributes={"faas.name": "hello", **OWN})
    child = span("load", own.span_id)
    request = HostRequest("i1", TRACE_ID, HOST_SPAN_ID, "GET /api/hello", "200", True, 0.0123)
    trace = Trace(
        TRACE_ID,
        {"i1": request},
        [child, own],
        [log("later\nmore [bold]", child.span_id, time_ns=9_000_000), log("in own", own.span_id)],
    )

    assert drawn(trace) == [
        "",
        f"GET /api/hello → 200  12.3 ms  trace {TRACE_ID}",
        "└── GET /api/hello  2.5 ms  hello",
        "    ├── load  2.5 ms",
        "    │   └── INFO  later",
        "    │       more [bold]",
        "    └── INFO  in own",
    ]


def test_tree_of_a_function_with_a_trace_of_its_own(span: MakeSpan, log: MakeLog) -> None:
    """A span that starts a trace hangs from its invocation's request, and names the trace."""
    own = span("own", trace_id="f" * 32, attributes=OWN)
    child = span("child", own.span_id, trace_id="f" * 32)
    requests = {
        "i1": HostRequest("i1", TRACE_ID, HOST_SPAN_ID, "GET /1", "200"),
        "i2": HostRequest("i2", TRACE_ID, "b7" * 8, "GET /2", "200"),
    }
    orphan = log("alone", "ab" * 8, trace_id="f" * 32, time_ns=9_000_000)

    assert drawn(Trace(TRACE_ID, requests, [child, own], [orphan]))[1:5] == [
        f"GET /1 → 200  0.0 ms  trace {TRACE_ID}",
        f"├── own  2.5 ms  trace {'f' * 32}",
        "│   └── child  2.5 ms",
        "└── INFO  alone",
    ]


def test_tree_of_an_error(span: MakeSpan) -> None:
    """A failed span says what was raised; a cold start is told."""
    event = ReceivedEvent(
        "exception", 1, {"exception.type": "ValueError", "exception.message": "bad"}
    )
    own = span(
        "own",
        HOST_SPAN_ID,
        status="ERROR",
        attributes={"faas.coldstart": True, "error.type": "ValueError"},
        events=(event,),
    )
    request = HostRequest("i1", TRACE_ID, HOST_SPAN_ID, "POST /", "500", False, 0.001)

    lines = drawn(Trace(TRACE_ID, {"i1": request}, [own]))

    assert lines[1].startswith("POST / → 500")
    assert lines[2] == "└── own  2.5 ms  cold start  ValueError: bad"


def test_tree_of_an_error_without_an_event(span: MakeSpan) -> None:
    """Without a recorded exception, error.type and the status tell."""
    own = span("own", status="ERROR", status_message="late", attributes={"error.type": "timeout"})

    assert drawn(Trace(TRACE_ID, {}, [own]))[2] == "└── own  2.5 ms  timeout: late"


def test_what_has_no_parent_hangs_from_the_traces_request(span: MakeSpan, log: MakeLog) -> None:
    """A span whose parent did not come is shown below the request of its trace; so is a log."""
    request = HostRequest("i1", TRACE_ID, HOST_SPAN_ID, "GET /")
    orphan = span("orphan", "ff" * 8)

    lines = drawn(Trace(TRACE_ID, {"i1": request}, [orphan], [log("alone", "ee" * 8)]))

    assert lines[1] == f"GET / → still running  trace {TRACE_ID}"
    assert lines[2:] == ["├── orphan  2.5 ms", "└── INFO  alone"]


def test_what_has_no_parent_finds_its_request_among_several(log: MakeLog) -> None:
    """Where requests share a trace, the invocation id tells whose a record is, if it has one."""
    requests = {
        "i1": HostRequest("i1", TRACE_ID, HOST_SPAN_ID, "GET /1", "200"),
        "i2": HostRequest("i2", TRACE_ID, "b7" * 8, "GET /2", "200"),
    }
    logs = [log("second's", attributes={"InvocationId": "i2"}), log("whose")]

    assert drawn(Trace(TRACE_ID, requests, [], logs)) == [
        "",
        f"GET /1 → 200  0.0 ms  trace {TRACE_ID}",
        "",
        f"GET /2 → 200  0.0 ms  trace {TRACE_ID}",
        "└── INFO  second's",
        "",
        f"request not known  trace {TRACE_ID}",
        "└── INFO  whose",
    ]


def test_what_no_request_made_stands_apart(span: MakeSpan) -> None:
    """A trace that an app makes by itself has a line that says so."""
    assert drawn(Trace(TRACE_ID, {}, [span("start-up")])) == [
        "",
        f"outside of any request  trace {TRACE_ID}",
        "└── start-up  2.5 ms",
    ]


def test_request_without_telemetry_says_so() -> None:
    """A request that nothing came for has its line, which says so."""
    request = HostRequest("i1", TRACE_ID, HOST_SPAN_ID, "GET /api/a", "200", True, 0.0031)

    assert drawn(Trace(TRACE_ID, {"i1": request})) == [
        "",
        "GET /api/a → 200  3.1 ms  no telemetry",
    ]


def test_spans_that_are_their_own_ancestors_do_not_loop(span: MakeSpan) -> None:
    """Wrong parents cannot make drawing endless."""
    first = span("first", HOST_SPAN_ID, span_id="a" * 16)
    again = span("again", "a" * 16, span_id="a" * 16)
    request = HostRequest("i1", TRACE_ID, HOST_SPAN_ID, "GET /", "200")

    lines = drawn(Trace(TRACE_ID, {"i1": request}, [first, again]))

    assert lines[2:] == ["└── first  2.5 ms", "    └── again  2.5 ms"]


def test_printer_shows_a_trace_when_complete(request_: HostRequest, span: MakeSpan) -> None:
    """The printer's thread hands a trace over by itself, a moment after its last span."""
    shown: list[Trace] = []
    is_shown = threading.Event()

    def show(trace: Trace) -> None:
        shown.append(trace)
        is_shown.set()

    with TracePrinter(show) as printer:
        printer.observe(request_)
        printer.add(Batch(spans=(span("own", HOST_SPAN_ID, attributes=OWN),)))
        printer.observe(replace(request_, result="200"))
        assert is_shown.wait(patience.PATIENCE_S)

    assert [trace.trace_id for trace in shown] == [TRACE_ID]
    assert not printer.is_missing_telemetry


def test_printer_shows_the_rest_at_the_end(request_: HostRequest, span: MakeSpan) -> None:
    """What is not complete when the printer stops is shown as it is, empty or not."""
    shown: list[Trace] = []

    with TracePrinter(shown.append) as printer:
        printer.observe(request_)
        printer.observe(HostRequest("i2", "e" * 32, HOST_SPAN_ID, "GET /empty"))
        printer.add(Batch(spans=(span("own", HOST_SPAN_ID, attributes=OWN),)))

    assert [trace.trace_id for trace in shown] == [TRACE_ID, "e" * 32]


def test_printer_knows_when_nothing_came(request_: HostRequest) -> None:
    """Invocations without any telemetry are worth a hint; no invocations are not."""
    with TracePrinter(lambda _: None) as printer:
        assert not printer.is_missing_telemetry
        printer.observe(request_)

    assert printer.is_missing_telemetry
