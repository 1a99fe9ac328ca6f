"""What the trace page keeps: within bounds, sorted by invocation, found by filters."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from funcscope.contrib.host import (
    Batch,
    HostError,
    ReceivedLink,
    ReceivedLog,
    ReceivedMetric,
    ReceivedPoint,
    ReceivedSpan,
)
from funcscope.contrib.host._traces.traces import HostRequest
from funcscope.contrib.host._view.filters import RowFilter, parse_filter
from funcscope.contrib.host._view.history import TraceHistory
from funcscope.contrib.host._view.series import MAX_POINTS, MAX_SERIES, MetricHistory

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[..., ReceivedSpan]
    MakeLog = Callable[..., ReceivedLog]

ALL = RowFilter()
OTHER = "0af7651916cd43dd8448eb211c80319c"


def of(invocation: str, more: dict[str, object] | None = None) -> dict[str, object]:
    """Make the attributes of an invocation's own span."""
    return {"InvocationId": invocation, "faas.name": "pay", "faas.trigger": "http", **(more or {})}


def rows(history: TraceHistory, **query: str) -> list[dict[str, Any]]:
    """List the rows that a query wants."""
    return history.changes(0, parse_filter(query)).rows


def request(invocation: str = "i-1", trace: str = "a" * 32, **fields: Any) -> HostRequest:
    """Make a request as the host tells of it."""
    return HostRequest(invocation, trace, "b" * 16, fields.pop("title", "POST /api/pay"), **fields)


def test_an_invocation_is_one_row(span: Make, log: MakeLog) -> None:
    """The request, the span and the log records of an invocation make one row."""
    history = TraceHistory(clock=lambda: 5_000_000)
    trace = "a" * 32

    history.observe(request(function="pay", trigger="httpTrigger"))
    (running,) = rows(history)
    failed = span(
        "POST /api/pay",
        "b" * 16,
        trace_id=trace,
        status="ERROR",
        status_message="expired",
        attributes=of("i-1", {"faas.coldstart": True, "error.type": "ValueError"}),
    )
    history.add(Batch(spans=(failed,), logs=(log("no", trace_id=trace, severity_number=17),)))
    history.observe(request(result="500", is_ok=False, duration_s=0.25))
    (row,) = rows(history)

    assert (running["status"], running["function"], running["trigger"]) == (
        "running",
        "pay",
        "http",
    )
    assert (row["status"], row["result"], row["error"]) == ("error", "500", "ValueError: expired")
    assert (row["duration_us"], row["start_us"], row["cold"]) == (250_000, 5_000, True)
    assert (row["id"], row["trace"], row["error_logs"]) == ("i-1", trace, 1)


def test_a_sender_without_a_host_is_shown(span: Make) -> None:
    """Spans alone make rows: one for each invocation, or one for a trace without any."""
    history = TraceHistory()
    service = {"service.name": "shop"}
    root = span("GET /", trace_id=OTHER, kind="SERVER", resource=service)

    history.add(Batch(spans=(span("query", root.span_id, trace_id=OTHER), root)))
    history.add(
        Batch(spans=(span("first", attributes=of("i-1")), span("next", attributes=of("i-2"))))
    )

    assert [(row["id"], row["title"], row["function"]) for row in rows(history)] == [
        ("i-1", "first", "pay"),
        ("i-2", "next", "pay"),
        (OTHER, "GET /", "shop"),
    ]


def test_what_has_no_end_yet_says_so(span: Make, log: MakeLog) -> None:
    """A span that was sent before its end, or log records alone, are no success."""
    history = TraceHistory()
    begun = span("long", attributes=of("i-1", {"funcscope.is_unfinished": True}))

    history.add(Batch(logs=(log("on it", attributes={"InvocationId": "i-1"}),)))
    (told,) = rows(history)
    history.add(Batch(spans=(begun,)))
    (unfinished,) = rows(history)
    history.add(Batch(spans=(span("long", span_id=begun.span_id, attributes=of("i-1")),)))
    (ended,) = rows(history)

    statuses = [told["status"], unfinished["status"], ended["status"]]
    assert statuses == ["unfinished", "unfinished", "ok"]
    assert len(json.loads(history.trace(begun.trace_id) or b"")["spans"]) == 1


def test_a_trace_that_a_function_started_is_shown_in_the_hosts(span: Make, log: MakeLog) -> None:
    """Telemetry that names an invocation is in its request's trace, and found by its own, too."""
    history = TraceHistory()
    history.observe(request())

    history.add(Batch(spans=(span("early", "0" * 15 + "9", trace_id=OTHER),)))
    history.add(Batch(spans=(span("own", trace_id=OTHER, attributes=of("i-1")),)))
    history.add(Batch(logs=(log("late", trace_id=OTHER),)))

    (row,) = rows(history)
    trace = json.loads(history.trace(OTHER) or b"")
    assert trace["id"] == row["trace"] == "a" * 32
    assert {each["name"] for each in trace["spans"]} == {"early", "own"}
    assert [each["body"] for each in trace["logs"]] == ["late"]
    assert set(trace["resources"]) >= {each["resource"] for each in trace["spans"]}


