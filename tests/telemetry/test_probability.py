"""Spans that a ratio has let through tell of it, so that backends can weigh them."""

from __future__ import annotations

import random
import re
import string
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace._sampling_experimental import (
    composable_traceid_ratio_based,
    composite_sampler,
)
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    DEFAULT_ON,
    Decision,
    ParentBased,
    ParentBasedTraceIdRatio,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from tests.sdk_versions import OWN_SPANS, since

from funcscope.extensions import Function, Invocation
from funcscope.extensions._invocation import entered
from funcscope.telemetry._pipeline.sdk_batches import ReadableSpanExporter
from funcscope.telemetry._pipeline.tail_sampling import TailSampler, sample_all
from funcscope.telemetry._spans.builder import span_builder_for
from funcscope.telemetry._spans.encoding import encode
from funcscope.telemetry._spans.sampling import HostFlagSampler
from funcscope.telemetry._spans.template import SpanTemplate
from funcscope.telemetry._triggers.extractor import TriggerExtractor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from funcscope.telemetry._pipeline.tail_sampling import Put

ALL = 1 << 56
HIGH, LOW = ALL - 1, 1  # trace ids that any ratio takes first, and last

trace_ids = st.integers(1, (1 << 128) - 1)
ratios = st.floats(0, 1) | st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 1.0])
vendors = st.lists(
    st.tuples(st.sampled_from(["dd", "az", "x@y"]), st.text("ab:;", min_size=1, max_size=6)),
    unique_by=lambda pair: pair[0],
)
stated = st.integers(0, ALL - 1).map("{:014x}".format)
entries = st.tuples(
    st.none() | stated.map(lambda th: "th:" + (th.rstrip("0") or "0")),
    st.none() | stated.map("rv:{}".format),
    st.none() | st.just("k:v"),
).map(lambda parts: ";".join(filter(None, parts)))


def state_of(entry: str, others: Sequence[tuple[str, str]] = ()) -> TraceState:
    """Make a trace state with an entry of OpenTelemetry's."""
    return TraceState([*others, *([("ot", entry)] if entry else [])])


def below(trace_id: int, state: TraceState, flags: int = 1) -> Any:
    """Make a context with a parent of another process."""
    parent = SpanContext(
        trace_id, 1, is_remote=True, trace_flags=TraceFlags(flags), trace_state=state
    )
    return set_span_in_context(NonRecordingSpan(parent))


@given(trace_ids, ratios, entries, vendors)
def test_a_ratio_is_told_as_the_sdks_consistent_sampler_tells_it(
    trace_id: int, ratio: float, entry: str, others: list[tuple[str, str]]
) -> None:
    """Same traces, same threshold; vendors' entries and what else OpenTelemetry's says are kept."""
    state = state_of(entry, others)
    theirs = composite_sampler(composable_traceid_ratio_based(ratio)).should_sample(
        None, trace_id, "x", trace_state=state
    )
    ours = HostFlagSampler(TraceIdRatioBased(ratio), is_honoured=True).should_sample(
        below(trace_id, state), trace_id, "x"
    )

    assert ours.decision is theirs.decision
    assert ours.trace_state is not None
    if ours.decision is Decision.RECORD_AND_SAMPLE:
        assert ours.trace_state == theirs.trace_state
    else:
        assert "th:" not in ours.trace_state.get("ot", "")
        assert dict(others).items() <= ours.trace_state.items()


@pytest.mark.parametrize("sampler", [DEFAULT_ON, ParentBasedTraceIdRatio(0.1), ALWAYS_ON])
def test_who_follows_a_parent_says_what_that_says(sampler: Sampler) -> None:
    """Where no ratio decides anew, the parent's trace state goes on as it is."""
    state = state_of("th:c;rv:ffffffffffffff;k:v", [("dd", "s:1")])
    result = HostFlagSampler(sampler, is_honoured=False).should_sample(below(LOW, state), LOW, "x")

    assert result.decision is Decision.RECORD_AND_SAMPLE
    assert result.trace_state == state


@pytest.mark.parametrize("sampler", [DEFAULT_ON, ALWAYS_ON])
def test_all_are_sampled_in_silence(sampler: Sampler) -> None:
    """Samplers of all traces say nothing, as the SDK's: a span that says nothing counts once."""
    result = HostFlagSampler(sampler, is_honoured=False).should_sample(None, LOW, "x")

    assert not result.trace_state


