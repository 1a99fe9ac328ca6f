"""Links to the contexts that came with messages."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import INVALID_SPAN_CONTEXT

from funcscope.extensions import Binding, Function, Invocation
from funcscope.extensions._invocation import PartialContext
from funcscope.telemetry._triggers.choice import extractor_for
from funcscope.telemetry._triggers.links import carriers_of, kafka_carrier, link_to, span_context

if TYPE_CHECKING:
    from collections.abc import Mapping

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def parent(number: int) -> str:
    """Make a context of its own for each number."""
    return f"00-{number + 1:032x}-{number + 1:016x}-01"


def base64_of(text: str, times: int) -> str:
    """Encode text so many times."""
    for _ in range(times):
        text = base64.b64encode(text.encode()).decode()
    return text


@pytest.mark.parametrize(
    "carrier",
    [
        {"traceparent": PARENT},
        {"traceparent": PARENT.encode()},
        {b"traceparent": PARENT.encode()},
        {"TraceParent": PARENT},
        {"Diagnostic-Id": PARENT},
        {"traceparent": "broken", "Diagnostic-Id": PARENT},
        {"traceparent": None, "Diagnostic-Id": PARENT},
        {"traceparent": PARENT, "Diagnostic-Id": parent(1)},
        {"traceparent": PARENT, "tracestate": 5, 7: 8, None: None},
        {"traceparent": f"cc-{TRACE}-{SPAN}-01-more"},
    ],
)
def test_context_is_found(carrier: Mapping[object, object]) -> None:
    """`traceparent` counts first, then `Diagnostic-Id`, as text or bytes, in any case."""
    context = span_context(carrier)

    assert context is not None
    assert f"{context.trace_id:032x}" == TRACE
    assert f"{context.span_id:016x}" == SPAN
    assert context.is_remote


@pytest.mark.parametrize(
    "value",
    [
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"|{TRACE}.{SPAN}.",
        PARENT * 20,
        b"\xff\xfe",
        5,
        [PARENT],
    ],
)
def test_context_is_invalid(value: object) -> None:
    """What W3C Trace Context rejects, and what is no text, is an invalid context."""
    assert span_context({"traceparent": value}) == INVALID_SPAN_CONTEXT


@pytest.mark.parametrize("carrier", [{}, {"other": PARENT}, {"traceparent": ""}])
def test_no_context(carrier: Mapping[object, object]) -> None:
    """Properties without a context are none, and not invalid."""
    assert span_context(carrier) is None


def test_state_comes_along() -> None:
    """A link has the producer's `tracestate`; a broken one is dropped without the link."""
    kept = span_context({"traceparent": PARENT, "tracestate": b"vendor=1"})
    dropped = span_context({"traceparent": PARENT, "tracestate": "a=1,a=2"})

    assert kept is not None
    assert kept.trace_state.get("vendor") == "1"
    assert dropped is not None
    assert dropped.is_valid
    assert not dropped.trace_state


def test_links_are_counted() -> None:
    """Duplicates are linked once; what is invalid, and what is beyond the limit, is counted."""
    carriers: list[dict[object, object]] = [{"traceparent": parent(n % 5)} for n in range(10)]
    linked = link_to([*carriers, {}, {"traceparent": "broken"}], max_links=3)

    assert [link.context.trace_id for link in linked.links] == [1, 2, 3]
    assert linked.attributes == {"funcscope.links.invalid": 1, "funcscope.links.dropped": 2}
    assert link_to(carriers).attributes == {}
    assert len(link_to({"traceparent": parent(n)} for n in range(200)).links) == 128
    assert link_to(carriers, max_links=0).links == ()


VALUES = st.one_of(
    st.text(),
    st.binary(),
    st.none(),
    st.integers(),
    st.from_regex(r"(ff|00|cc)-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.?", fullmatch=True),
)
KEYS = st.sampled_from(["traceparent", b"tracestate", "tracestate", "Diagnostic-Id", "x"])


@given(st.lists(st.dictionaries(KEYS, VALUES)))
def test_no_context_raises(carriers: list[dict[object, object]]) -> None:
    """Whatever text or bytes messages carry, there are links or counts and never an exception."""
    linked = link_to(carriers)

    assert len(linked.links) + linked.invalid <= len(carriers)


