"""Spans are described by their function's template, whatever a trigger is like."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.sdk_versions import OWN_SPANS, since

from funcscope.extensions import Binding, Function, Invocation
from funcscope.telemetry._spans.builder import span_builder_for
from funcscope.telemetry._spans.template import SpanTemplate
from funcscope.telemetry._triggers.choice import extractor_for
from funcscope.telemetry._triggers.extractor import TriggerExtractor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Link

HELLO = Function("hello", "/app", is_async=False, qualified_name="app.hello")


class Unreadable(TriggerExtractor):
    """Reads triggers that cannot be read at once, nor their links."""

    has_links = True

    def snapshot(self, invocation: Invocation) -> object:
        raise ValueError(invocation.id)

    def links(self, invocation: Invocation) -> Sequence[Link]:
        raise ValueError(invocation.id)


class ReadLater(TriggerExtractor):
    """Reads triggers that cannot be read later."""

    def attributes(self, snapshot: object) -> Any:
        raise ValueError(snapshot)


def invocation_of(function: Function, trigger: object = None) -> Invocation:
    """Make an invocation below no host's span."""
    context: Any = SimpleNamespace(trace_context=None, retry_context=None)
    return Invocation("0f8e", function, {"in": trigger}, context)


def exported(extractor: TriggerExtractor, invocation: Invocation, way: str) -> ReadableSpan:
    """Start and end a span, by our builder or by the tracer, and return what is exported."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    template = SpanTemplate(tracer, extractor)
    builder = span_builder_for(provider, tracer)
    assert builder is not None
    start: Any = template.start_span if way == "tracer" else partial(builder.start, template)
    start(invocation).end()
    (done,) = exporter.get_finished_spans()
    return done


each_way = pytest.mark.parametrize("way", ["builder", "tracer"])


@since(42, OWN_SPANS)
@each_way
@pytest.mark.parametrize("kind", [Unreadable, ReadLater])
def test_unreadable_trigger(
    kind: type[TriggerExtractor], way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A trigger that cannot be read is logged, and costs its own attributes and links alone."""
    span = exported(kind(HELLO, {"faas.trigger": "other"}), invocation_of(HELLO), way)

    assert span.name == "hello"
    assert dict(span.attributes or {}) == {
        "faas.trigger": "other",
        "faas.invocation_id": "0f8e",
        "InvocationId": "0f8e",
        "faas.coldstart": False,
    }
    assert not span.links
    assert {record.getMessage() for record in caplog.records} == {
        "the trigger of hello could not be described"
    }


def test_name_below_the_hosts_span_of_a_request() -> None:
    """Where the host exports requests itself, a span is named by its function, and internal."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    template = SpanTemplate(tracer, TriggerExtractor(HELLO, {}), is_below_request=True)

    assert template.kind.name == "INTERNAL"
    assert template.span_name(template.snapshot(invocation_of(HELLO))) == "function hello"


def test_a_message_is_read_once() -> None:
    """Name, attributes and links of a message are made of one reading of its parts."""
    reads: list[str] = []

    class Event:
        """An event of Kafka's that notes who asks."""

        partition = offset = 1

        @property
        def topic(self) -> str:
            reads.append("topic")
            return "orders"

        @property
        def headers(self) -> list[object]:
            reads.append("headers")
            return []

    binding = Binding("in", "kafkaTrigger", "in", {})
    function = Function("hello", "/app", False, "app.hello", (binding,))
    extractor = extractor_for(function, route_prefix="api", environ={})
    invocation = invocation_of(function, Event())
    snapshot = extractor.snapshot(invocation)

    assert extractor.span_name(snapshot) == "process orders"
    assert extractor.attributes(snapshot)["messaging.destination.name"] == "orders"
    assert extractor.links(invocation) == ()
    assert reads == ["topic", "headers"]
