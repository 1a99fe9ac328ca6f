"""What OpenCensus records in an invocation, as OpenTelemetry's spans."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import SpanKind, StatusCode
from tests.patience import PATIENCE_S

pytest.importorskip("opencensus", reason="needs funcscope[opencensus]")

from opencensus.log import get_log_attrs
from opencensus.trace import execution_context, link, span, status, time_event
from opencensus.trace.propagation.binary_format import BinaryFormatPropagator
from opencensus.trace.stack_trace import StackTrace
from opencensus.trace.tracer import Tracer

from funcscope.contrib.opencensus import OpenCensusExtension
from funcscope.extensions import Function, Invocation

Traced = Callable[..., Any]
Recording = Any  # see conftest


def ns(text: str) -> int:
    """Read one of OpenCensus's times with the standard library's parser."""
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


def test_tracer_is_in_the_invocations_trace(recording: Recording, traced: Traced) -> None:
    """`context.tracer` and OpenCensus's current tracer are one, and its spans the invocation's."""
    with traced() as context:
        assert isinstance(context.tracer, Tracer)
        assert execution_context.get_opencensus_tracer() is context.tracer
        with context.tracer.span("parent"), context.tracer.span(name="child"):
            pass

    assert recording.parents() == {"child": "parent", "parent": "function", "function": None}
    assert {s.context.trace_id for s in recording.spans} == {
        recording.named("function").context.trace_id
    }


def test_nothing_is_left_in_the_context(recording: Recording, traced: Traced) -> None:
    """After an invocation OpenCensus's tracer, span and attributes are what they were before."""
    before = execution_context.get_opencensus_full_context()
    for _ in range(2):
        with traced() as context:
            execution_context.set_opencensus_attr("tenant", "a")
            context.tracer.start_span("left open")
        assert execution_context.get_opencensus_full_context() == before
        assert not trace.get_current_span().get_span_context().is_valid
    outside = get_current()
    with traced(is_recorded=False) as context:
        context.tracer.start_span("left open")
    assert get_current() is outside


def test_span_ended_elsewhere(recording: Recording, traced: Traced) -> None:
    """Ending a span that was started in another task leaves alone what is current here."""
    with traced() as context:
        context.tracer.start_span("here")
        elsewhere = copy_context().run(context.tracer.start_span, "elsewhere")
        context.tracer.end_span()
        execution_context.set_current_span(elsewhere)
        context.tracer.end_span()
        with recording.tracer.start_as_current_span("after"):
            pass

    assert recording.parents() == {
        "here": "function", "elsewhere": "here", "after": "function", "function": None,
    }  # fmt: skip


def test_ids_are_opentelemetrys(recording: Recording, traced: Traced) -> None:
    """A span has one id, so that the headers that OpenCensus writes name what is exported."""
    with traced() as context, context.tracer.span("parent") as parent:
        headers = context.tracer.propagator.to_headers(context.tracer.span_context)

    exported = recording.named("parent").context
    assert parent.span_id == f"{exported.span_id:016x}"
    assert headers["traceparent"] == f"00-{exported.trace_id:032x}-{exported.span_id:016x}-01"


def test_log_records_of_opencensus(recording: Recording, traced: Traced) -> None:
    """What OpenCensus's logging integration puts on records are the exported ids."""
    with traced() as context, context.tracer.span("parent"):
        trace_id, span_id, is_sampled = get_log_attrs()
    exported = recording.named("parent").context

    assert (int(trace_id, 16), int(span_id, 16)) == (exported.trace_id, exported.span_id)
    assert is_sampled is True


def test_state_of_vendors_is_passed_on(recording: Recording, traced: Traced) -> None:
    """The host's tracestate is in OpenCensus's headers, but for keys that it does not know."""
    state = trace.TraceState([("vendor", "1"), ("0new@vendor", "2")])
    sent = trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(1),
                             trace_state=state)  # fmt: skip
    token = attach(trace.set_span_in_context(trace.NonRecordingSpan(sent)))
    with traced() as context:
        headers = context.tracer.propagator.to_headers(context.tracer.span_context)
    detach(token)

    assert headers["tracestate"] == "vendor=1"