def test_the_oldest_traces_go_and_are_counted(span: Make) -> None:
    """Beyond the number of traces, those go that have not changed for longest."""
    history = TraceHistory(max_traces=2)
    ids = [f"{number:032x}" for number in range(1, 4)]

    for trace_id in ids[:2]:
        history.add(Batch(spans=(span("work", trace_id=trace_id),)))
    history.add(Batch(spans=(span("more", trace_id=ids[0]),)))
    seen = history.version
    history.add(Batch(spans=(span("work", trace_id=ids[2]),)))

    changes = history.changes(seen, ALL)
    assert {row["trace"] for row in rows(history)} == {ids[0], ids[2]}
    assert changes.gone == [ids[1]]
    assert (changes.counts["gone"], changes.counts["traces"]) == (1, 2)
    assert history.trace(ids[1]) is None


def test_bytes_are_bounded(span: Make) -> None:
    """However large spans are, what is kept of them stays within its bytes."""
    history = TraceHistory(max_bytes=200_000)

    for number in range(1, 100):
        large = {f"key-{n}": "x" * 1000 for n in range(10)}
        history.add(Batch(spans=(span("work", trace_id=f"{number:032x}", attributes=large),)))

    counts = history.changes(0, ALL).counts
    assert 100_000 < counts["bytes"] <= 200_000
    assert counts["gone"] == 99 - counts["traces"] > 0


def test_one_trace_does_not_push_out_the_others(span: Make, log: MakeLog) -> None:
    """A trace takes so many records and no more, and says how many did not fit."""
    history = TraceHistory()
    history.add(Batch(spans=(span("other", trace_id=OTHER),)))

    history.add(Batch(logs=tuple(log(f"line {number}") for number in range(10_050))))

    trace = json.loads(history.trace(log("").trace_id) or b"")
    assert (len(trace["logs"]), trace["left_out"]) == (10_000, 50)
    assert history.trace(OTHER)


def test_log_records_outside_of_traces_are_counted(log: MakeLog) -> None:
    """What belongs to no trace is not kept, and not passed over in silence."""
    history = TraceHistory()

    history.add(Batch(logs=(log("starting", trace_id=""),)))

    assert history.changes(0, ALL).counts["loose"] == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, {"i-1", "i-2", "i-3"}),
        ({"function": "order"}, {"i-2"}),
        ({"status": "error"}, {"i-1"}),
        ({"status": "running"}, {"i-3"}),
        ({"min_ms": "100"}, {"i-1"}),
        ({"max_ms": "99.5"}, {"i-2"}),
        ({"min_ms": "1e9"}, set()),
        ({"trace": "2" * 32}, {"i-2"}),
        ({"text": "VISA card"}, {"i-1"}),
        ({"text": "db.statement"}, {"i-2"}),
        ({"text": "köln"}, {"i-2"}),
        ({"text": "/api/slow"}, {"i-3"}),
        ({"text": "2222222222"}, {"i-2"}),
        ({"text": "attributes"}, set()),
        ({"text": "visa", "function": "order"}, set()),
    ],
)
def test_filters(span: Make, log: MakeLog, query: dict[str, str], found: set[str]) -> None:
    """Rows are found by function, status, duration, trace, and any text in their trace."""
    history = TraceHistory()
    one, two = "1" * 32, "2" * 32
    for invocation, trace, name in (("i-1", one, "pay"), ("i-2", two, "order")):
        history.observe(request(invocation, trace, function=name))
        history.observe(request(invocation, trace, function=name, result="200", duration_s=0.01))
    history.observe(request("i-1", one, function="pay", result="500", is_ok=False, duration_s=0.1))
    history.observe(request("i-3", "3" * 32, title="GET /api/slow"))
    query_span = span("SELECT", trace_id=two, attributes={"db.statement": "… where city = 'Köln'"})
    history.add(Batch(spans=(query_span,), logs=(log("charging Visa card", trace_id=one),)))

    assert {row["id"] for row in rows(history, **query)} == found


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"status": "bad"}, "status 'bad' is not known: use one of running, ok, error"),
        ({"min_ms": "soon"}, "min_ms 'soon' is not a number of milliseconds"),
        ({"max_ms": "-1"}, "max_ms '-1' is not a number"),
        ({"max_ms": "nan"}, "max_ms 'nan' is not a number"),
    ],
)
def test_wrong_filters_are_named(query: dict[str, str], message: str) -> None:
    """A filter that cannot be read is refused, with what may stand there."""
    with pytest.raises(HostError, match=message):
        parse_filter(query)


def test_changes_are_what_changed() -> None:
    """After the first time, only changed rows come, and those that are wanted no more are gone."""
    history = TraceHistory()
    running = parse_filter({"status": "running"})
    for number in (1, 2):
        history.observe(request(f"i-{number}", f"{number}" * 32))
    first = history.changes(0, running)

    history.observe(request("i-1", "1" * 32, result="200"))
    then = history.changes(first.version, running)
    last = history.changes(then.version, running)

    assert (first.is_whole, len(first.rows)) == (True, 2)
    assert (then.is_whole, then.rows, then.gone) == (False, [], ["i-1"])
    assert (last.rows, last.gone) == ([], [])


