"""Spans of invocations are sampled, and have the ids, as the SDK's tracer has it."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import use_span
from tests.sdk_versions import OWN_SPANS, since

from funcscope.extensions import Function, Invocation
from funcscope.telemetry._context import context_of, host_parent
from funcscope.telemetry._logs.correlation import FIELDS, add_fields
from funcscope.telemetry._semconv import RETRY_COUNT
from funcscope.telemetry._spans.builder import SpanBuilder, span_builder_for
from funcscope.telemetry._spans.sampling import HostFlagSampler
from funcscope.telemetry._spans.template import HOST_ID_READS_LEFT, SpanTemplate
from funcscope.telemetry._triggers.extractor import TriggerExtractor

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

pytestmark = since(42, OWN_SPANS)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HALF = TraceIdRatioBased(0.5)
SAMPLERS = {
    "on": ALWAYS_ON,
    "off": ALWAYS_OFF,
    "half": HALF,
    "parent": ParentBased(ALWAYS_ON),
    "parent, roots off": ParentBased(ALWAYS_OFF),
    "parent, sampled off": ParentBased(ALWAYS_ON, remote_parent_sampled=ALWAYS_OFF),
    "parent, unsampled on": ParentBased(ALWAYS_OFF, remote_parent_not_sampled=ALWAYS_ON),
    "parent, half": ParentBased(HALF),
    "ours, half": HostFlagSampler(HALF, is_honoured=True),
    "ours, on": HostFlagSampler(ALWAYS_ON, is_honoured=True),
    "ours, parent, half": HostFlagSampler(ParentBased(HALF), is_honoured=True),
    "ours, parent, half, ignoring": HostFlagSampler(ParentBased(HALF), is_honoured=False),
}
FLAGS = ("00", "01")
SENT = [
    "",
    *(f"00-{TRACE}-{SPAN}-{flags}" for flags in ("00", "01", "02", "03", "ff")),
    # Half of the traces, and the other half.
    *(f"00-{'f' * 16}{low}-{SPAN}-{flags}" for low in ("0" * 16, "f" * 16) for flags in FLAGS),
    f"00-{TRACE.upper()}-{SPAN}-01",
    f"00-{'0' * 32}-{SPAN}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE[1:]}-{SPAN}x-01",
    f"ff-{TRACE}-{SPAN}-01",
    f"cc-{TRACE}-{SPAN}-01-more",
    f" 00-{TRACE}-{SPAN}-01",
    f"00-{TRACE}-{SPAN}-01 ",
    f"{TRACE}{SPAN}01",
    "x" * 53 + "01",
]


def template_for(builder: SpanBuilder, tracer: Tracer) -> SpanTemplate:
    """Make a template for the spans of a function without a trigger."""
    function = Function("hello", "/app", False, "app.hello")
    return SpanTemplate(tracer, TriggerExtractor(function, {}), redacting=builder.redacting)


def made_of(trace_context: object, *, is_cold_start: bool = False, retries: int = 0) -> Invocation:
    """Make an invocation of `hello` that a host asks for."""
    retry = SimpleNamespace(retry_count=retries) if retries else None
    context: Any = SimpleNamespace(trace_context=trace_context, retry_context=retry)
    function = Function("hello", "/app", False, "app.hello")
    return Invocation("id", function, {}, context, is_cold_start)


@pytest.mark.parametrize("state", ["", "a=b", "a=b,ot=x:y;rv:80000000000000;th:c"])
@pytest.mark.parametrize("sent", SENT)
@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
def test_as_the_sdks(sampler: Sampler, sent: str, state: str) -> None:
    """Whatever a host sends, a span of ours is sampled, placed and shown as the tracer's own."""
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    tracer = provider.get_tracer("test")
    builder = span_builder_for(provider, tracer)
    assert builder is not None
    trace_context = SimpleNamespace(trace_parent=sent, trace_state=state, attributes=None)
    invocation = made_of(trace_context)

    parent = host_parent((sent, state))
    theirs = tracer.start_span("hello", context_of(parent))
    mine = builder.start(template_for(builder, tracer), invocation)

    assert mine is not None
    record = logging.makeLogRecord({})
    with use_span(mine):  # asked before anything else made its ids
        add_fields(record)
    ids, expected = mine.get_span_context(), theirs.get_span_context()
    sampled = "true" if ids.trace_flags.sampled else "false"
    shown = (f"{ids.trace_id:032x}", f"{ids.span_id:016x}", sampled)
    assert tuple(vars(record)[name] for name in FIELDS[2:]) == shown
    assert ids.is_valid
    assert ids.span_id != expected.span_id
    assert getattr(mine, "parent", parent) == getattr(theirs, "parent", parent) == parent
    if parent is not None:
        assert ids.trace_id == expected.trace_id
    has_luck = parent is None and "TraceIdRatio" in sampler.get_description()
    if not has_luck:  # each root has a trace of its own
        assert ids.trace_state == expected.trace_state
        assert ids.trace_flags == expected.trace_flags
        assert mine.is_recording() == theirs.is_recording()


def test_host_facts_of_an_invocation() -> None:
    """Cold start and retries are its own; the host's id is asked for anew from time to time."""
    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer("test")
    builder = span_builder_for(provider, tracer)
    assert builder is not None
    start, template = builder.start, template_for(builder, tracer)

    def host_facts(sent: object, **own: Any) -> tuple[object, ...]:
        span: Any = start(template, made_of(sent, **own))
        attributes = span.to_encodable().attributes
        return (
            attributes["faas.coldstart"],
            attributes.get(RETRY_COUNT, 0),
            attributes.get("faas.instance"),
        )

    def of_host(instance: str) -> object:
        tags = {"HostInstanceId": instance}
        return SimpleNamespace(trace_parent="", trace_state="", attributes=tags)

    assert host_facts(None, is_cold_start=True) == (True, 0, None)
    assert host_facts(of_host("h-1")) == (False, 0, "h-1")
    assert host_facts(of_host("h-1"), retries=2) == (False, 2, "h-1")
    assert host_facts(of_host("h-1"), is_cold_start=True) == (True, 0, "h-1")
    later = [host_facts(of_host("h-2"))[2] for _ in range(HOST_ID_READS_LEFT + 1)]
    assert later == ["h-1"] * HOST_ID_READS_LEFT + ["h-2"]
    assert host_facts(SimpleNamespace(trace_parent="", trace_state="", attributes=None))[2] == "h-2"


def test_host_that_cannot_be_asked() -> None:
    """A trace context without tags costs the host's id alone."""
    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer("test")
    builder = span_builder_for(provider, tracer)
    assert builder is not None
    sent = SimpleNamespace(trace_parent=SENT[2], trace_state="", attributes=None)
    span: Any = builder.start(template_for(builder, tracer), made_of(sent))

    assert "faas.instance" not in span.to_encodable().attributes
    assert f"{span.parent.span_id:016x}" == SPAN
