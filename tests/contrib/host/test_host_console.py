"""What the terminal shows of requests: trees or lines, what is said of spans, and which lines."""

from __future__ import annotations

import io
import itertools
import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from scripts.snippets import snippets_of

from funcscope.contrib._local.host_json import HostJson
from funcscope.contrib.host import (
    HostError,
    ReceivedEvent,
    ReceivedLink,
    ReceivedLog,
    ReceivedMetric,
    ReceivedPoint,
    ReceivedSpan,
)
from funcscope.contrib.host._console.choice import MODES, TreeChoice
from funcscope.contrib.host._console.folding import Folding
from funcscope.contrib.host._console.levels import ConsoleLevels, read_levels
from funcscope.contrib.host._console.request_line import lone_line
from funcscope.contrib.host._traces.console import HostConsole, make_terminal
from funcscope.contrib.host._traces.traces import HostRequest, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    MakeSpan = Callable[..., ReceivedSpan]
    MakeLog = Callable[..., ReceivedLog]

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
HOST_SPAN_ID = "00f067aa0ba902b7"
OWN = {"InvocationId": "i1", "faas.name": "hello"}


def request_of(**fields: object) -> HostRequest:
    """Make an ended request."""
    values: dict[str, object] = {"result": "200", "duration_s": 0.0123, **fields}
    return HostRequest("i1", TRACE_ID, HOST_SPAN_ID, "GET /api/hello", **values)  # type: ignore[arg-type]


def trace_of(
    request: HostRequest, *items: ReceivedSpan | ReceivedLog, crowded: bool = False
) -> Trace:
    """Make a request's trace."""
    trace = Trace(TRACE_ID, {"i1": request}, is_crowded=crowded)
    for item in items:
        trace.add(item)
    return trace


def drawn(trace: Trace, *, verbose: bool = False) -> list[str]:
    """Draw a trace as plain text, without the empty line before it."""
    output = io.StringIO()
    console = Console(file=output, highlight=False, soft_wrap=True, width=1000)
    HostConsole(console, is_verbose=verbose).show_trace(trace)
    return output.getvalue().splitlines()[1:]


def line_of(trace: Trace) -> str:
    """Write a trace's request on one line."""
    return lone_line(trace.requests["i1"], trace, nothing="no telemetry").plain


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("auto", "alone failed slow"),
        ("all", "alone crowded failed slow"),
        ("errors", "failed"),
        ("slow", "failed slow"),
        ("none", ""),
    ],
)
def test_modes(mode: str, expected: str) -> None:
    """Each mode has its trees; by default, what is alone, failed or slow is one."""
    kinds = {
        "alone": trace_of(request_of()),
        "crowded": trace_of(request_of(), crowded=True),
        "failed": trace_of(request_of(is_ok=False, result="500"), crowded=True),
        "slow": trace_of(request_of(duration_s=1.0), crowded=True),
    }
    choice = TreeChoice(mode)

    assert mode in MODES
    assert [kind for kind, trace in kinds.items() if choice.wants_tree(trace)] == expected.split()


def test_trace_with_a_failed_span_is_failed(span: MakeSpan) -> None:
    """A span that failed makes a tree of a request that was answered well."""
    trace = trace_of(request_of(), span("pay", status="ERROR"), crowded=True)

    assert TreeChoice("errors").wants_tree(trace)


def test_few_trees_in_a_few_seconds() -> None:
    """By default, requests one after the other are trees as long as there are few of them."""
    seconds = itertools.chain([0.0] * 7, [6.0] * 2)
    choice = TreeChoice("auto", lambda: next(seconds))

    wanted = [choice.wants_tree(trace_of(request_of())) for _ in range(9)]

    assert wanted == [True] * 5 + [False] * 2 + [True] * 2