def test_clearing_keeps_what_runs(span: Make) -> None:
    """What is cleared is gone, but for invocations that have not ended."""
    history = TraceHistory()
    history.observe(request())
    history.add(Batch(spans=(span("done", trace_id=OTHER),)))

    history.clear()

    assert [row["id"] for row in rows(history)] == ["i-1"]


def test_links_are_followed_both_ways(span: Make) -> None:
    """A trace knows which of its links lead to traces that are here, and which lead to it."""
    history = TraceHistory(max_traces=2)
    links = (ReceivedLink(OTHER, "c" * 16, {}), ReceivedLink("f" * 32, "d" * 16, {}))
    source = span("receive", links=links)

    history.add(Batch(spans=(span("send", trace_id=OTHER), source)))
    target = json.loads(history.trace(OTHER) or b"")
    origin = json.loads(history.trace(source.trace_id) or b"")
    for trace_id in ("8" * 32, "9" * 32):
        history.add(Batch(spans=(span("new", trace_id=trace_id),)))

    assert origin["known"] == [OTHER]
    assert target["linked_from"] == [{"trace": source.trace_id, "span": source.span_id}]
    assert history.trace(OTHER) is None


def test_values_survive_javascript(span: Make) -> None:
    """What JSON or JavaScript's numbers cannot hold comes as text, and long texts are cut."""
    history = TraceHistory()
    odd = {"big": 2**60, "nan": math.nan, "raw": b"\x00\xff", "long": "x" * 20_000, "n": None}
    history.add(Batch(spans=(span("<b>\x1b[31m</b>", attributes={**odd, "list": [1, "a", True]}),)))

    (stored,) = json.loads(history.trace(span("").trace_id) or b"")["spans"]

    values = stored["attributes"]
    assert stored["name"] == "<b>\x1b[31m</b>"
    assert (values["big"], values["nan"], values["raw"]) == (str(2**60), "nan", "00ff")
    assert (values["list"], values["n"]) == ([1, "a", True], None)
    assert values["long"].endswith("… (3616 more characters)")


def test_functions_are_summarized() -> None:
    """A summary counts, and tells percentiles of those invocations that have ended."""
    history = TraceHistory()
    for number in range(1, 101):
        seconds, is_ok = number / 1000, number % 10 != 0
        made = request(f"i-{number}", f"{number:032x}", function="pay", trigger="httpTrigger")
        history.observe(made)
        history.observe(
            request(f"i-{number}", f"{number:032x}", function="pay", trigger="httpTrigger",
                    result="200" if is_ok else "500", is_ok=is_ok, duration_s=seconds)
        )  # fmt: skip
    history.observe(request("i-0", "f" * 32, function="pay"))

    (summary,) = history.summaries()

    assert (summary["function"], summary["trigger"]) == ("pay", "http")
    assert (summary["count"], summary["errors"], summary["running"]) == (101, 10, 1)
    percentiles = [summary[name] for name in ("p50_us", "p95_us", "p99_us", "max_us")]
    assert percentiles == pytest.approx([50_000, 95_000, 99_000, 100_000])


def metric(name: str, value: float, count: int = 1, **attributes: object) -> ReceivedMetric:
    """Make a metric of one point."""
    point = ReceivedPoint(attributes, value, count)
    return ReceivedMetric(
        name, "s", "histogram", (point,), "test", {"service.name": "shop"}, "DELTA"
    )


def test_metrics_are_series_of_points() -> None:
    """Points of one metric and the same attributes are one series, in the order of arrival."""
    times = iter([1_000_000, 2_000_000, 3_000_000])
    history = MetricHistory(clock=lambda: next(times))

    history.add([metric("took", 1.5, 2, a=1), metric("took", 7.0, a=2)])
    history.add([metric("took", 2.5, 3, a=1)])
    first, second = json.loads(history.encode())["series"]

    assert (first["of"]["name"], first["of"]["unit"], first["of"]["kind"]) == (
        "took",
        "s",
        "histogram",
    )
    assert (first["of"]["temporality"], first["of"]["attributes"]) == ("DELTA", {"a": 1})
    assert first["points"] == [[1, 1.5, 2], [2, 2.5, 3]]
    assert second["points"] == [[1, 7.0, 1]]


def test_metrics_are_bounded() -> None:
    """The series that got points last are kept, each with its last points."""
    history = MetricHistory()

    for number in range(MAX_POINTS + 10):
        history.add([metric("took", number)])
    history.add(metric("took", 1, n=number) for number in range(MAX_SERIES + 5))
    told = json.loads(history.encode())
    history.add([metric("took", 1, text="x" * 10_000)])

    assert len(told["series"]) == MAX_SERIES
    assert told["left_out"] == 6
    assert json.loads(history.encode())["left_out"] == 7
