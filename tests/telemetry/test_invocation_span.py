"""The span of an invocation is the SDK's, as far as anybody can tell."""

from __future__ import annotations

import importlib
import json
import logging
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import (
    ReadableSpan,
    SpanLimits,
    SpanProcessor,
    Tracer,
    TracerProvider,
)
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)
from tests.patience import PATIENCE_S
from tests.sdk_versions import OWN_SPANS, since

from funcscope.extensions import Function
from funcscope.telemetry._otlp.request import RequestBuilder
from funcscope.telemetry._otlp.spans import encode_span
from funcscope.telemetry._spans.encoding import encode
from funcscope.telemetry._spans.invocation_span import InvocationSpan, SdkSpan
from funcscope.telemetry._spans.readable import after_noted_stage, note_stage
from funcscope.telemetry._spans.redaction import RedactingProcessor
from funcscope.telemetry._spans.template import SpanTemplate
from funcscope.telemetry._triggers.extractor import TriggerExtractor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from funcscope.telemetry._semconv import Attributes

AZURE_MONITOR = "azure.monitor.opentelemetry.exporter"
CONTEXT = SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=TraceFlags(1))
PARENT = SpanContext(0xA1, 0xC3, is_remote=True, trace_flags=TraceFlags(1))
SENT = f"00-{0xA1:032x}-{0xC3:016x}-01"
CONSTANTS = {"faas.name": "hello", "http.route": "/api/hello"}
OWN: dict[str, Any] = {"faas.invocation_id": "", "InvocationId": "", "faas.coldstart": False}
START, END = 1_000, 2_000

Call = tuple[str, tuple[Any, ...], dict[str, Any]]


def nowhere(_span: InvocationSpan, _is_error: bool) -> None:
    """Deliver a span to nobody."""


def our_encode(spans: Sequence[ReadableSpan]) -> bytes:
    """Make one request of spans."""
    builder = RequestBuilder()
    for span in spans:
        builder.add(*encode_span(span))
    return builder.build()


class Trigger:
    """The snapshot of a trigger that is read by a function when that is wanted."""

    key: object = None

    def __init__(self, read: Callable[[], dict[str, Any]], name: str = "x") -> None:
        self.name = name
        self.read = read


class Extractor(TriggerExtractor):
    """Reads such triggers."""

    def __init__(self, kind: SpanKind = SpanKind.SERVER, *, is_redacted: bool = False) -> None:
        super().__init__(Function("hello", "/app", False, "app.hello"), {**CONSTANTS})
        self.kind = kind
        self.is_redacted = is_redacted

    def span_name(self, snapshot: Any) -> str:
        return str(snapshot.name)

    def attributes(self, snapshot: Any) -> Attributes:
        return cast("Attributes", snapshot.read())

    def cache_key(self, snapshot: Any) -> object:
        return snapshot.key


def tracer(limits: SpanLimits | None = None) -> Tracer:
    """Make a tracer of the SDK's."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": "app"}),
        span_limits=limits or SpanLimits(),
        shutdown_on_exit=False,
    )
    made = provider.get_tracer("funcscope", "1", schema_url="https://x")
    assert isinstance(made, Tracer)
    return made


def template(
    of: Tracer,
    *,
    has_redaction: bool = False,
    is_redacted: bool = False,
    kind: SpanKind = SpanKind.SERVER,
    clock: Callable[[], int] = lambda: START,
) -> SpanTemplate:
    """Make a template for spans of a tracer."""
    return SpanTemplate(
        of,
        Extractor(kind, is_redacted=is_redacted),
        redacting=RedactingProcessor() if has_redaction else None,
        clock=clock,
    )


def ours(
    of: Tracer,
    attributes: dict[str, Any],
    links: tuple[Link, ...] = (),
    *,
    is_redacted: bool = False,
    kind: SpanKind = SpanKind.SERVER,
    deliver: Callable[[InvocationSpan, bool], object] = nowhere,
) -> InvocationSpan:
    """Make a span of ours."""
    return InvocationSpan(
        template(of, has_redaction=is_redacted, kind=kind),
        (CONTEXT, PARENT),
        Trigger(lambda: dict(attributes), "GET /api/hello"),
        links,
        deliver,
    )


def the_sdks(
    of: Tracer,
    attributes: dict[str, Any],
    links: tuple[Link, ...] = (),
    kind: SpanKind = SpanKind.SERVER,
) -> SdkSpan:
    """Make the same span, by the SDK."""
    span = SdkSpan(
        "GET /api/hello",
        CONTEXT,
        PARENT,
        resource=of.resource,
        attributes={**CONSTANTS, **attributes, **OWN},
        links=links,
        kind=kind,
        limits=of._span_limits,
        instrumentation_info=of.instrumentation_info,
        instrumentation_scope=of._instrumentation_scope,
    )
    span._start_time = START
    return span


class Envelopes(Protocol):
    """Makes what Azure Monitor's ingestion would get of a span, in JSON."""

    def __call__(self, span: ReadableSpan) -> str: ...