def test_line_of_a_request(span: MakeSpan, log: MakeLog) -> None:
    """A line has the request, its function, what failed below it, and what it logged in earnest."""
    failed = span("pay", "b" * 16, status="ERROR", attributes={"error.type": "timeout"})
    logs = [log("w", severity_number=n) for n in (9, 13, 17, 21)]
    logs.append(log("", event_name="faas.invocation.exception", severity_number=17))
    trace = trace_of(request_of(), span("own", HOST_SPAN_ID, attributes=OWN), failed, *logs)

    assert line_of(trace) == (
        f"GET /api/hello → 200  12.3 ms  hello  1 warning  2 errors  timeout  trace {TRACE_ID}"
    )


def test_line_of_a_failed_request_without_telemetry() -> None:
    """The first line of what was raised is on the request's line."""
    request = request_of(function="hello", result="500", is_ok=False, error="ValueError: a\nb")

    line = line_of(trace_of(request))

    assert line == "GET /api/hello → 500  12.3 ms  hello  ValueError: a  no telemetry"


def test_answer_that_the_host_cannot_give(span: MakeSpan) -> None:
    """The host's own failure is on the request's line, below which all is well."""
    request = request_of(result="500", is_ok=False, problem="function 'hello' gave no answer")

    lines = drawn(trace_of(request, span("own", HOST_SPAN_ID, attributes=OWN)))

    assert lines == [
        f"GET /api/hello → 500  12.3 ms  function 'hello' gave no answer  trace {TRACE_ID}",
        "└── own  2.5 ms  hello",
    ]


def test_time_waited_for_a_thread(span: MakeSpan) -> None:
    """What lies between a request and the start of its function is named, if it is much."""
    request = request_of(started_ns=1_000_000_000)
    own = span("own", HOST_SPAN_ID, attributes=OWN, start_ns=1_226_200_000, end_ns=1_226_200_000)

    assert drawn(trace_of(request, own))[1] == (
        "└── own  0.0 ms  hello  waited 226.2 ms for a thread"
    )
    soon = span("own", HOST_SPAN_ID, attributes=OWN, start_ns=1_010_000_000, end_ns=1_010_000_000)
    assert "waited" not in line_of(trace_of(request, soon))
    alone = request_of(started_ns=1_000_000_000, is_alone=True)  # with a payload of 20 MB, say
    assert "waited" not in line_of(trace_of(alone, own))


def test_an_orchestrator_has_no_telemetry_of_its_own() -> None:
    """A run of an orchestrator, which makes no span, names its trace and misses nothing."""
    trace = trace_of(request_of(trigger="orchestrationTrigger"))

    assert line_of(trace) == f"GET /api/hello → 200  12.3 ms  trace {TRACE_ID}"
    assert drawn(trace) == [line_of(trace)]


def test_lines_of_the_how_to(span: MakeSpan, log: MakeLog) -> None:
    """The how-to shows lines of requests that warned, failed, and waited for a thread."""
    logged = trace_of(
        replace(request_of(), title="GET /api/logs"),
        span("own", HOST_SPAN_ID, attributes={**OWN, "faas.name": "logs"}),
        *(log("", severity_number=number) for number in (13, 17, 17, 17)),
    )
    swallowed = trace_of(
        replace(request_of(started_ns=1_000_000_000), title="GET /api/inner_fail"),
        span(
            "own", HOST_SPAN_ID, attributes={**OWN, "faas.name": "inner_fail"},
            start_ns=2_102_700_000, end_ns=2_105_700_000,
        ),
        span("pay", "b" * 16, status="ERROR", attributes={"error.type": "ValueError: swallowed"}),
    )  # fmt: skip
    shown = [s for s in snippets_of("docs/how-to/read-the-terminal.md") if "inner_fail" in s.text]
    lines = [re.sub(r"200  [\d.]+", "200  12.3", line) for line in shown[0].text.splitlines()]

    assert [re.sub("trace .*", f"trace {TRACE_ID}", line) for line in lines[:2]] == [
        line_of(logged),
        line_of(swallowed),
    ]


