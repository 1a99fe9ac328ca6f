"""The messages of a batch, each in a span of its own."""

from __future__ import annotations

import gc
from contextvars import copy_context
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from funcscope.extensions import Binding, Function, Invocation
from funcscope.extensions._invocation import PartialContext, entered
from funcscope.telemetry._api.messages import each_message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.sdk.trace import ReadableSpan

    from funcscope.contrib.testing import Spans

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


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


def test_each_has_a_span(spans: Spans) -> None:
    """Each message's span is current in the body, and siblings below what was current."""
    with trace.get_tracer("x").start_as_current_span("outer"):
        before = current()
        messages = [message(1, traceparent=PARENT), message(2)]
        inside = [current() for _ in each_message(messages)]
        after = current()
    first, second = spans.children(spans.one("outer"))

    assert inside == [span_id(first), span_id(second)]
    assert (before, after) == (after, before)
    assert first.kind is SpanKind.CONSUMER
    assert first.attributes is not None
    assert first.attributes["messaging.message.id"] == "m-1"
    assert [f"{link.context.span_id:016x}" for link in first.links] == ["00f067aa0ba902b7"]
    assert not second.links


def test_destination_of_the_trigger(spans: Spans) -> None:
    """In an invocation the span says where the trigger's messages come from."""
    with entered(invocation_of("serviceBusTrigger", topicName="news", subscriptionName="all")):
        list(each_message([message(1)]))
    (span,) = spans

    assert span.name == "process news"
    assert span.attributes is not None
    assert span.attributes["messaging.system"] == "servicebus"
    assert span.attributes["messaging.destination.subscription.name"] == "all"


def test_trigger_of_no_messages(spans: Spans) -> None:
    """In a function that another trigger starts nothing is said of that trigger."""
    with entered(invocation_of("timerTrigger", schedule="0 * * * * *")):
        list(each_message([message(1)]))
    (span,) = spans

    assert span.name == "process"
    assert dict(span.attributes or {}) == {
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.message.id": "m-1",
    }


@pytest.mark.parametrize("batch", [["a", None, 5], [SimpleNamespace(id=5)], (), iter("ab"), [{}]])
def test_plain_objects(spans: Spans, batch: Iterable[object]) -> None:
    """Anything else is passed on as it is, under a span without a link."""
    given = list(batch)

    assert list(each_message(given)) == given
    assert len(spans) == len(given)


@pytest.mark.parametrize("leaving", ["break", "raise"])
def test_leaving_the_loop(spans: Spans, leaving: str) -> None:
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
    (span,) = spans
    assert span.events == ()


def test_collected_elsewhere(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    """A loop that is closed in another context ends its span and logs nothing."""
    abandoned = each_message([message(1)])
    copy_context().run(next, abandoned)
    abandoned.close()

    assert len(spans) == 1
    assert caplog.records == []


def test_broken_context_is_counted(spans: Spans) -> None:
    """A message whose context cannot be read has a span that says so."""
    list(each_message([message(1, traceparent="broken")]))
    (span,) = spans

    assert span.attributes is not None
    assert span.attributes["funcscope.links.invalid"] == 1


def test_metadata_is_parsed_once(spans: Spans) -> None:
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
    spans = spans

    assert set(asked) == {events[0]}
    assert {span.name for span in spans} == {"process readings"}
    assert [len(span.links) for span in spans] == [1, 1, 1]