@pytest.fixture(scope="module")
def envelopes() -> Iterator[Envelopes]:
    """Export to Azure Monitor by Microsoft's exporter, short of the network."""
    was_loaded = AZURE_MONITOR in sys.modules
    with pytest.MonkeyPatch.context() as patched:
        for name in ("STATSBEAT_DISABLED_ALL", "SDKSTATS_DISABLED", "CONTROLPLANE_DISABLED"):
            patched.setenv(f"APPLICATIONINSIGHTS_{name}", "true")
        key = "00000000-0000-0000-0000-000000000000"
        sent: list[Any] = []
        exporter: Any = importlib.import_module(AZURE_MONITOR).AzureMonitorTraceExporter(
            connection_string=f"InstrumentationKey={key}",
            disable_offline_storage=True,
            tracer_provider=TracerProvider(resource=Resource({}), shutdown_on_exit=False),
        )
        exporter._transmit = sent.extend  # what it makes of its answer, None, is of no interest

        def envelopes_of(span: ReadableSpan) -> str:
            sent.clear()
            exporter.export([span])
            first, *others = [envelope.as_dict() for envelope in sent]  # of the resource, at first
            assert first["data"]["baseData"]["metrics"][0]["name"] == "_OTELRESOURCE_"
            return json.dumps(others)

        yield envelopes_of
        exporter.shutdown()
    if not was_loaded:  # that an app has loaded it tells funcscope something
        sys.modules.pop(AZURE_MONITOR, None)


def seen(span: ReadableSpan, envelopes: Envelopes) -> tuple[object, ...]:
    """Return a span as exporters see it: by its public face, as JSON, OTLP and envelopes."""
    return (
        as_json(span),
        encode_spans([span]).SerializeToString(),
        envelopes(span),
        list((span.attributes or {}).items()),
        (span.dropped_attributes, span.dropped_events, span.dropped_links),
        (span.name, span.kind, span.context, span.parent, span.start_time, span.end_time),
        (span.status.status_code, span.status.description),
    )


class Odd:
    """No attribute value."""

    def __str__(self) -> str:
        return "odd"


KEYS = st.sampled_from(["a", "b", "http.route", "url.query", "é"])
HTTP = st.sampled_from(["http.request.method", "http.response.status_code", "server.address"])
PLAIN = st.one_of(
    st.text(max_size=5), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(),
    st.just("https://a/?code=SECRET"),
)  # fmt: skip
VALUES = st.one_of(
    PLAIN, st.lists(st.integers(0, 9), max_size=2), st.none(), st.builds(Odd), st.binary(max_size=3)
)
CODES = st.sampled_from(StatusCode)
DESCRIPTIONS = st.sampled_from([None, "", "because", "https://a/?sig=SECRET"])
TIMES = st.integers(START, END)


def call(name: str, *args: st.SearchStrategy[Any], **more: st.SearchStrategy[Any]) -> Any:
    """Draw a call of a method."""
    return st.tuples(st.just(name), st.tuples(*args), st.fixed_dictionaries(more))