def test_everything_of_the_how_to(span: MakeSpan, log: MakeLog) -> None:
    """The how-to shows attributes of a span, and the fields of a log record below it."""
    own = span("own", HOST_SPAN_ID, attributes={"http.route": "/api/logs"})
    logs = [
        log("i", own.span_id, attributes={"order_id": 17, "colour": "red", **OWN}),
        log("j", own.span_id),
    ]
    shown = next(s for s in snippets_of("docs/how-to/read-the-terminal.md") if "http." in s.text)
    lines = [line for line in shown.text.splitlines() if line.strip() != "…"]

    assert drawn(trace_of(request_of(), own, *logs), verbose=True)[2:5] == lines


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        (
            {"url.full": "https://u:p@api.net:8080/v1/a?code=s", "http.response.status_code": 404},
            "api.net:8080/v1/a → 404",
        ),
        ({"http.url": "http://api.net/b", "http.status_code": 200}, "api.net/b → 200"),
        ({"server.address": "api.net", "server.port": 443}, "api.net"),
        (
            {"db.query.text": "SELECT *\n  FROM t", "server.address": "db", "server.port": 5432},
            "db:5432  SELECT * FROM t",
        ),
        ({"db.statement": "x" * 200, "net.peer.name": "db"}, f"db  {'x' * 119}…"),
        ({"messaging.destination.name": "orders"}, "orders"),
        ({"rpc.method": "Pay", "rpc.grpc.status_code": 14}, "Pay → 14"),
        ({"peer.service": "shop"}, "shop"),
    ],
)
def test_client_spans_say_what_they_called(
    span: MakeSpan, attributes: dict[str, object], said: str
) -> None:
    """A client span has its peer and path, statement or destination, and its status."""
    trace = trace_of(request_of(), span("GET", HOST_SPAN_ID, kind="CLIENT", attributes=attributes))

    assert drawn(trace)[1] == f"└── GET  2.5 ms  {said}"


def test_exception_is_read_once(span: MakeSpan, log: MakeLog) -> None:
    """One exception that fails several spans, and is logged, is told where it came from."""
    attributes = {"exception.type": "ValueError", "exception.message": "bad\nworse"}
    failed = {"status": "ERROR", "events": (ReceivedEvent("exception", 1, attributes),)}
    own = span("own", HOST_SPAN_ID, attributes=OWN, **failed)
    inner = span("inner", own.span_id, **failed)
    event = log("", own.span_id, event_name="faas.invocation.exception", attributes=attributes)
    told = log("sorry", own.span_id, time_ns=9_000_000, attributes=attributes)
    request = request_of(result="500", is_ok=False, error="ValueError: bad\nworse")

    assert drawn(trace_of(request, own, inner, event, told)) == [
        f"GET /api/hello → 500  12.3 ms  trace {TRACE_ID}",
        "└── own  2.5 ms  hello",
        "    ├── inner  2.5 ms  ValueError: bad",
        "    └── INFO  sorry",
    ]


def test_logged_exception_is_told(log: MakeLog) -> None:
    """A log line has the first line of the exception that it was logged with."""
    attributes = {"exception.type": "KeyError", "exception.message": "'x'"}
    trace = trace_of(request_of(), log("sorry", severity="ERROR", attributes=attributes))

    assert drawn(trace)[1] == "└── ERROR sorry  KeyError: 'x'"


@pytest.mark.parametrize(("sent", "written"), [("FATAL", "CRITICAL"), ("WARN", "WARNING")])
def test_levels_are_called_as_in_python(log: MakeLog, sent: str, written: str) -> None:
    """OpenTelemetry's names of levels are not those that people log with."""
    assert drawn(trace_of(request_of(), log("x", severity=sent)))[1] == f"└── {written} x"