@since(42, OWN_SPANS)
def test_a_host_whose_flag_is_ignored_has_the_ratio_of_roots() -> None:
    """Where the host's flag 00 is ignored, its trace's randomness and state count all the same."""
    sampler = HostFlagSampler(ParentBasedTraceIdRatio(0.5), is_honoured=False)
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    tracer = provider.get_tracer("test")
    builder = span_builder_for(provider, tracer)
    assert builder is not None
    function = Function("hello", "/app", False, "app.hello")
    template = SpanTemplate(tracer, TriggerExtractor(function, {}))
    for randomness, is_sampled in (("f" * 14, True), ("0" * 14, False)):
        sent = SimpleNamespace(
            trace_parent=f"00-{LOW:032x}-{1:016x}-00",
            trace_state=f"dd=s:1,ot=rv:{randomness}",
            attributes=None,
        )
        context: Any = SimpleNamespace(trace_context=sent, retry_context=None)
        span = builder.start(template, Invocation("id", function, {}, context, False))
        assert span is not None
        ids = span.get_span_context()
        entry = f"th:8;rv:{randomness}" if is_sampled else f"rv:{randomness}"

        assert ids.trace_flags.sampled is is_sampled
        assert ids.trace_state.to_header() == f"ot={entry},dd=s:1"


def test_limits_of_the_w3c() -> None:
    """A trace state has 32 entries and OpenTelemetry's 256 characters at most: the last go."""
    others = [(f"v{number}", "x") for number in range(32)]
    sampler = HostFlagSampler(TraceIdRatioBased(0.5), is_honoured=True)
    full = sampler.should_sample(below(HIGH, TraceState(others)), HIGH, "x").trace_state
    long = "k:" + "v" * 120
    entry = f"{long};l:{'v' * 131}"
    longest = sampler.should_sample(below(HIGH, state_of(entry)), HIGH, "x").trace_state
    assert len(entry) == 256
    assert full is not None
    assert longest is not None

    assert list(full.items()) == [("ot", "th:8"), *others[:31]]
    assert longest["ot"] == f"th:8;{long}"


@pytest.mark.parametrize(
    "entry", ["th:", "th:g", "th:fffffffffffffff", "th:C", "rv:1", "rv:zzzzzzzzzzzzzz", ";;", "th"]
)
def test_what_is_malformed_says_nothing(entry: str) -> None:
    """A threshold or a randomness that is none is not believed, and stops nobody."""
    sampler = HostFlagSampler(TraceIdRatioBased(0.5), is_honoured=True)
    result = sampler.should_sample(below(HIGH, state_of(entry)), HIGH, "x")

    assert result.decision is Decision.RECORD_AND_SAMPLE
    assert result.trace_state is not None
    assert result.trace_state["ot"].split(";")[0] == "th:8"


class Sent(SpanExporter, SpanProcessor):
    """Keeps the trace states of spans that are sent, by the spans' names."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep what an exporter of the SDK's reads."""
        for span in spans:
            context = span.get_span_context()
            assert context is not None
            self.states[span.name] = context.trace_state.to_header()
        return SpanExportResult.SUCCESS

    def on_end(self, span: ReadableSpan) -> None:
        """Keep what a processor of the app's sees."""
        self.export([span])


class Puts(SpanProcessor):
    """Puts ended spans somewhere, as processors of ours do."""

    def __init__(self, put: Put) -> None:
        self.put = put

    def on_end(self, span: ReadableSpan) -> None:
        """Put any other span than an invocation's."""
        if span.context is not None and span.context.trace_flags.sampled:
            self.put(span, False)