CALLS = st.one_of(
    call("set_attribute", st.one_of(KEYS, st.just("")), VALUES),
    call("set_attribute", KEYS, PLAIN),
    call("set_attribute", HTTP, PLAIN),
    call("set_attributes", st.dictionaries(KEYS, PLAIN, max_size=3)),
    call("set_attributes", st.dictionaries(KEYS, VALUES, max_size=3)),
    call("set_status", CODES, DESCRIPTIONS),
    call("set_status", st.builds(Status, CODES)),
    call("set_status", st.builds(Status, st.just(StatusCode.ERROR), DESCRIPTIONS), DESCRIPTIONS),
    call("update_name", st.sampled_from(["renamed", "a?code=SECRET"])),
    call("add_event", st.sampled_from(["e"]), st.dictionaries(KEYS, VALUES, max_size=2), TIMES),
    call("add_link", st.just(PARENT), st.dictionaries(KEYS, PLAIN, max_size=1)),
    call("record_exception", st.builds(ValueError, st.just("x")), timestamp=TIMES),
    call("end", TIMES),
)
READS = st.sampled_from(
    ["attributes", "events", "links", "name", "status", "kind", "parent", "start_time", "end_time",
     "resource", "instrumentation_scope", "dropped_attributes", "get_span_context", "is_recording",
     "to_json"]
)  # fmt: skip
LIMITS = st.sampled_from(
    [
        SpanLimits(),
        SpanLimits(max_span_attributes=3),
        SpanLimits(max_span_attributes=0),
        SpanLimits(max_span_attribute_length=4, max_events=1, max_links=1),
    ]
)


def read(span: Any, name: str) -> object:
    """Read something of a span."""
    found = getattr(span, name)
    if name == "to_json":
        return as_json(span)
    if name in ("events", "links"):  # which are equal to themselves only
        return [
            (getattr(item, "name", ""), dict(item.attributes or {}), getattr(item, "timestamp", 0))
            for item in found
        ]
    if name == "status":
        return (found.status_code, found.description)
    return found() if callable(found) else found


def as_json(span: ReadableSpan) -> str:
    """Return what the console exporter shows; the SDK cannot show bytes."""
    try:
        return str(span.to_json())
    except TypeError as error:
        return str(error)


@pytest.fixture
def _quiet() -> Iterator[None]:
    """Let the SDK warn of odd values unheard."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("_quiet")
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    attributes=st.dictionaries(KEYS, PLAIN, max_size=3),
    steps=st.lists(st.one_of(CALLS, READS), max_size=8),
    limits=LIMITS,
    has_link=st.booleans(),
    is_redacted=st.booleans(),
    kind=st.sampled_from(SpanKind),
)
def test_any_use_of_it_gives_what_the_sdks_gives(
    attributes: dict[str, Any],
    steps: list[Call | str],
    limits: SpanLimits,
    has_link: bool,
    is_redacted: bool,
    kind: SpanKind,
    envelopes: Envelopes,
) -> None:
    """Whatever is called and read, and when, the span is exported as the SDK's would be."""
    of = tracer(limits)
    links = (Link(PARENT, {"a": 1}),) if has_link else ()
    mine, theirs = (
        ours(of, attributes, links, is_redacted=is_redacted, kind=kind),
        the_sdks(of, attributes, (Link(PARENT, {"a": 1}),) if has_link else (), kind=kind),
    )
    for step in steps:
        if isinstance(step, str):
            assert read(mine, step) == read(theirs, step)
        else:
            name, args, more = step
            for span in (mine, theirs):
                getattr(span, name)(*args, **more)
    for span in (mine, theirs):
        span.end(END)
    if is_redacted:
        RedactingProcessor()._on_ending(theirs)

    readable = theirs._readable_span()
    assert seen(mine.to_readable(), envelopes) == seen(readable, envelopes)
    assert sent(mine) == our_encode([readable])


def test_it_costs_no_sdk_span_until_it_is_asked() -> None:
    """A span with plain attributes, a status and a name is exported without the SDK's span."""
    span = ours(tracer(), {"a": 1})
    span.update_name("renamed")
    assert span.name == "renamed"
    span.set_attribute("b", 2)
    span.set_attributes({"c": 3})
    span.set_status(StatusCode.ERROR, "because")
    span.end()
    exported = span.to_readable()

    assert not span.is_materialized
    assert exported.name == "renamed"
    assert dict(exported.attributes or {}) == {**CONSTANTS, "a": 1, **OWN, "b": 2, "c": 3}