def test_verbose_shows_everything(span: MakeSpan, log: MakeLog) -> None:
    """With -v, attributes, events, links and fields of log records are shown."""
    own = span(
        "own",
        HOST_SPAN_ID,
        attributes={"b": 2, "a": "x\ny"},
        events=(ReceivedEvent("sent", 2_000_000, {"bytes": 3}),),
        links=(ReceivedLink("c" * 32, "d" * 16, {"k": 1}),),
        start_ns=1_000_000,
    )
    record = log("paid", own.span_id, attributes={"order_id": 17, "colour": "red", **OWN})

    assert drawn(trace_of(request_of(), own, record), verbose=True)[2:] == [
        "    ├── a=x y",
        "    ├── b=2",
        "    ├── event sent  after 1.0 ms  bytes=3",
        f"    ├── link to trace {'c' * 32} span {'d' * 16}  k=1",
        "    └── INFO  paid",
        "        └── colour=red  order_id=17",
    ]


def test_verbose_shows_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    """With -v, each data point that has changed is a line; without it, none is."""
    points = (ReceivedPoint({"b": 2, "a": 1}, 3.5, 2),)
    metrics = [
        ReceivedMetric("orders", "{order}", "sum", points, "shop", {}),
        ReceivedMetric("took", "s", "histogram", points, "shop", {}),
    ]

    HostConsole(make_terminal({})).show_metrics(metrics)
    console = HostConsole(make_terminal({}), is_verbose=True)
    console.show_metrics(metrics)
    console.show_metrics(metrics)

    assert capsys.readouterr().out.splitlines() == [
        "metric orders  a=1  b=2  3.5",
        "metric took  a=1  b=2  count 2  sum 3.5 s",
    ]


def test_endless_trace_is_bounded(span: MakeSpan) -> None:
    """A loop that makes spans without an end does not fill the memory; what is left out is said."""
    trace = trace_of(request_of(), *(span(f"s{n}", HOST_SPAN_ID[::-1]) for n in range(2_010)))
    trace.add(span("own", HOST_SPAN_ID, attributes=OWN))

    lines = drawn(trace, verbose=True)

    assert len(trace.spans) == 2_001
    assert lines[-1] == "└── … and 10 more spans and log lines"


def test_large_tree_is_cut(span: MakeSpan, log: MakeLog) -> None:
    """A request with hundreds of spans shows the first of them, and all that went wrong."""
    own = span("own", HOST_SPAN_ID, attributes=OWN)
    calls = [span(f"call {n}", own.span_id) for n in range(300)]
    inner = span("inner", calls[-1].span_id, status="ERROR", attributes={"error.type": "late"})
    last = log("careful", own.span_id, severity="WARN", severity_number=13, time_ns=10**12)
    trace = trace_of(request_of(), own, *calls, inner, last)

    lines = [line.lstrip("│├└─ ") for line in drawn(trace)]

    assert lines[2:201] == [f"call {number}  2.5 ms" for number in range(199)]
    assert lines[201:] == [
        "call 299  2.5 ms",
        "inner  2.5 ms  late",
        "WARNING careful",
        "… and 100 more, which `-v` shows",
    ]
    assert len(drawn(trace, verbose=True)) > 304