def test_what_a_span_says(recording: Recording, traced: Traced) -> None:
    """Name, kind, attributes, annotations, messages and links are told as OpenCensus has them."""
    with traced() as context, context.tracer.span("first name") as made:
        made.name = "second name"
        made.span_kind = span.SpanKind.CLIENT
        context.tracer.add_attribute_to_current_span("text", "a")
        context.tracer.current_span().add_attribute("number", 7)
        made.add_attribute("list", ["a", "b"])
        made.add_attribute("other", {"a": 1})
        made.add_attribute("nothing", None)
        made.add_annotation("cached", hit=True, size=3)
        moment = datetime(2026, 1, 2, 3, 4, 5, 678901)  # noqa: DTZ001  (as OpenCensus has it)
        made.add_message_event(time_event.MessageEvent(moment, "m-1", time_event.Type.SENT, 10, 5))
        made.add_link(link.Link("0" * 31 + "a", "0" * 15 + "b", link.Type.PARENT_LINKED_SPAN))
        made.add_link(link.Link("no id", "no id"))
        noted = made.annotations[0].timestamp
    exported = recording.named("second name")
    annotation, message = exported.events
    (linked,) = exported.links

    assert exported.kind is SpanKind.CLIENT
    assert dict(exported.attributes) == {
        "text": "a", "number": 7, "list": ("a", "b"), "other": "{'a': 1}",
    }  # fmt: skip
    assert (annotation.name, annotation.timestamp) == ("cached", ns(noted))
    assert dict(annotation.attributes) == {"hit": True, "size": 3}
    assert message.timestamp == 1767323045678901000
    assert dict(message.attributes) == {
        "message.type": "SENT", "message.id": "m-1",
        "message.uncompressed_size": 10, "message.compressed_size": 5,
    }  # fmt: skip
    assert (linked.context.trace_id, linked.context.span_id) == (10, 11)
    assert dict(linked.attributes) == {"opencensus.link.type": "parent"}


def test_kinds(recording: Recording, traced: Traced) -> None:
    """A span of no kind is INTERNAL, and a server's is SERVER."""
    with traced() as context:
        with context.tracer.span("inside"):
            pass
        with context.tracer.span("served") as served:
            served.span_kind = span.SpanKind.SERVER

    assert recording.named("inside").kind is SpanKind.INTERNAL
    assert recording.named("served").kind is SpanKind.SERVER


def test_times_are_opencensuss(recording: Recording, traced: Traced) -> None:
    """Start and end are what OpenCensus recorded, to the microsecond, also where set by hand."""
    with traced() as context:
        with context.tracer.span("made") as made:
            pass
        with context.tracer.span("moved") as moved:
            moved.start_time = "2026-01-02T03:04:05.678901Z"

    exported, by_hand = recording.named("made"), recording.named("moved")
    assert (exported.start_time, exported.end_time) == (ns(made.start_time), ns(made.end_time))
    assert by_hand.start_time == 1767323045678901000


@pytest.mark.parametrize(
    ("given", "code", "description", "attributes"),
    [
        (status.Status(0), StatusCode.UNSET, None, {}),
        (
            status.Status(5, "no such order"),
            StatusCode.ERROR,
            "no such order",
            {"opencensus.status_code": 5, "error.type": "NOT_FOUND"},
        ),
        (
            status.Status(4),
            StatusCode.ERROR,
            "DEADLINE_EXCEEDED",
            {"opencensus.status_code": 4, "error.type": "DEADLINE_EXCEEDED"},
        ),
        (
            status.Status(99),
            StatusCode.ERROR,
            "99",
            {"opencensus.status_code": 99, "error.type": "99"},
        ),
    ],
)
def test_status(
    recording: Recording,
    traced: Traced,
    given: status.Status,
    code: StatusCode,
    description: str | None,
    attributes: dict[str, object],
) -> None:
    """OK says nothing; every other canonical code is an error that keeps its name and number."""
    with traced() as context, context.tracer.span("work") as made:
        made.set_status(given)
    exported = recording.named("work")

    assert (exported.status.status_code, exported.status.description) == (code, description)
    assert dict(exported.attributes) == attributes