def test_it_is_described_when_that_is_wanted() -> None:
    """Its attributes are made when they are read, or exported."""
    made: list[str] = []

    def describe() -> dict[str, Any]:
        made.append("made")
        return {"a": 1}

    span = InvocationSpan(template(tracer()), (CONTEXT, PARENT), Trigger(describe), (), nowhere)
    assert made == []
    assert span.attributes == {**CONSTANTS, "a": 1, **OWN}
    assert made == ["made"]


def test_a_description_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """A trigger that cannot be described costs what would be said of it, not the span."""

    def describe() -> dict[str, Any]:
        raise ValueError("odd")

    span = InvocationSpan(template(tracer()), (CONTEXT, PARENT), Trigger(describe), (), nowhere)
    span.end()

    assert dict(span.to_readable().attributes or {}) == {**CONSTANTS, **OWN}
    assert "could not be described" in caplog.text


def test_it_is_delivered_once() -> None:
    """However often it is ended, it is delivered once, and the SDK warns."""
    delivered: list[InvocationSpan] = []
    span = ours(tracer(), {}, deliver=lambda span, _: delivered.append(span))
    logging.disable(logging.CRITICAL)
    span.end()
    span.end()
    logging.disable(logging.NOTSET)

    assert delivered == [span]


def test_it_is_one_of_the_sdks() -> None:
    """Code that asks for the API's or the SDK's types finds them."""
    span = ours(tracer(), {})

    assert isinstance(span, (Span, ReadableSpan))
    assert not hasattr(span, "no_such_thing")


def test_many_threads_use_it() -> None:
    """Threads that set and read at the same time lose nothing."""
    span = ours(tracer(), {})
    gate = threading.Barrier(8)

    def use(number: int) -> None:
        gate.wait(PATIENCE_S)
        for step in range(50):
            span.set_attribute(f"{number}.{step}" if step < 10 else f"{number}", step)
            if step == number * 5:
                assert span.attributes is not None

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    span.end()

    assert len(span.to_readable().attributes or {}) == len(CONSTANTS) + len(OWN) + 8 * 11


@pytest.fixture
def _switching() -> Iterator[None]:
    """Have threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def at_once(*calls: Callable[[], object]) -> None:
    """Call each on a thread of its own, all at the same time."""
    gate = threading.Barrier(len(calls))

    def begin(call: Callable[[], object]) -> None:
        gate.wait(PATIENCE_S)
        call()

    threads = [threading.Thread(target=begin, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads)


class Seen(SpanProcessor):
    """Keeps the spans that end."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep one."""
        self.spans.append(span)


@pytest.mark.usefixtures("_switching", "_quiet")
def test_threads_that_end_it_at_once_end_it_once() -> None:
    """Whoever ends it first, it is delivered once, and has what it ends with."""
    for round_number in range(150):
        provider, seen = TracerProvider(shutdown_on_exit=False), Seen()
        provider.add_span_processor(seen)
        of = provider.get_tracer("x")
        assert isinstance(of, Tracer)
        delivered: list[ReadableSpan] = []
        span = ours(of, {}, deliver=lambda it, _, all_=delivered: all_.append(it.to_readable()))  # type: ignore[misc]
        span.set_attribute("before", value=True)

        def touch(of: InvocationSpan = span) -> None:
            of.add_event("touched")

        others = (span.end, span.end, touch, touch) if round_number % 3 else (touch,)
        at_once(lambda: span.end_with({"code": 200}), *others[round_number % 2 :])  # noqa: B023

        (ended,) = [*delivered, *seen.spans]
        assert (ended.attributes or {}).get("before")
        if round_number % 3 == 0:
            assert (ended.attributes or {}).get("code") == 200


