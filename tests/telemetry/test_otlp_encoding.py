"""Our OTLP bytes say what the SDK's do, whatever a span or a log record holds."""

from __future__ import annotations

import gc
import logging
import struct
import subprocess
import sys
import threading
import tracemalloc
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.common import _log_encoder, trace_encoder
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider, LogRecordLimits
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from tests.patience import PATIENCE_S
from tests.sdk_versions import INSTALLED, since

from funcscope.telemetry._config.settings import read_settings
from funcscope.telemetry._otlp.logs import encode_record
from funcscope.telemetry._otlp.request import RequestBuilder
from funcscope.telemetry._otlp.spans import encode_span
from funcscope.telemetry._pipeline.pipeline import make_delivery
from funcscope.telemetry._redaction.redactor import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry._logs import Logger
    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.trace import Tracer

# Hypothesis shares a test's fixtures among its examples; ours hold for all of them.
PROPERTY = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
CONTEXT = SpanContext(7 << 100, 7 << 60, is_remote=False, trace_flags=TraceFlags(1))
INT64 = 2**63


def encode_spans(spans: Sequence[ReadableSpan]) -> bytes:
    """Make one request of spans."""
    builder = RequestBuilder()
    for span in spans:
        builder.add(*encode_span(span))
    return builder.build()


def encode_logs(records: Sequence[ReadableLogRecord]) -> bytes:
    """Make one request of log records."""
    builder = RequestBuilder()
    for record in records:
        builder.add(*encode_record(record))
    return builder.build()


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    # Around the sizes where lengths take one byte more, and of text that takes more than it has.
    ["x" * size for size in (100, 120, 121, 122, 123, 124, 125, 126, 127, 128, 300, 20_000)]
    + ["é" * 63, "é" * 64, "\U0001f600" * 31, "\0"]
)
keys = st.sampled_from(["a", "faas.name", "é"]) | texts.filter(bool)
int64s = st.integers(-INT64, INT64 - 1) | st.sampled_from([-INT64, INT64 - 1, -1, 127, 128])
numbers = int64s | st.floats() | st.sampled_from([0, 1, 0.0, -0.0, 1.0, float("nan")])
any_scalars = st.none() | st.booleans() | numbers | texts | st.binary(max_size=20)
# Before SDK 1.43 its encoder drops an attribute that has a null anywhere in it, and bytes that are
# no text become one: ours sends it.
without_nulls = st.booleans() | numbers | texts | texts.map(str.encode)
scalars = any_scalars if INSTALLED >= 43 else without_nulls
too_big = st.sampled_from([INT64, -INT64 - 1, 2**64, 10**40])