def test_exception_in_a_block(recording: Recording, traced: Traced) -> None:
    """An exception reaches the function, and is an event of each span that it leaves."""
    with traced() as context:
        with pytest.raises(LookupError) as raised:  # noqa: SIM117
            with context.tracer.span("outer"), context.tracer.span("inner"):
                raise LookupError("no order at https://app.net/f?code=s3cret")
        with context.tracer.span("after"):
            pass
    after = recording.named("after")

    assert str(raised.value).endswith("code=s3cret")
    for name in ("inner", "outer"):
        exported = recording.named(name)
        (event,) = exported.events
        assert exported.status.status_code is StatusCode.ERROR
        assert exported.status.description == "no order at https://app.net/f?code=REDACTED"
        assert exported.attributes["error.type"] == "LookupError"
        assert exported.attributes["opencensus.status_code"] == 2
        assert event.attributes["exception.type"] == "LookupError"
        assert "test_exception_in_a_block" in event.attributes["exception.stacktrace"]
        assert "s3cret" not in exported.to_json()
    assert after.status.status_code is StatusCode.UNSET
    assert recording.parents()["after"] == "function"


def test_span_ended_while_an_error_is_handled(recording: Recording, traced: Traced) -> None:
    """A span that a handler of another exception ends is no error, or another."""
    with traced() as context:
        try:
            raise LookupError
        except LookupError:
            with context.tracer.span("repair"):
                pass
            context.tracer.start_span("other").set_status(status.Status(2, "other words"))
            context.tracer.end_span()
    other = recording.named("other")
    exported = recording.named("repair")

    assert exported.status.status_code is StatusCode.UNSET
    assert exported.events == other.events == ()
    assert other.attributes["error.type"] == "UNKNOWN"


def test_error_that_an_integration_tells(recording: Recording, traced: Traced) -> None:
    """An exception that a status is made of is told with its type, as `requests` needs it."""

    def request(tracer: Any) -> None:
        made = tracer.start_span("request")
        try:
            raise ConnectionError("refused")
        except ConnectionError as error:
            made.set_status(status.Status.from_exception(error))
            raise
        finally:
            tracer.end_span()

    with traced() as context, pytest.raises(ConnectionError):
        request(context.tracer)
    exported = recording.named("request")

    assert exported.attributes["error.type"] == "ConnectionError"
    assert [event.name for event in exported.events] == ["exception"]


def test_stack_that_a_middleware_sets(recording: Recording, traced: Traced) -> None:
    """A stack without its exception is an event with the frames, as OpenCensus keeps them."""
    with traced() as context:
        made = context.tracer.start_span("request")
        try:
            raise LookupError("gone")
        except LookupError as error:
            made.stack_trace = StackTrace.from_traceback(error.__traceback__)
            made.set_status(status.Status(2, "other words"))
        context.tracer.end_span()
    (event,) = recording.named("request").events

    assert event.attributes["exception.message"] == "other words"
    assert "in test_stack_that_a_middleware_sets" in event.attributes["exception.stacktrace"]


def test_started_and_ended_by_hand(recording: Recording, traced: Traced) -> None:
    """`start_span` and `end_span` nest; what is left open ends with the invocation."""
    with traced() as context:
        tracer = context.tracer
        tracer.start_span("one")
        tracer.start_span("two")
        tracer.end_span()
        tracer.start_span("three")
        tracer.start_span("four")

    assert recording.parents() == {
        "two": "one", "four": "three", "three": "one", "one": "function", "function": None,
    }  # fmt: skip
    assert [s.name for s in recording.spans] == ["two", "four", "three", "one", "function"]


