"""The fields of log records."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    get_current_span,
    use_span,
)

from funcscope.extensions import Invocation, propagate
from funcscope.extensions._invocation import entered
from funcscope.extensions._workers.ids import replace_thread_local
from funcscope.telemetry import bind
from funcscope.telemetry._context import host_parent, set_invocation_span
from funcscope.telemetry._logs import correlation as _record_fields
from funcscope.telemetry._logs.correlation import FIELDS, RESERVED, add_record_fields

Make = Callable[..., Invocation]
FORMAT = (
    "%(invocation_id)s|%(function_name)s|%(trace_id)s|%(span_id)s|%(trace_sampled)s|%(message)s"
)


class Lines(logging.Handler):
    """Keeps formatted records."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(FORMAT))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Collect what is logged, in a format that needs all fields."""
    add_record_fields()
    add_record_fields()
    handler, root = Lines(), logging.getLogger()
    root.addHandler(handler)
    yield handler.lines
    root.removeHandler(handler)


def test_fields_are_empty_outside(lines: list[str]) -> None:
    """Outside an invocation every field is there and empty, so that one format serves."""
    logging.getLogger("app").warning("x")

    assert lines == ["|||||x"]


def test_fields_of_an_invocation(lines: list[str], invocation: Make) -> None:
    """In an invocation the fields tell its id, function, trace and span."""
    span = NonRecordingSpan(SpanContext(0xA1, 0xB2, is_remote=False))
    with entered(invocation()), use_span(span):
        logging.getLogger("app").warning("x")

    assert lines == [f"0f8e|hello|{0xA1:032x}|{0xB2:016x}|false|x"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="filters return no records")
def test_fields_of_a_record_that_a_filter_returns(lines: list[str], invocation: Make) -> None:
    """A record that a logger's filter returns in another's place has the fields, too."""
    logger = logging.getLogger("app.replaced")
    logger.addFilter(lambda _: logging.makeLogRecord({"msg": "other", "levelno": 30}))
    with entered(invocation()):
        logger.warning("x")

    assert lines == ["0f8e|hello||||other"]


@pytest.mark.parametrize("stack", [True, ["a frame"], b"a frame"])
@pytest.mark.usefixtures("lines")
def test_fields_of_a_record_with_an_odd_stack(stack: object) -> None:
    """What somebody has put in the place of a stack keeps nobody from having the fields."""
    record = logging.makeLogRecord({"msg": "x", "levelno": 30, "stack_info": stack})
    logging.getLogger("app").filter(record)

    assert record.stack_info is stack
    assert [vars(record)[field] for field in FIELDS] == [""] * 5


def test_the_apps_own_fields_win(lines: list[str], invocation: Make) -> None:
    """An app that passes such a field by `extra` is not broken, and its value stays."""
    with entered(invocation()):
        logging.getLogger("app").warning("x", extra=dict.fromkeys(FIELDS, "mine"))

    assert lines == ["mine|mine|mine|mine|mine|x"]


def test_sampled_span_and_the_next(lines: list[str], invocation: Make) -> None:
    """Each record tells the span that it was made in, also when spans take turns."""
    first, second = (
        NonRecordingSpan(SpanContext(i, i, is_remote=False, trace_flags=TraceFlags(i)))
        for i in (1, 2)
    )
    for span in (first, second, first):
        with use_span(span):
            logging.getLogger("app").warning("x")

    one, two = f"||{1:032x}|{1:016x}|true|x", f"||{2:032x}|{2:016x}|false|x"
    assert lines == [one, two, one]


def test_invocation_without_a_current_span(lines: list[str], invocation: Make) -> None:
    """A record of an invocation made in no span tells the invocation's own span."""
    call = invocation()
    set_invocation_span(call, NonRecordingSpan(SpanContext(0xA1, 0xB2, is_remote=False)))
    with entered(call):
        logging.getLogger("app").warning("x")

    assert lines == [f"0f8e|hello|{0xA1:032x}|{0xB2:016x}|false|x"]


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """Collect records."""
    add_record_fields()
    found: list[logging.LogRecord] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record)

    handler, root = Keeper(), logging.getLogger()
    root.addHandler(handler)
    yield found
    root.removeHandler(handler)


def bound(record: logging.LogRecord) -> dict[str, object]:
    """Return the fields of a record that `bind` and `extra` made."""
    return {name: v for name, v in vars(record).items() if name not in RESERVED | set(FIELDS)}