def nested(values: st.SearchStrategy[Any], names: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw values, or sequences and mappings of them."""
    return st.recursive(
        values,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(names, inner, max_size=3)
        ),
        max_leaves=5,
    )


attributes = st.none() | st.dictionaries(keys, nested(scalars | too_big, keys), max_size=5)
times = st.integers(1, 2**64 - 1)
ids = st.integers(1, 2**64 - 1)
trace_ids = st.integers(1, 2**128 - 1)
states = st.dictionaries(
    st.sampled_from(["host", "az", "x@y"]), st.sampled_from(["1", "a b", "r:~"])
)
contexts = st.builds(
    SpanContext,
    trace_id=trace_ids,
    span_id=ids,
    is_remote=st.booleans(),
    trace_flags=st.integers(0, 255).map(TraceFlags),
    trace_state=states.map(lambda state: TraceState(list(state.items()))),
)
resources = st.builds(Resource, attributes, st.none() | texts)
# Name, version, schema URL, attributes.
scopes: st.SearchStrategy[Any] = st.tuples(
    texts.filter(bool), st.none() | texts, st.none() | texts, attributes
)


class DrawnIds(IdGenerator):
    """Gives spans the ids that Hypothesis draws."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def generate_span_id(self) -> int:
        """Draw one."""
        return self._draw(ids)

    def generate_trace_id(self) -> int:
        """Draw one."""
        return self._draw(trace_ids)


@st.composite
def span_batches(draw: st.DrawFn) -> list[ReadableSpan]:
    """Draw the spans of some tracers of some providers, in any order."""
    exporter = InMemorySpanExporter()
    tracers: list[Tracer] = []
    # Some of the resources and scopes are equal and not the same.
    for resource in draw(st.lists(resources, min_size=1, max_size=3)):
        provider = TracerProvider(
            sampler=ALWAYS_ON,
            id_generator=DrawnIds(draw),
            resource=resource,
            shutdown_on_exit=False,
            span_limits=SpanLimits(
                max_span_attributes=4,
                max_events=2,
                max_links=2,
                max_event_attributes=2,
                max_link_attributes=2,
            ),
        )
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        drawn = draw(st.lists(scopes, min_size=1, max_size=3))
        tracers += [provider.get_tracer(*scope) for scope in drawn]
    for tracer in draw(st.lists(st.sampled_from(tracers), max_size=6)):
        span = tracer.start_span(
            draw(texts),
            within(draw(st.none() | contexts)),
            draw(st.sampled_from(SpanKind)),
            draw(attributes),
            draw(st.lists(st.builds(Link, contexts, attributes), max_size=3)),
            draw(times),
        )
        for _ in range(draw(st.integers(0, 3))):
            span.add_event(draw(texts), draw(attributes), draw(times))
        span.set_status(draw(st.builds(Status, st.sampled_from(StatusCode), texts)))
        span.end(draw(times))
    return list(exporter.get_finished_spans())


@st.composite
def record_batches(draw: st.DrawFn) -> list[ReadableLogRecord]:
    """Draw the records of some loggers of some providers, in any order."""
    exporter = cast("Any", InMemoryLogRecordExporter)()  # not typed in the SDK
    loggers: list[Logger] = []
    for resource in draw(st.lists(resources, min_size=1, max_size=3)):
        provider = LoggerProvider(
            resource,
            shutdown_on_exit=False,
            log_record_limits=LogRecordLimits(max_log_record_attributes=4),
        )
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        drawn = draw(st.lists(scopes, min_size=1, max_size=3))
        loggers += [provider.get_logger(*scope) for scope in drawn]
    bodies = nested(any_scalars, keys | st.integers() | st.just(""))
    for logger in draw(st.lists(st.sampled_from(loggers), max_size=6)):
        logger.emit(
            timestamp=draw(st.none() | times),
            observed_timestamp=draw(st.none() | times),
            context=within(draw(st.none() | contexts)),
            severity_number=draw(st.none() | st.sampled_from(SeverityNumber)),
            severity_text=draw(st.none() | texts),
            body=draw(bodies),
            attributes=draw(attributes),
            event_name=draw(st.none() | texts),
        )
    return list(exporter.get_finished_logs())


def within(context: SpanContext | None) -> Context:
    """Return a context in which a span is current, or none."""
    return set_span_in_context(NonRecordingSpan(context or SpanContext(0, 0, is_remote=False)))


@pytest.fixture(scope="module", autouse=True)
def _quiet_sdk() -> Iterator[None]:
    """Keep the SDK from saying of each attribute that it drops one."""
    logger = logging.getLogger("opentelemetry")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


def make_span(name: str = "f", **parts: Any) -> ReadableSpan:
    """Make a span of the SDK's that nobody recorded."""
    times = {"start_time": 1, "end_time": 2}
    return ReadableSpan(
        name, **{"context": CONTEXT, "resource": Resource.get_empty(), **times, **parts}
    )


def make_record(body: object, **parts: Any) -> ReadableLogRecord:
    """Make a log record through the SDK."""
    exporter = cast("Any", InMemoryLogRecordExporter)()  # not typed in the SDK
    provider = LoggerProvider(Resource.get_empty(), shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("app").emit(body=cast("Any", body), **parts)
    (record,) = exporter.get_finished_logs()
    return cast("ReadableLogRecord", record)


def spans_in(*requests: bytes) -> list[dict[str, Any]]:
    """Return the spans of requests, one after another, as protobuf reads them."""
    return [
        span
        for request in requests
        for group in MessageToDict(ExportTraceServiceRequest.FromString(request)).get(
            "resourceSpans", ()
        )
        for scope in group["scopeSpans"]
        for span in scope["spans"]
    ]


def body_in(request: bytes) -> dict[str, Any]:
    """Return the body of a request's only record."""
    (group,) = ExportLogsServiceRequest.FromString(request).resource_logs
    (record,) = group.scope_logs[0].log_records
    return MessageToDict(record.body)


def assert_same(ours: Any, theirs: Any) -> None:
    """Compare messages, first so that a difference can be read, then with what a dict hides."""
    assert MessageToDict(ours) == MessageToDict(theirs)
    # NaN's bytes are equal, and fields that nobody knows are among them.
    assert ours.SerializeToString(deterministic=True) == theirs.SerializeToString(
        deterministic=True
    )


@PROPERTY
@given(span_batches())
def test_spans_are_the_sdks(spans: list[ReadableSpan]) -> None:
    """Whatever spans hold, protobuf reads our bytes as the message that the SDK makes."""
    ours = ExportTraceServiceRequest.FromString(encode_spans(spans))

    assert_same(ours, trace_encoder.encode_spans(spans))


@pytest.mark.filterwarnings("ignore:Log record attributes were dropped")
@PROPERTY
@given(record_batches())
@since(44, "limits of log records")
def test_records_are_the_sdks(records: list[ReadableLogRecord]) -> None:
    """Whatever log records hold, protobuf reads our bytes as the message that the SDK makes."""
    ours = ExportLogsServiceRequest.FromString(encode_logs(records))

    assert_same(ours, _log_encoder.encode_logs(records))


def slack(spans: Sequence[ReadableSpan]) -> int:
    """Return by how much `size` may be too high."""
    return 4 * sum(len(group["scopeSpans"]) + 1 for group in groups_of(encode_spans(spans)))


def groups_of(request: bytes) -> list[dict[str, Any]]:
    """Return the groups of a request by resource."""
    groups = MessageToDict(ExportTraceServiceRequest.FromString(request)).get("resourceSpans", [])
    return cast("list[dict[str, Any]]", groups)


@PROPERTY
@given(span_batches())
def test_size_is_a_bound(spans: list[ReadableSpan]) -> None:
    """The size is never below a request's, and above it by some bytes for each group at most."""
    builder = RequestBuilder()
    for span in spans:
        builder.add(*encode_span(span))
    request = builder.build()

    assert len(request) <= builder.size <= len(request) + slack(spans)


def test_empty_request() -> None:
    """A request of nothing takes no bytes."""
    assert (RequestBuilder().size, RequestBuilder().build()) == (0, b"")


@given(st.text(st.characters(categories=["Cs"]) | st.just("é"), min_size=1, max_size=50))
def test_lone_surrogates_are_replaced(text: str) -> None:
    """Text that UTF-8 cannot encode, on which the SDK fails, has a question mark in its place."""

    def make(text: str) -> ReadableSpan:
        status = Status(StatusCode.ERROR, text)
        given = {text: text, "list": [text], "nested": {text: text}, "n": 1}
        return make_span(text, attributes=given, status=status, resource=Resource({"a": text}))

    replaced = text.encode("utf-8", "replace").decode()
    ours = ExportTraceServiceRequest.FromString(encode_spans([make(text)]))

    assert_same(ours, trace_encoder.encode_spans([make(replaced)]))
    assert body_in(encode_logs([make_record({"a": text})])) == body_in(
        encode_logs([make_record({"a": replaced})])
    )


def test_import_loads_no_protobuf() -> None:
    """Importing and using the encoder loads neither protobuf nor an exporter of the SDK's."""
    code = (
        "import sys\n"
        "from funcscope.telemetry._otlp.request import RequestBuilder\n"
        "from funcscope.telemetry._otlp.spans import encode_span\n"
        "import funcscope.telemetry._otlp.logs\n"
        "from opentelemetry.sdk.trace import ReadableSpan\n"
        "from opentelemetry.trace import SpanContext\n"
        "builder = RequestBuilder()\n"
        "builder.add(*encode_span(ReadableSpan('f', SpanContext(1, 1, False))))\n"
        "assert builder.build()\n"
        "unwanted = ('google', 'opentelemetry.proto', 'opentelemetry.exporter')\n"
        "print([name for name in sys.modules if name.startswith(unwanted)])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_any_class_is_a_span() -> None:
    """A span is read through its public properties: another class may have them."""
    span = make_span(
        attributes={"a": 1},
        parent=SpanContext(CONTEXT.trace_id, 9, is_remote=True),
        status=Status(StatusCode.OK),
    )
    names = [name for name in dir(ReadableSpan) if not name.startswith("_")]
    names.remove("instrumentation_info")  # deprecated
    other = SimpleNamespace(**{name: getattr(span, name) for name in names})
    other.attributes = {"a": 1}

    assert encode_spans([cast("Any", other)]) == encode_spans([span])


@pytest.mark.parametrize(
    "parts",
    [
        {"end_time": -1},
        {"start_time": 2**64},
        {"start_time": 1.5},
        {"context": None},
        {"context": SpanContext(1, 2**64, is_remote=False)},
        {"kind": None},
        {"name": 5},
        {"resource": 5},
    ],
    ids=str,
)
def test_a_span_that_cannot_be_encoded_is_left_out(parts: dict[str, Any]) -> None:
    """A span that cannot be encoded is refused, with the reason, and the others are sent."""
    builder = RequestBuilder()
    builder.add(*encode_span(make_span("1")))
    with pytest.raises(Exception):  # noqa: B017, PT011  (any: the batcher drops the item)
        builder.add(*encode_span(make_span(**parts)))
    builder.add(*encode_span(make_span("2")))

    assert [span["name"] for span in spans_in(builder.build())] == ["1", "2"]


def test_an_attribute_that_cannot_be_encoded_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An attribute that OTLP has no value for costs itself alone, and is named once."""
    parts: dict[str, Any] = {
        "attributes": {"a": 1, "big.once": 2**63, "b": [2**63], "c": object(), "d": True}
    }
    spans = [make_span(**parts), make_span(**parts)]

    for span in spans_in(encode_spans(spans)):
        assert [attribute["key"] for attribute in span["attributes"]] == ["a", "d"]
    assert caplog.text.count("big.once") == 1


def test_a_deep_attribute_is_left_out() -> None:
    """A value that nests so deep that no decoder would read the request costs itself alone."""
    deep: Any = "x"
    attributes = {}
    for level in range(60):
        attributes[str(level)] = deep
        deep = {"a": deep}
    event = SimpleNamespace(name="e", timestamp=1, dropped_attributes=0, attributes=attributes)

    (span,) = spans_in(encode_spans([make_span(events=[event])]))

    sent = [attribute["key"] for attribute in span["events"][0]["attributes"]]
    assert sent == [str(level) for level in range(31)]


@pytest.mark.parametrize("body", [2**63, [1, 2**64], {"a": {1, 2}}, ValueError("no")], ids=str)
def test_a_body_that_cannot_be_encoded_is_text(body: object) -> None:
    """A body that OTLP has no value for, on which the SDK fails, is sent as its text."""
    record = make_record(body)

    assert body_in(encode_logs([record])) == {"stringValue": str(body)}


def test_a_record_that_cannot_be_encoded_is_refused() -> None:
    """A log record that cannot be encoded is refused, with the reason."""

    class Mute:
        def __str__(self) -> str:
            raise ValueError("says nothing")

    with pytest.raises(ValueError, match="says nothing"):
        encode_record(make_record(Mute()))
    with pytest.raises(struct.error):
        encode_record(make_record("2", timestamp=-1))


def test_the_log_tells_why_an_item_cannot_be_encoded(caplog: pytest.LogCaptureFixture) -> None:
    """What is dropped because it cannot be encoded is logged with the reason, of each signal."""
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    delivery = make_delivery(read_settings(environ), Resource.get_empty(), DEFAULT)
    delivery.queue("traces").put(make_span(context=None))
    delivery.queue("logs").put(make_record("1", timestamp=-1))
    try:
        assert delivery.flush(PATIENCE_S)
    finally:
        delivery.shutdown(0)

    said = [message for message in caplog.messages if "cannot be encoded" in message]
    assert len(said) == 2
    assert "the span has no context" in said[0]
    assert "None" not in said[1]


def test_short_lived_resources_are_told_apart() -> None:
    """A resource that nobody else keeps is not taken for the next one at the same address."""
    builder = RequestBuilder()
    for number in range(300):
        builder.add(*encode_span(make_span(str(number), resource=Resource({"n": number}))))

    groups = ExportTraceServiceRequest.FromString(builder.build()).resource_spans

    assert [
        (group.resource.attributes[0].value.int_value, group.scope_spans[0].spans[0].name)
        for group in groups
    ] == [(number, str(number)) for number in range(300)]


def test_equal_resources_are_one_group() -> None:
    """Resources and scopes that are equal and not the same share a group, as the SDK's do."""
    spans = [make_span(resource=Resource({"a": 1})) for _ in range(3)]
    spans.insert(1, make_span(resource=Resource({"a": True})))

    assert [len(group["scopeSpans"][0]["spans"]) for group in groups_of(encode_spans(spans))] == [
        3,
        1,
    ]


def test_equal_values_keep_their_types() -> None:
    """Values that are equal in Python, and so one key of a dict, are sent as what they are."""
    values: list[Any] = [1, True, 1.0, "1", 0, False, 0.0, -0.0, ""] * 2
    spans = [make_span(attributes={"same.key": value}) for value in values]

    ours = ExportTraceServiceRequest.FromString(encode_spans(spans))

    assert_same(ours, trace_encoder.encode_spans(spans))


def everything_new(number: int) -> ReadableSpan:
    """Make a span of which no key, name, or resource comes again."""
    return make_span(
        f"{number}" + "x" * 400,
        attributes={f"key.{number}": "x" * 400},
        resource=Resource({"n": number}),
    )


def values_new(number: int) -> ReadableSpan:
    """Make a span of which no value comes again."""
    given = {"memory.short": f"{number}" + "x" * 400, "memory.number": number}
    return make_span(attributes=given)


def values_long(number: int) -> ReadableSpan:
    """Make a span of which no value comes again, or is small."""
    return make_span(attributes={f"memory.long.{number % 8}": f"{number}" + "x" * 50_000})


@pytest.mark.parametrize("make", [everything_new, values_new, values_long])
def test_memory_is_bounded(make: Callable[[int], ReadableSpan]) -> None:
    """What never repeats is not all kept: not keys, values, names or resources."""
    tracemalloc.start()
    try:
        for number in range(4000):
            encode_spans([make(number)])
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    # All of them would be more than 4 MB.
    assert grown < 2**20


def test_text_of_any_length() -> None:
    """A text is sent whole wherever its length, or one that counts it, takes a byte more."""
    spans = [
        make_span("x" * size, attributes={"a" * length: "x" * size})
        for size in (*range(300), *range(16370, 16390))
        for length in (1, 2, 30)
    ]

    ours = ExportTraceServiceRequest.FromString(encode_spans(spans))

    assert ours == trace_encoder.encode_spans(spans)


def test_values_are_right_once_caches_are_full() -> None:
    """Keys and values beyond what is kept, and those that come after, are encoded as before."""
    spans = [
        make_span(
            f"span {number}",
            attributes={f"key {number % 300}": number, "one": f"{number}", "two": -number},
        )
        for number in range(9000)
    ]

    ours = ExportTraceServiceRequest.FromString(encode_spans(spans))

    assert ours == trace_encoder.encode_spans(spans)


def test_threads_do_not_disturb_each_other() -> None:
    """Encoders of several threads, which share what is kept, give what one alone gives."""
    batches = [
        [
            make_span(
                f"{thread} {number}",
                attributes={f"key {number % 200}": f"{thread}", "n": number % 70, "b": number > 9},
                resource=Resource({"thread": thread, "n": number % 100}),
            )
            for number in range(600)
        ]
        for thread in range(4)
    ]
    results: dict[int, bytes] = {}
    gate = threading.Barrier(len(batches))

    def run(thread: int) -> None:
        gate.wait()
        results[thread] = encode_spans(batches[thread])

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=run, args=(number,)) for number in range(len(batches))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)

    for number, batch in enumerate(batches):
        ours = ExportTraceServiceRequest.FromString(results[number])
        assert ours == trace_encoder.encode_spans(batch)