def test_what_makes_it_the_sdks_while_it_is_exported_changes_nothing_of_it() -> None:
    """A span that a reader makes the SDK's while it is exported is exported as it ended."""
    reads: list[object] = []

    def describe() -> dict[str, Any]:
        if not reads:
            reads.append(None)
            reads.append(span.attributes)
        return {"described": True}

    span = InvocationSpan(
        template(tracer()), (CONTEXT, PARENT), Trigger(describe, "GET /api/hello"), (), nowhere
    )
    span.set_attribute("before", value=True)
    span.end()

    seen = span.to_readable()

    assert dict(seen.attributes or {}) == {**CONSTANTS, "described": True, **OWN, "before": True}


@pytest.mark.usefixtures("_switching")
def test_threads_that_make_it_the_sdks_at_once_see_the_same() -> None:
    """What is done to it while threads make it the SDK's span is done to one span."""
    for _ in range(100):
        span = ours(tracer(), {})

        def use(number: int, of: InvocationSpan = span) -> None:
            of.set_attribute(f"a{number}", number)
            of.add_event(f"e{number}")
            of.update_name(f"n{number}")
            of.set_attribute(f"b{number}", number)

        at_once(*(partial(use, number) for number in range(4)))

        assert len(span.attributes or {}) == len(CONSTANTS) + len(OWN) + 8
        assert sorted(event.name for event in span.events) == ["e0", "e1", "e2", "e3"]
        assert span.name.startswith("n")
        assert len({span.get_span_context().span_id for _ in range(2)}) == 1


def test_who_is_about_to_end_it_ends_it() -> None:
    """While one thread ends it, another that ends it, too, leaves that to the first."""
    ending, over = threading.Event(), threading.Event()
    delivered: list[InvocationSpan] = []

    def clock() -> int:
        if threading.current_thread().name == "first":
            ending.set()
            over.wait(PATIENCE_S)
        return START

    def end_first() -> None:
        threading.current_thread().name = "first"
        span.end()

    def end_second() -> None:
        ending.wait(PATIENCE_S)
        span.end()
        span.end_with({})
        over.set()

    made = template(tracer(), clock=clock)
    span = InvocationSpan(
        made, (CONTEXT, PARENT), Trigger(dict), (), lambda it, _: delivered.append(it)
    )
    at_once(end_first, end_second)

    assert delivered == [span]


def test_the_second_to_make_it_the_sdks_undoes_nothing() -> None:
    """A thread that was about to make the SDK's span goes on with the one that another made."""
    both, used = threading.Barrier(2), threading.Event()

    def describe() -> dict[str, Any]:
        both.wait(PATIENCE_S)
        if threading.current_thread().name == "second":
            used.wait(PATIENCE_S)
        return {}

    def use_first() -> None:
        span.add_event("first")
        span.update_name("renamed")
        span.set_status(StatusCode.ERROR)
        used.set()

    def use_second() -> None:
        threading.current_thread().name = "second"
        span.add_event("second")

    span = InvocationSpan(template(tracer()), (CONTEXT, PARENT), Trigger(describe), (), nowhere)
    at_once(use_first, use_second)

    assert [event.name for event in span.events] == ["first", "second"]
    assert span.name == "renamed"
    assert span.status.status_code is StatusCode.ERROR