def test_bound_fields_are_on_later_records_of_every_thread(
    records: list[logging.LogRecord], invocation: Make
) -> None:
    """What is bound in an invocation is on all its later records, whichever thread makes them."""
    propagate()
    log = logging.getLogger("app").warning
    with entered(invocation()):
        log("before")
        threads = [
            threading.Thread(target=bind, kwargs={"order_id": 7}),
            threading.Thread(target=log, args=("in a thread",)),
        ]
        for thread in threads:
            thread.start()
            thread.join()
        log("after", extra={"order_id": 8})
    with entered(invocation()):
        log("of another")

    assert [bound(record) for record in records] == [{}, {"order_id": 7}, {"order_id": 8}, {}]


def test_bound_again_and_to_nothing(records: list[logging.LogRecord], invocation: Make) -> None:
    """A field that is bound again has its new value; bound to None it is gone."""
    with entered(invocation()):
        bind(a=1, b=1)
        bind(a=2, b=None)
        logging.getLogger("app").warning("x")

    assert bound(records[0]) == {"a": 2}


@pytest.mark.parametrize("name", ["message", "msg", "asctime", "levelname", "trace_id"])
def test_names_that_records_have(
    records: list[logging.LogRecord],
    invocation: Make,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that records have themselves is left out, and said once; the others are bound."""
    monkeypatch.setattr(_record_fields._once, "logged", set())
    with entered(invocation()):
        bind(**{name: "x", "order_id": 7})
        bind(**{name: "x"})
        logging.getLogger("app").warning("x")

    assert [r.getMessage() for r in records if r.name == "funcscope.telemetry"] == [
        f"bind() leaves out {name}: log records have that themselves; use another name"
    ]
    assert bound(records[-1]) == {"order_id": 7}


def test_bind_outside_an_invocation(
    records: list[logging.LogRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside an invocation nothing is bound, and that is said once."""
    monkeypatch.setattr(_record_fields._once, "logged", set())
    bind(order_id=7)
    bind(order_id=7)

    assert len(records) == 1
    assert "binds nothing" in records[0].getMessage()


def test_recipe_in_a_thread_of_another_invocation(lines: list[str], invocation: Make) -> None:
    """A thread that says whose work it does has that one's id, trace and span, or none at all."""
    module = ModuleType("worker")
    module._local = threading.local()  # type: ignore[attr-defined]
    storage = replace_thread_local(module, "_local")
    assert storage is not None
    propagate()

    def make(name: str, number: int) -> Invocation:
        made = Invocation(name, invocation().function, {}, invocation().context)
        set_invocation_span(made, NonRecordingSpan(SpanContext(number, number, is_remote=False)))
        return made

    first, second = make("first", 1), make("second", 2)

    local = storage

    def serve() -> None:
        for told in ("first", "second", "over", "first", None):
            local.invocation_id = told
            logging.getLogger("app").warning("%s", told)
            seen.append(get_current_span().get_span_context().trace_id)

    seen: list[int] = []
    span = NonRecordingSpan(SpanContext(1, 9, is_remote=False))
    with entered(second), entered(first), use_span(span):
        thread = threading.Thread(target=serve)
        thread.start()
        thread.join()

    assert [line.split("|") for line in lines] == [
        ["first", "hello", f"{1:032x}", f"{9:016x}", "false", "first"],
        ["second", "hello", f"{2:032x}", f"{2:016x}", "false", "second"],
        ["", "", "", "", "", "over"],
        ["first", "hello", f"{1:032x}", f"{1:016x}", "false", "first"],
        ["", "", "", "", "", "None"],
    ]
    assert seen == [1, 2, 0, 1, 0]


def test_state_that_cannot_be_read_is_logged_once(
    caplog: pytest.LogCaptureFixture, invocation: Make
) -> None:
    """What the SDK logs of a broken `tracestate` has the ids that it is read for."""
    add_record_fields()
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    recorded = invocation()

    class Span(NonRecordingSpan):
        """Has ids that are made when somebody asks for them, of what the host has sent."""

        def get_span_context(self) -> SpanContext:
            found = host_parent((parent, "bad state"))
            assert found is not None
            return found

    set_invocation_span(recorded, Span(SpanContext(1, 2, is_remote=False)))
    with entered(recorded):
        logging.getLogger("app").warning("x")

    assert [record.getMessage() for record in caplog.records] == [
        "Member doesn't match the w3c identifiers format bad state",
        "x",
    ]
    assert {vars(record)["trace_id"] for record in caplog.records} == {parent[3:35]}
