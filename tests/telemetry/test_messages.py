"""The messages of a batch, each in a span of its own."""

from __future__ import annotations

import gc
from contextvars import copy_context
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from funcscope.extensions import Binding, Function, Invocation
from funcscope.extensions._invocation import PartialContext, entered
from funcscope.telemetry import _messages
from funcscope.telemetry._messages import each_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.sdk.trace import ReadableSpan

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Keep the spans that end, with a provider of this test's own."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(_messages, "get_tracer", lambda: provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def message(number: int, **properties: object) -> SimpleNamespace:
    """Make a Service Bus message, as far as it is read."""
    return SimpleNamespace(message_id=f"m-{number}", application_properties=properties)


def invocation_of(trigger_type: str, **settings: object) -> Invocation:
    """Make an invocation of a function with such a trigger."""
    binding = Binding("in", trigger_type, "in", settings)
    function = Function("f", "/", False, "f", (binding,))
    return Invocation("0f8e", function, {}, PartialContext("0f8e", "f", "/", None))


def current() -> int:
    """Return the id of the current span; 0 where there is none."""
    return trace.get_current_span().get_span_context().span_id


def span_id(span: ReadableSpan) -> int:
    """Return a span's id."""
    assert span.context is not None
    return int(span.context.span_id)


def test_each_has_a_span(exporter: InMemorySpanExporter) -> None:
    """Each message's span is current in the body, and siblings below what was current."""
    with trace.get_tracer("x").start_as_current_span("outer"):
        before = current()
        messages = [message(1, traceparent=PARENT), message(2)]
        inside = [current() for _ in each_message(messages)]
        after = current()
    first, second = exporter.get_finished_spans()

    assert inside == [span_id(first), span_id(second)]
    assert (before, after) == (after, before)
    assert first.kind is SpanKind.CONSUMER
    assert first.attributes is not None
    assert first.attributes["messaging.message.id"] == "m-1"
    assert [f"{link.context.span_id:016x}" for link in first.links] == ["00f067aa0ba902b7"]
    assert not second.links


def test_destination_of_the_trigger(exporter: InMemorySpanExporter) -> None:
    """In an invocation the span says where the trigger's messages come from."""
    with entered(invocation_of("serviceBusTrigger", topicName="news", subscriptionName="all")):
        list(each_message([message(1)]))
    (span,) = exporter.get_finished_spans()

    assert span.name == "process news"
    assert span.attributes is not None
    assert span.attributes["messaging.system"] == "servicebus"
    assert span.attributes["messaging.destination.subscription.name"] == "all"


def test_trigger_of_no_messages(exporter: InMemorySpanExporter) -> None:
    """In a function that another trigger starts nothing is said of that trigger."""
    with entered(invocation_of("timerTrigger", schedule="0 * * * * *")):
        list(each_message([message(1)]))
    (span,) = exporter.get_finished_spans()

    assert span.name == "process"
    assert dict(span.attributes or {}) == {
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.message.id": "m-1",
    }


@pytest.mark.parametrize("batch", [["a", None, 5], [SimpleNamespace(id=5)], (), iter("ab"), [{}]])
def test_plain_objects(exporter: InMemorySpanExporter, batch: Iterable[object]) -> None:
    """Anything else is passed on as it is, under a span without a link."""
    given = list(batch)

    assert list(each_message(given)) == given
    assert len(exporter.get_finished_spans()) == len(given)


@pytest.mark.parametrize("leaving", ["break", "raise"])
def test_leaving_the_loop(exporter: InMemorySpanExporter, leaving: str) -> None:
    """A loop that is left ends its span, and what was current before is current again."""
    before = current()

    def loop() -> None:
        for _ in each_message([message(1), message(2)]):
            if leaving == "raise":
                raise ValueError("left")
            break

    if leaving == "raise":
        with pytest.raises(ValueError, match="left"):
            loop()
    else:
        loop()
    gc.collect()

    assert current() == before
    (span,) = exporter.get_finished_spans()
    assert span.events == ()


def test_collected_elsewhere(
    exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """A loop that is closed in another context ends its span and logs nothing."""
    abandoned = each_message([message(1)])
    copy_context().run(next, abandoned)
    abandoned.close()

    assert len(exporter.get_finished_spans()) == 1
    assert caplog.records == []


def test_broken_context_is_counted(exporter: InMemorySpanExporter) -> None:
    """A message whose context cannot be read has a span that says so."""
    list(each_message([message(1, traceparent="broken")]))
    (span,) = exporter.get_finished_spans()

    assert span.attributes is not None
    assert span.attributes["funcscope.links.invalid"] == 1


def test_metadata_is_parsed_once(exporter: InMemorySpanExporter) -> None:
    """Of Event Hubs' events the first alone is asked for the metadata that all share."""
    asked: list[object] = []

    class Event:
        @property
        def metadata(self) -> dict[str, object]:
            asked.append(self)
            return {
                "PartitionContext": {"EventHubName": "readings"},
                "PropertiesArray": [{"Diagnostic-Id": PARENT}] * 3,
            }

    events = [Event() for _ in range(3)]
    with entered(invocation_of("eventHubTrigger", eventHubName="other")):
        list(each_message(events))
    spans = exporter.get_finished_spans()

    assert set(asked) == {events[0]}
    assert {span.name for span in spans} == {"process readings"}
    assert [len(span.links) for span in spans] == [1, 1, 1]