def test_a_handler_that_touches_its_span_waits_for_nobody() -> None:
    """A log handler that uses a span, and a span about which the SDK logs, do not wait in turns."""
    in_handler, making = threading.Event(), threading.Event()

    class ToSpan(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "app":
                in_handler.set()
                making.wait(PATIENCE_S)
                mine.add_event(record.getMessage())

    def describe() -> dict[str, Any]:
        making.set()
        return {}

    def use_other() -> None:
        in_handler.wait(PATIENCE_S)
        other.set_status(StatusCode.OK, "of which the SDK says that it is ignored")
        other.set_status(Status(StatusCode.OK), "of which it does indeed")
        other.add_event("x")

    mine = ours(tracer(), {})
    made = template(tracer())
    other = InvocationSpan(made, (CONTEXT, PARENT), Trigger(describe), (), nowhere)
    handler = ToSpan()
    logging.getLogger().addHandler(handler)
    try:
        at_once(lambda: logging.getLogger("app").warning("said"), use_other)
    finally:
        logging.getLogger().removeHandler(handler)

    assert [event.name for event in mine.events] == ["said"]
    assert [event.name for event in other.events] == ["x"]


GUIDS = [f"0f8e3a52-{number:04d}-4c1b-9a5e-3f1d2b7c6a90" for number in range(3)]
IDS = st.sampled_from(["", "1", "a", "é" * 18, *GUIDS])


@settings(max_examples=100)
@given(
    triggers=st.lists(st.dictionaries(KEYS, PLAIN, max_size=3), min_size=1, max_size=3),
    order=st.lists(st.tuples(st.integers(0, 2), IDS, IDS), min_size=1, max_size=6),
    origin=st.sampled_from([SENT, (SENT, "a=b"), f"{SENT[:35]}-{'0' * 16}-01", (CONTEXT, PARENT)]),
    is_asked=st.booleans(),
    is_set=st.booleans(),
    limits=LIMITS,
    threshold=st.sampled_from([None, 0, 0xA0, 1 << 55]),  # the trace's randomness is 0xA1
)
@example(
    [{}], [(0, GUIDS[0], GUIDS[0]), (0, GUIDS[1], GUIDS[0])], SENT, False, False, SpanLimits(), 0xA0
)
@example([{}], [(0, "a", ""), (0, "1", "")], SENT, False, False, SpanLimits(), None)
@since(42, OWN_SPANS)
def test_shared_parts_are_right(
    triggers: list[dict[str, Any]],
    order: list[tuple[int, str, str]],
    origin: Any,
    is_asked: bool,
    is_set: bool,
    limits: SpanLimits,
    threshold: int | None,
) -> None:
    """Spans whose triggers say the same share its encoding, and each is what it is by itself."""
    shared = template(tracer(limits), has_redaction=True, is_redacted=True)
    answers: list[dict[str, Any]] = [{"http.response.status_code": code} for code in (200, 201)]
    for number, (which, own_id, instance) in enumerate(order):
        index = which % len(triggers)
        trigger = Trigger(partial(dict, triggers[index]))
        trigger.key = index
        span = InvocationSpan(
            shared, origin, trigger, (), nowhere,
            invocation_id=own_id, host_facts=(False, 0, instance or None),
        )  # fmt: skip
        if is_asked:
            assert span.get_span_context().is_valid
        if is_set:
            span.set_attribute("order", number)
        span.end_with(answers[number % 2] if number < 4 else {"http.response.status_code": 202})

        if threshold is not None:
            note_stage(span, threshold)
        (mine,) = decoded(sent(span))
        (alone,) = decoded(our_encode([after_noted_stage(span.to_readable(), span)]))
        assert attributes_of(mine) == attributes_of(alone)
        mine.ClearField("attributes")
        alone.ClearField("attributes")
        assert mine == alone


def sent(span: InvocationSpan) -> bytes:
    """Encode a span as it is before it is sent."""
    builder = RequestBuilder()
    builder.add(*encode(span))
    return builder.build()


def decoded(body: bytes) -> Any:
    """Decode a request by the official protobuf."""
    request = ExportTraceServiceRequest.FromString(body)
    return request.resource_spans[0].scope_spans[0].spans


def attributes_of(span: Any) -> list[bytes]:
    """Return a span's attributes in some order: theirs means nothing."""
    return sorted(attribute.SerializeToString() for attribute in span.attributes)


@pytest.mark.parametrize("broken", ["read", "key"])
def test_a_trigger_that_cannot_be_read_costs_no_span(broken: str) -> None:
    """A trigger that fails when it is read costs its attributes; the span is encoded."""

    class Odd:
        name = "x"

        @property
        def key(self) -> object:
            self._fail("key")
            return 1

        def read(self) -> dict[str, Any]:
            self._fail("read")
            return {"a": 1}

        def _fail(self, part: str) -> None:
            if part == broken:
                raise ValueError("odd")

    made = template(tracer(), has_redaction=True, is_redacted=True)
    span = InvocationSpan(made, SENT, Odd(), (), nowhere)
    span.end()
    (message,) = decoded(sent(span))

    assert {"faas.name", "http.route"} <= {attribute.key for attribute in message.attributes}