def test_control_characters_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str], span: MakeSpan, log: MakeLog
) -> None:
    """No name, title or text of others' can command the terminal."""
    evil = "\x1b[2J\x9b1m\r"
    console = HostConsole(make_terminal({}))
    console.log(f"log {evil}")
    console.say(f"say {evil}")
    console.show_functions([(evil, evil)])
    trace = trace_of(request_of(function=evil, error=evil, result=evil, is_ok=False))
    for item in (span(evil, attributes={evil: evil}), log(evil, severity=evil)):
        trace.add(item)
    console.show_trace(trace)
    console.show_requests(trace)

    assert not set("\x1b\x9b\r") & set(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("environment", "is_coloured"),
    [
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_no_colour_where_none_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environment: dict[str, str],
    *,
    is_coloured: bool,
) -> None:
    """NO_COLOR, a dumb terminal and a pipe get no escape sequence, not even for bold."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    HostConsole().show_trace(trace_of(request_of()))

    assert ("\x1b" in capsys.readouterr().out) is is_coloured


def host_json(levels: Mapping[str, object], settings: Mapping[str, str] | None = None) -> HostJson:
    """Make a host.json with log levels."""
    return HostJson(Path("host.json"), {"logging": {"logLevel": levels}}, settings or {})


@pytest.mark.parametrize(
    ("category", "least"),
    [
        ("Function", logging.WARNING),
        ("Function.hello", logging.ERROR),
        ("function.HELLO.User", logging.DEBUG),
        ("Function.other.User", logging.CRITICAL),
        ("Host.Results", logging.INFO),
    ],
)
def test_levels_of_host_json(category: str, least: int) -> None:
    """Of the levels in host.json, the longest category counts, in any case, with one `*` in it."""
    levels = {
        "default": "Information",
        "Function": "Warning",
        "Function.hello": "Error",
        "Function.hello.User": "Debug",
        "Function.*.User": 5,
    }

    assert ConsoleLevels(read_levels(host_json(levels))).least(category) == least


def test_unknown_level_of_host_json() -> None:
    """A level that .NET does not know is named with its category."""
    with pytest.raises(HostError, match=r"log level 'Loud' of 'Function' is not known: use one of"):
        read_levels(host_json({"Function": "Loud"}))


def test_level_of_a_setting() -> None:
    """A setting says a level in place of host.json."""
    settings = {"AzureFunctionsJobHost__logging__logLevel__Function.hello": "error"}

    levels = ConsoleLevels(read_levels(host_json({"Function": "Debug"}, settings)))

    assert levels.least("Function.hello.User") == logging.ERROR


@pytest.mark.parametrize("logger", ["azure.core.pipeline", "urllib3", "uvicorn.error", "msal"])
def test_talkative_libraries_are_quiet(logger: str) -> None:
    """Libraries that log each request of theirs are heard from WARNING on, or with --verbose."""
    assert not ConsoleLevels().shows(logging.INFO, logger=logger)
    assert ConsoleLevels().shows(logging.WARNING, logger=logger)
    assert ConsoleLevels(is_verbose=True).shows(logging.INFO, logger=logger)
    assert ConsoleLevels().shows(logging.INFO, logger=f"my.{logger}")
    assert ConsoleLevels().shows(logging.INFO, logger="azure.functions.mine")


def test_lines_are_left_out_while_many_requests_run() -> None:
    """What the traces have as well is counted instead of written."""
    written: list[str] = []
    folding = Folding(lambda: True)
    folding.fold(lambda: written.append("early"))
    folding.note_records()
    folding.fold(lambda: written.append("later"))
    folding.release()

    assert (written, folding.take_count(), folding.take_count()) == ([], 2, 0)


def test_held_lines_are_written_where_nothing_else_has_them() -> None:
    """An app that exports no log records has its lines written, a moment later."""
    written: list[int] = []
    folding = Folding(lambda: True)
    for number in range(3):
        folding.fold(lambda number=number: written.append(number))  # type: ignore[misc]
    assert written == []

    folding.release()

    assert (written, folding.take_count()) == ([0, 1, 2], 0)


@pytest.mark.parametrize(
    ("function", "logger", "is_written"),
    [("hello", "shop", False), ("hello", "funcscope.telemetry", True), ("", "", True)],
)
def test_lines_that_no_trace_has(
    capsys: pytest.CaptureFixture[str], function: str, logger: str, *, is_written: bool
) -> None:
    """What is exported of no invocation is written, however many requests run."""
    console = HostConsole(make_terminal({}))
    console.folding.is_crowded = lambda: True
    console.folding.note_records()

    console.log("exported by nobody", function=function, logger=logger)

    assert ("exported by nobody" in capsys.readouterr().out) is is_written


def test_warnings_of_many_requests(capsys: pytest.CaptureFixture[str]) -> None:
    """Of many warnings while many requests run, the first few are written at once."""
    console = HostConsole(make_terminal({}))
    console.folding.is_crowded = lambda: True
    console.folding.note_records()

    for number in range(8):
        console.log(f"warning {number}", level=logging.WARNING, function="hello")

    assert capsys.readouterr().out.count("warning") == 5
    assert console.folding.take_count() == 3