def test_span_ends_with_its_tracer(recording: Recording, traced: Traced) -> None:
    """`tracer.finish()` ends what is open, and what comes after is the invocation's."""
    with traced() as context:
        context.tracer.start_span("one")
        context.tracer.start_span("two")
        context.tracer.finish()
        with context.tracer.span("later"):
            pass

    assert recording.parents() == {
        "two": "one", "one": "function", "later": "function", "function": None,
    }  # fmt: skip


def test_decorated_function(recording: Recording, traced: Traced) -> None:
    """OpenCensus's decorator makes spans, too."""
    with traced() as context:

        @context.tracer.trace_decorator()  # type: ignore[untyped-decorator]
        def load() -> str:
            return "loaded"

        assert load() == "loaded"

    assert recording.parents() == {"load": "function", "function": None}


def test_outside_any_span(recording: Recording, traced: Traced) -> None:
    """What is added before any span is started is the invocation's own."""
    with traced() as context:
        context.tracer.add_attribute_to_current_span("order", 17)
        context.tracer.current_span().add_annotation("read")
        context.tracer.current_span().set_status(status.Status(13, "broken"))
    exported = recording.named("function")

    assert exported.attributes["order"] == 17
    assert [event.name for event in exported.events] == ["read"]
    assert (exported.status.status_code, exported.status.description) == (
        StatusCode.ERROR,
        "broken",
    )
    assert exported.name == "function"


def test_spans_made_by_a_span(recording: Recording, traced: Traced) -> None:
    """`span.span()` makes a child with times of its own that ends with its parent."""
    with traced() as context:
        with context.tracer.span("parent") as parent:
            with parent.span("child") as child, child.span("grandchild"):
                pass
            parent.span("never entered")
            with recording.tracer.start_as_current_span("beside"):
                pass
        with context.tracer.current_span().span("of the invocation"):
            pass

    assert recording.parents() == {
        "grandchild": "child", "child": "parent", "never entered": "parent", "parent": "function",
        "beside": "parent", "of the invocation": "function", "function": None,
    }  # fmt: skip
    exported = recording.named("child")
    assert (exported.start_time, exported.end_time) == (ns(child.start_time), ns(child.end_time))


def test_both_nest(recording: Recording, traced: Traced) -> None:
    """A span of OpenTelemetry's in one of OpenCensus's is its child, and the other way round."""
    otel = recording.tracer
    with traced() as context:
        with context.tracer.span("a"):
            b, d = otel.start_as_current_span("b"), otel.start_as_current_span("d")
            with b, context.tracer.span("c"), d:
                pass
            with context.tracer.span("e"):
                pass
        with otel.start_as_current_span("f"), context.tracer.span("g"):
            pass

    assert recording.parents() == {
        "d": "c", "c": "b", "b": "a", "e": "a", "a": "function", "g": "f", "f": "function",
        "function": None,
    }  # fmt: skip


def test_opencensus_decides_where_they_differ(recording: Recording, traced: Traced) -> None:
    """Where the app has set OpenCensus's current span, that is the parent."""
    with traced() as context:
        tracer = context.tracer
        first = tracer.start_span("first")
        tracer.end_span()
        with tracer.span("second"):
            current = execution_context.get_current_span()
            execution_context.set_current_span(first)
            with tracer.span("child of first"):
                pass
            execution_context.set_current_span(current)

    assert recording.parents()["child of first"] == "first"


def test_tasks_do_not_mix(recording: Recording, traced: Traced) -> None:
    """Tasks that share a tracer nest each for itself, and name their own span in headers."""
    headers: dict[str, str] = {}

    async def work(tracer: Any, name: str) -> None:
        with tracer.span(f"outer {name}"):
            await asyncio.sleep(0)
            with tracer.span(f"inner {name}") as inner:
                await asyncio.sleep(0)
                sent = tracer.propagator.to_headers(tracer.span_context)["traceparent"]
                headers[name] = "right" if inner.span_id in sent else sent
            await asyncio.sleep(0)

    async def all_at_once(context: Any) -> None:
        await asyncio.gather(*(work(context.tracer, name) for name in "abc"))

    with traced() as context:
        asyncio.run(all_at_once(context))
    expected: dict[str, str | None] = {"function": None}
    for name in "abc":
        expected |= {f"outer {name}": "function", f"inner {name}": f"outer {name}"}

    assert recording.parents() == expected
    assert headers == dict.fromkeys("abc", "right")