class Apps:
    """
    An app's provider, whose spans go through tail sampling to OTLP, to an SDK's exporter, and past.

    Attributes:
        over_otlp: What is sent over OTLP.
        exported: What the SDK's exporter gets.
        seen: What a processor of the app's sees.
    """

    def __init__(self, sampler: Sampler, ratio: float) -> None:
        self.over_otlp: dict[str, str] = {}
        self.exported, self.seen = Sent(), Sent()
        self.tail = TailSampler(ratio, slower_s=1)
        self.provider = TracerProvider(
            sampler=HostFlagSampler(sampler, is_honoured=True), shutdown_on_exit=False
        )
        exporter = ReadableSpanExporter(self.exported)
        for put in (self.send, lambda item, _: exporter.export([item])):
            buffered = self.tail.buffering("traces", put)
            self.provider.add_span_processor(Puts(buffered))
        self.tracer = self.provider.get_tracer("test")
        self.builder = span_builder_for(self.provider, self.tracer)
        extractor = TriggerExtractor(Function("hello", "/app", False, "app.hello"), {})
        self.template = SpanTemplate(self.tracer, extractor)

    def send(self, item: object, _is_error: bool) -> None:
        """Take an item as the queue of the export worker does."""
        span = SpanMessage.FromString(encode(item)[0])
        self.over_otlp[span.name] = span.trace_state

    def run(
        self,
        invocation: Invocation,
        sent: str,
        state: str = "",
        *,
        has_failed: bool = False,
        duration_s: float = 0.0,
    ) -> SpanContext:
        """Run an invocation with two spans of the app's; return the ids of the invocation's."""
        trace_context = SimpleNamespace(trace_parent=sent, trace_state=state, attributes=None)
        context: Any = SimpleNamespace(trace_context=trace_context, retry_context=None)
        made = Invocation("id", invocation.function, {}, context, False)
        with entered(made):
            assert self.builder is not None
            span = self.builder.start(self.template, made)
            assert span is not None
            self.tracer.start_span("child", set_span_in_context(span)).end()
            late = self.tracer.start_span("late", set_span_in_context(span))
            span.end()
            ids = span.get_span_context()
            self.tail.decide(made, ids, duration_s, has_failed=has_failed)
            late.end()
        return ids


def parent(trace_id: int, flags: str = "01") -> str:
    """Make a `traceparent`."""
    return f"00-{trace_id:032x}-{1:016x}-{flags}"


@since(42, OWN_SPANS)
@pytest.mark.parametrize("others_see", [False, True], ids=["alone", "beside a processor"])
@pytest.mark.parametrize(
    ("state", "outcome", "expected"),
    [
        ("", {}, "ot=th:e"),
        ("dd=1", {}, "ot=th:e,dd=1"),
        ("dd=1,ot=k:v;th:8", {}, "ot=th:e;k:v,dd=1"),
        ("ot=th:f", {}, "ot=th:f"),
        ("", {"has_failed": True}, "ot=th:0"),
        ("ot=th:8", {"has_failed": True}, "ot=th:8"),
        ("ot=th:8;rv:90000000000000", {"duration_s": 2.0}, "ot=th:8;rv:90000000000000"),
    ],
)
def test_what_is_kept_at_the_end_tells_of_both_stages(
    invocation: Any, state: str, outcome: dict[str, Any], expected: str, others_see: bool
) -> None:
    """Spans tell exporters of ours of the higher threshold; what failed or was slow of its own."""
    apps = Apps(DEFAULT_ON, 0.125)
    if others_see:
        apps.provider.add_span_processor(apps.seen)
    ids = apps.run(invocation(), parent(HIGH), state, **outcome)

    assert apps.over_otlp == apps.exported.states
    assert set(apps.over_otlp) == {"hello", "child", "late"}
    assert {TraceState.from_header([s]) == TraceState.from_header([expected])
            for s in apps.over_otlp.values()} == {True}  # fmt: skip
    # What goes on to others, in headers or past our exporters, is of the head alone.
    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers, set_span_in_context(NonRecordingSpan(ids)))
    assert headers.get("tracestate", "") == state
    assert set(apps.seen.states.values()) == ({state} if others_see else set())


@since(42, OWN_SPANS)
def test_randomness_of_the_caller_decides_at_the_end(invocation: Any) -> None:
    """Where the trace state has a randomness, that decides, and not the trace's id."""
    apps = Apps(DEFAULT_ON, 0.5)
    apps.run(invocation(), parent(LOW), "ot=rv:ffffffffffffff")
    assert apps.over_otlp["hello"] == "ot=th:8;rv:ffffffffffffff"

    apps = Apps(DEFAULT_ON, 0.5)
    apps.run(invocation(), parent(HIGH), "ot=rv:00000000000000")
    assert apps.over_otlp == {}