@given(st.lists(st.fixed_dictionaries({"Key": st.text() | KEYS, "Value": VALUES})), VALUES)
def test_no_headers_raise(headers: list[object], other: object) -> None:
    """Whatever Kafka's headers hold, reading them does not raise."""
    link_to([kafka_carrier(headers), kafka_carrier(other), kafka_carrier([other])])


@pytest.mark.parametrize("times", [0, 1, 2])
def test_kafka_headers(times: int) -> None:
    """Kafka's header values are read plain, and in base64 once or twice."""
    headers = [
        {"Key": "traceparent", "Value": base64_of(PARENT, times)},
        {"Key": "tracestate", "Value": base64_of("vendor=1", times)},
    ]
    context = span_context(kafka_carrier(headers))

    assert context is not None
    assert f"{context.trace_id:032x}" == TRACE
    assert context.trace_state.get("vendor") == "1"


@pytest.mark.parametrize(
    "message",
    [
        SimpleNamespace(application_properties={"traceparent": PARENT}, user_properties=None),
        SimpleNamespace(application_properties=None, user_properties={"Diagnostic-Id": PARENT}),
        SimpleNamespace(application_properties={b"Diagnostic-Id": PARENT.encode()}),
        SimpleNamespace(properties={b"traceparent": PARENT.encode()}),
        SimpleNamespace(metadata={"Properties": {"traceparent": PARENT}}),
        SimpleNamespace(extension_attrs={"traceparent": PARENT}),
        SimpleNamespace(headers=[{"Key": "traceparent", "Value": PARENT}]),
        SimpleNamespace(headers={"traceparent": PARENT}, properties={"traceparent": PARENT}),
    ],
)
def test_every_place_is_looked_at(message: object) -> None:
    """The context is found wherever a kind of message keeps it."""
    (link,) = link_to(carriers_of([message])).links

    assert f"{link.context.trace_id:032x}" == TRACE


@pytest.mark.parametrize("shared", [[], [{"traceparent": PARENT}], None, [1, 2, 3], "x"])
def test_shared_metadata_may_be_short(shared: object) -> None:
    """A batch whose shared properties are fewer, or odd, still has one carrier per event."""
    events = [SimpleNamespace(metadata={"PropertiesArray": shared}) for _ in range(2)]

    assert len(carriers_of(events)) == 2


class Broken:
    """A message of which nothing can be read."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name) if name.startswith("__") else ValueError(name)


@pytest.mark.parametrize("trigger_type", ["serviceBusTrigger", "eventHubTrigger", "kafkaTrigger",
                                          "eventGridTrigger", "queueTrigger", "timerTrigger",
                                          "blobTrigger", "cosmosDBTrigger", "sqlTrigger",
                                          "mcpToolTrigger", "activityTrigger"])  # fmt: skip
@pytest.mark.parametrize(
    "trigger",
    [
        None,
        [],
        [None],
        [Broken()],
        Broken(),
        "text",
        b"bytes",
        5,
        {},
        func.EventHubEvent(body=b""),
        [func.KafkaEvent(body=b"")],
        SimpleNamespace(application_properties=None, metadata=None, headers=None),
    ],
)
def test_odd_triggers_are_survived(trigger_type: str, trigger: object) -> None:
    """An empty batch, missing metadata, or an object of another kind: never an exception."""
    function = Function("f", "/", False, "f", (Binding("x", trigger_type, "in", {}),))
    extractor = extractor_for(function, route_prefix="api", environ={})
    context = PartialContext("0f8e", "f", "/", None)
    invocation = Invocation("0f8e", function, {"x": trigger}, context)

    assert extractor.span_name(extractor.snapshot(invocation)) == "f"
    assert "funcscope.links.invalid" not in extractor.attributes(extractor.snapshot(invocation))
    assert list(extractor.links(invocation)) == []
    extractor.message_attributes(trigger)


def test_metadata_is_left_alone_where_it_is_not_needed() -> None:
    """Reading `metadata` parses the whole batch's: only Event Hubs' events are asked for it."""
    asked: list[object] = []

    class Message:
        application_properties = None

        @property
        def metadata(self) -> dict[str, object]:
            asked.append(self)
            return {}

    class Event:
        @property
        def metadata(self) -> dict[str, object]:
            asked.append(self)
            return {"PropertiesArray": [{}] * 3}

    carriers_of([Message() for _ in range(3)])
    events = [Event() for _ in range(3)]
    carriers_of(events)

    assert asked == [events[0]]