def test_invocations_do_not_mix(recording: Recording, traced: Traced) -> None:
    """Invocations at once on one loop each have a tracer, and spans of their own."""

    async def function(name: str) -> None:
        with traced(name) as context:
            for number in range(3):
                with execution_context.get_opencensus_tracer().span(f"{name}{number}"):
                    assert execution_context.get_opencensus_tracer() is context.tracer
                    await asyncio.sleep(0)

    async def all_at_once() -> None:
        await asyncio.gather(*map(function, "abc"))

    asyncio.run(all_at_once())

    assert recording.parents() == {
        **dict.fromkeys("abc"),
        **{f"{name}{number}": name for name in "abc" for number in range(3)},
    }


def test_threads_that_nothing_was_carried_into(recording: Recording, traced: Traced) -> None:
    """A thread that was handed the context alone has its spans in the invocation's trace."""

    def work(context: Any) -> None:
        with context.tracer.span("outer"), context.tracer.span("inner"):
            pass

    with traced() as context, ThreadPoolExecutor(1) as pool:
        pool.submit(work, context).result()

    assert recording.parents() == {"inner": "outer", "outer": "function", "function": None}


def test_thread_that_opencensus_was_carried_into(recording: Recording, traced: Traced) -> None:
    """What OpenCensus's own integration hands to a thread is enough to find the parent."""

    def work(*full_context: object) -> None:
        execution_context.set_opencensus_full_context(*full_context)
        with execution_context.get_opencensus_tracer().span("in a thread"):
            pass

    with traced() as context, context.tracer.span("parent"):
        args = execution_context.get_opencensus_full_context()
        thread = threading.Thread(target=work, args=args)
        thread.start()
        thread.join()

    assert recording.parents() == {
        "in a thread": "parent", "parent": "function", "function": None,
    }  # fmt: skip


def test_thread_that_outlives_the_invocation(recording: Recording, traced: Traced) -> None:
    """A span that a thread has open when the function returns ends when the thread ends it."""
    opened, returned = threading.Event(), threading.Event()

    def work(context: Any) -> None:
        with context.tracer.span("slow"):
            opened.set()
            returned.wait(PATIENCE_S)
        with context.tracer.span("after"):
            pass

    with traced() as context:
        thread = threading.Thread(target=work, args=(context,))
        thread.start()
        opened.wait(PATIENCE_S)
    returned.set()
    thread.join()

    assert [s.name for s in recording.spans] == ["function", "slow", "after"]
    assert recording.parents()["slow"] == recording.parents()["after"] == "function"


def test_tracer_that_the_app_makes(recording: Recording, traced: Traced) -> None:
    """A `Tracer` with an exporter of the app's own goes on sending there, and only there."""
    sent: list[str] = []

    class Own:
        def export(self, ended: Any) -> None:
            sent.extend(data.name for data in ended)

    with traced() as context:
        ours = execution_context.get_opencensus_tracer()
        own = Tracer(exporter=Own(), sampler=context.tracer.sampler)
        with own.span("theirs"), ours.span("below theirs"):
            pass
        ours.start_span("left open")
        own.start_span("their own")

    assert sent == ["theirs"]
    assert recording.parents() == {
        "below theirs": "function", "left open": "function", "function": None,
    }  # fmt: skip


def test_no_spans_where_an_exporter_is_at_work(recording: Recording, traced: Traced) -> None:
    """Where OpenTelemetry's instrumentations are told to keep quiet, OpenCensus's are too."""
    with traced() as context:
        token = attach(Context({"suppress_instrumentation": True}))
        with context.tracer.span("sending"):
            pass
        detach(token)

    assert [s.name for s in recording.spans] == ["function"]