@since(42, OWN_SPANS)
def test_a_span_that_another_trace_has_let_through_says_nothing(invocation: Any) -> None:
    """A span of a trace that the ratio leaves out, kept with its invocation, tells of no ratio."""
    apps, call = Apps(DEFAULT_ON, 0.5), invocation()
    with entered(call):
        apps.tracer.start_span("elsewhere", below(LOW, state_of("k:v"))).end()
        ids = SpanContext(HIGH, 1, is_remote=False)
        apps.tail.decide(call, ids, 0, has_failed=False)

    assert apps.over_otlp == apps.exported.states == {"elsewhere": "ot=k:v"}


@since(42, OWN_SPANS)
def test_what_waits_for_no_end_says_what_it_said(invocation: Any) -> None:
    """Spans of no invocation, and of a child process, are all kept, and tell of no other stage."""
    apps, call = Apps(ParentBased(TraceIdRatioBased(0.5)), 0.5), invocation()
    apps.tracer.start_span("outside", below(HIGH, state_of("th:4"))).end()
    sample_all(call)
    with entered(call):
        apps.tracer.start_span("child", below(HIGH, state_of("th:4"))).end()

    assert apps.over_otlp == apps.exported.states == {"outside": "ot=th:4", "child": "ot=th:4"}


def weight(state: str) -> float:
    """Return for how many invocations one stands (specification: the adjusted count)."""
    th = dict(pair.split(":") for pair in state.removeprefix("ot=").split(";"))["th"]
    assert set(th) <= set(string.hexdigits)
    return ALL / (ALL - int(th.ljust(14, "0"), 16))


@since(42, OWN_SPANS)
@pytest.mark.parametrize(("head", "tail"), [(0.5, 1), (1, 0.1), (0.5, 0.1), (0.2, 0.5)])
def test_weights_add_up(invocation: Any, head: float, tail: float) -> None:
    """The weights of what is sent add up to what ran, failures and all, whatever the ratios."""
    number, failing = 6000, 0.02
    draw = random.Random(7)
    apps = Apps(TraceIdRatioBased(head), tail)
    total = failed = 0.0
    for _ in range(number):
        has_failed = draw.random() < failing
        apps.over_otlp.clear()
        apps.run(invocation(), parent(draw.getrandbits(128)), has_failed=has_failed)
        if apps.over_otlp:
            total += weight(apps.over_otlp["hello"])
            failed += weight(apps.over_otlp["hello"]) * has_failed

    # Four standard deviations of a sum of such weights.
    smallest = min(head, tail)
    assert abs(total - number) < 4 * (number * (1 / smallest - 1)) ** 0.5
    assert abs(failed - number * failing) < 5 * (number * failing / head) ** 0.5


@since(42, OWN_SPANS)
def test_instances_and_services_keep_the_same_traces(invocation: Any) -> None:
    """One ratio is one set of traces, at the begin and at the end; a higher one has all of it."""
    draw = random.Random(1)
    apps = [
        Apps(TraceIdRatioBased(head), tail)
        for head, tail in ((1.0, 0.3), (1.0, 0.3), (0.3, 1.0), (1.0, 0.6))
    ]
    kept: list[set[int]] = [set() for _ in apps]
    for trace_id in (draw.getrandbits(128) for _ in range(200)):
        for app, traces in zip(apps, kept, strict=True):
            app.over_otlp.clear()
            app.run(invocation(), parent(trace_id))
            traces |= {trace_id} if app.over_otlp else set()

    assert kept[0] == kept[1] == kept[2] < kept[3]
    assert 40 < len(kept[0]) < 80


def test_documentation_weighs_spans() -> None:
    """The page's function returns what each span of its table stands for."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "many-instances.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    scope: dict[str, Any] = {}
    exec(code, scope)
    rows = re.findall(r"\| `(ot=th:\w+)`[^|]*\| (\d|itself) \|", page)

    assert len(rows) == 5
    assert scope["stands_for"]("") == 1
    for state, number in rows:
        wanted = 1 if number == "itself" else int(number)
        assert scope["stands_for"](f"{state};rv:{'f' * 14},dd=s:1") == wanted == weight(state)