def test_trace_that_is_not_sampled(recording: Recording, traced: Traced) -> None:
    """OpenTelemetry's sampler decides: below an unsampled span nothing is recorded or sampled."""
    unsampled = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=True))
    token = attach(trace.set_span_in_context(unsampled))
    with traced() as context, context.tracer.span("parent"):
        headers = context.tracer.propagator.to_headers(context.tracer.span_context)
    detach(token)

    assert recording.spans == ()
    assert headers["traceparent"].startswith(f"00-{1:032x}-")
    assert headers["traceparent"].endswith("-00")


def test_tracer_that_an_integration_makes(recording: Recording, traced: Traced) -> None:
    """A tracer made from the current one's parts, as for a pool's call, follows its decision."""

    def work(sent: bytes, exporter: Any, sampler: Any) -> None:
        span_context = BinaryFormatPropagator().from_header(sent)
        made = Tracer(span_context=span_context, exporter=exporter, sampler=sampler)
        with made.span("in a pool"):
            pass

    for flags in (0, 1):
        known = trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(flags))
        token = attach(trace.set_span_in_context(trace.NonRecordingSpan(known)))
        with traced(is_recorded=False) as context, ThreadPoolExecutor(1) as pool:
            tracer = context.tracer
            sent = BinaryFormatPropagator().to_header(tracer.span_context)
            pool.submit(work, sent, tracer.exporter, tracer.sampler).result()
        detach(token)
    (exported,) = recording.spans

    assert (exported.name, exported.parent.trace_id, exported.parent.span_id) == ("in a pool", 1, 2)


def test_context_that_takes_no_attributes(recording: Recording) -> None:
    """Where a context lets nobody set attributes, the current tracer is there all the same."""
    context: Any = object()
    function = Function("hello", "/app", is_async=False, qualified_name="app.hello")
    step = OpenCensusExtension.around_invocation(Invocation("0f8e", function, {}, context))
    next(step)
    with execution_context.get_opencensus_tracer().span("work"):
        pass
    step.close()

    assert [s.name for s in recording.spans] == ["work"]


def test_without_telemetry(monkeypatch: pytest.MonkeyPatch, traced: Traced) -> None:
    """Where nothing records, the code runs, and its headers name one trace."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", trace.NoOpTracerProvider())
    headers: list[str] = []
    with traced(is_recorded=False) as context:
        for name in ("one", "two"):
            with context.tracer.span(name), context.tracer.span("inner") as inner:
                sent = context.tracer.propagator.to_headers(context.tracer.span_context)
                headers.append(sent["traceparent"])
                assert inner.span_id in headers[-1]
    traces = {header.split("-")[1] for header in headers}

    assert len(traces) == 1
    assert traces != {"0" * 32}


KINDS = st.sampled_from(["census", "telemetry", "by hand"])
LEAVES: st.SearchStrategy[list[Any]] = st.lists(st.tuples(KINDS, st.just([])), max_size=3)
TREES = st.recursive(
    LEAVES,
    lambda children: st.lists(st.tuples(KINDS, children), max_size=3),
    max_leaves=20,
)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # emptied for each example
)
@given(tree=TREES)
def test_any_nesting_is_kept(recording: Recording, traced: Traced, tree: list[Any]) -> None:
    """However spans of both are nested, their tree in OpenTelemetry is that of the code."""
    expected: dict[str, str | None] = {}

    def grow(tracer: Any, otel: trace.Tracer, nodes: list[Any], parent: str) -> None:
        for kind, children in nodes:
            name = f"{kind} {len(expected)}"
            expected[name] = parent
            if kind == "census":
                with tracer.span(name):
                    grow(tracer, otel, children, name)
            elif kind == "telemetry":
                with otel.start_as_current_span(name):
                    grow(tracer, otel, children, name)
            else:
                tracer.start_span(name)
                grow(tracer, otel, children, name)
                tracer.end_span()

    recording.exporter.clear()
    with traced() as context:
        grow(context.tracer, recording.tracer, tree, "function")
    expected["function"] = None

    assert recording.parents() == expected
