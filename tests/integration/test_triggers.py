"""What each trigger's span says, with payloads as hosts send them, on the real workers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REFERENCE = (Path(__file__).parent.parent.parent / "docs" / "reference" / "triggers.md").read_text()
EVENTS = Path(__file__).parent.parent / "events"
SETTINGS = {
    "SCHEDULE": "0 */5 * * * *",
    "QUEUE": "orders",
    "TOPIC": "payments",
    "TOOL": "save",
    # azure-functions 2.3.0 warns of its own way to read an activity's input.
    "PYTHONWARNINGS": "error,ignore:azure.functions df_loads was called:DeprecationWarning",
}

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

A, B, C = ("a" * 32, "1" * 16), ("b" * 32, "2" * 16), ("c" * 32, "3" * 16)
MESSAGES: dict[str, Any] = {
    "faas.trigger": "pubsub",
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
}
PARTITION = {
    "messaging.system": "eventhubs",
    "messaging.destination.name": "readings-prod",
    "messaging.consumer.group.name": "analytics",
    "messaging.destination.partition.id": "3",
    "server.address": "ns.servicebus.windows.net",
}
ENQUEUED_S = 1772360430
MCP_MEASURED = {
    "mcp.method.name": "tools/call",
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "save",
}

# function, payload, kind and name, attributes, links
EXPECTED: list[tuple[str, str, str, dict[str, Any], list[tuple[str, str]]]] = [
    ("tick", "timer", "SERVER tick", {
        "faas.trigger": "timer",
        "faas.cron": "0 */5 * * * *",
        "azure.functions.timer.past_due": True,
        "azure.functions.timer.last": "2026-03-01T10:15:00+00:00",
        "azure.functions.timer.next": "2026-03-01T10:20:00+00:00",
    }, []),
    ("queue", "queue", "CONSUMER process orders", MESSAGES | {
        "messaging.system": "azure_storage_queue",
        "messaging.destination.name": "orders",
        "messaging.message.id": "5f1d9d61-6c22-4d2b-8c1f-6a0f6d4d7a10",
        "azure.functions.queue.dequeue_count": 3,
    }, []),
    ("blob", "blob", "SERVER blob", {
        "faas.trigger": "datasource",
        "faas.document.collection": "uploads",
        "faas.document.name": "2026/march.csv",
        "faas.document.operation": "edit",
        "faas.document.time": "2026-03-01T10:20:30+00:00",
        "azure.functions.blob.size": 8,
    }, []),
    ("bus_queue", "service_bus_one", "CONSUMER process orders", MESSAGES | {
        "messaging.system": "servicebus",
        "messaging.destination.name": "orders",
        "messaging.message.id": "m-1",
        "messaging.message.conversation_id": "conversation-7",
        "messaging.servicebus.message.delivery_count": 2,
        "messaging.servicebus.message.enqueued_time": ENQUEUED_S,
    }, [A]),
    ("bus_queue", "service_bus_no_properties", "CONSUMER process orders", {
        "messaging.message.id": "m-2",
    }, []),
    ("bus_topic", "service_bus_batch", "CONSUMER process news", MESSAGES | {
        "messaging.system": "servicebus",
        "messaging.destination.name": "news",
        "messaging.destination.subscription.name": "all",
        "messaging.batch.message_count": 5,
        "funcscope.links.invalid": 1,
        "funcscope.links.dropped": None,
        "messaging.message.id": None,
    }, [A, B]),
    ("bus_topic", "service_bus_empty_batch", "CONSUMER process news", {
        "messaging.batch.message_count": 0,
        "funcscope.links.invalid": None,
    }, []),
    ("hub_one", "event_hub_one", "CONSUMER process readings-prod", MESSAGES | PARTITION | {
        "messaging.eventhubs.message.enqueued_time": ENQUEUED_S,
        "messaging.batch.message_count": None,
    }, [A]),
    ("hub_batch", "event_hub_batch", "CONSUMER process readings-prod", MESSAGES | PARTITION | {
        "messaging.batch.message_count": 3,
    }, [A, B]),
    ("hub_batch", "event_hub_batch_without_properties", "CONSUMER process readings", {
        "messaging.destination.name": "readings",
        "messaging.batch.message_count": 1,
    }, []),
    ("grid_cloud", "event_grid_cloud", "CONSUMER process orders", MESSAGES | {
        "messaging.system": "eventgrid",
        "messaging.destination.name": "orders",
        "messaging.message.id": "e-1",
        "cloudevents.event_id": "e-1",
        "cloudevents.event_source":
            "/subscriptions/0/resourceGroups/rg/providers/Microsoft.EventGrid/topics/orders",
        "cloudevents.event_type": "order.placed",
        "cloudevents.event_spec_version": "1.0",
        "cloudevents.event_subject": "orders/1",
    }, [C]),
    ("grid_own", "event_grid_own", "CONSUMER process uploads", MESSAGES | {
        "messaging.system": "eventgrid",
        "messaging.destination.name": "uploads",
        "messaging.message.id": "e-2",
        "cloudevents.event_id": None,
        "azure.functions.eventgrid.event_type": "Microsoft.Storage.BlobCreated",
        "azure.functions.eventgrid.subject":
            "/blobServices/default/containers/c/blobs/b?sig=REDACTED",
    }, []),
    ("cosmos", "cosmos", "SERVER cosmos", {
        "faas.trigger": "datasource",
        "faas.document.collection": "shop",
        "faas.document.name": "orders",
        "faas.document.operation": "edit",
        "azure.functions.document_count": 2,
    }, []),
    ("kafka_one", "kafka_one", "CONSUMER process payments-prod", MESSAGES | {
        "messaging.system": "kafka",
        "messaging.destination.name": "payments-prod",
        "messaging.destination.partition.id": "2",
        "messaging.consumer.group.name": "billing",
        "messaging.kafka.offset": 77,
        "messaging.kafka.message.key": None,
    }, [A]),
    ("kafka_batch", "kafka_batch", "CONSUMER process payments-prod", MESSAGES | {
        "messaging.system": "kafka",
        "messaging.destination.name": "payments-prod",
        "messaging.batch.message_count": 2,
        "funcscope.links.invalid": 1,
        "messaging.kafka.offset": None,
    }, [A]),
    ("sql", "sql", "SERVER sql", {
        "faas.trigger": "datasource",
        "faas.document.name": "dbo.orders",
        "faas.document.operation": "insert",
        "azure.functions.document_count": 2,
    }, []),
    ("mysql", "mysql", "SERVER mysql", {
        "faas.trigger": "datasource",
        "faas.document.name": "orders",
        "faas.document.operation": None,
        "azure.functions.document_count": 1,
    }, []),
    ("activity", "activity", "INTERNAL activity", {"faas.trigger": "other"}, []),
    ("warmup", "warmup", "INTERNAL warmup", {"faas.trigger": "other"}, []),
    ("mcp_tool", "mcp_tool", "INTERNAL mcp_tool", {
        "faas.trigger": "other",
        "mcp.method.name": "tools/call",
        "mcp.session.id": "session-1",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "save_snippet",
    }, []),
    ("signalr", "signalr", "SERVER signalr", {
        "faas.trigger": "other",
        "azure.functions.hub.name": "chat",
        "azure.functions.hub.category": "messages",
        "azure.functions.hub.event": "send",
    }, []),
    ("web_pubsub", "web_pubsub", "SERVER web_pubsub", {
        "azure.functions.hub.name": "game",
        "azure.functions.hub.category": "user",
        "azure.functions.hub.event": "go",
    }, []),
    ("generic", "generic", "SERVER generic", {
        "faas.trigger": "other",
        "azure.functions.trigger_type": "brandNewTrigger",
    }, []),
]  # fmt: skip
# The classic worker's stand-in has no generic converter and no implicit outputs.
NOT_IN_THE_STAND_IN = {"sql", "signalr", "web_pubsub", "generic", "mcp_tool"}
IN_V1 = ["tick", "bus_topic", "hub_batch", "kafka_one", "grid_cloud", "generic"]


def event(name: str) -> dict[str, Any]:
    """Read a payload of tests/events."""
    found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return found


def links_of(span: Any) -> list[tuple[str, str]]:
    """Return the contexts that a span is linked to."""
    return [(link.trace_id, link.span_id) for link in span.links]


def rows(app: str, path: str) -> list[Any]:
    """Choose what an app has and a worker can be sent."""
    return [
        row
        for row in EXPECTED
        if (app == "v2_triggers" or row[0] in IN_V1)
        and (path != "classic" or row[0] not in NOT_IN_THE_STAND_IN)
    ]


@pytest.mark.parametrize("app", ["v2_triggers", "v1_triggers"])
def test_spans(run: Runner, call: Caller, host: Any, path: str, app: str) -> None:
    """Every trigger's span has the kind, name, attributes and links of the conventions."""
    expected = rows(app, path)
    calls = [call(function, event=event(payload)) for function, payload, *_ in expected]
    result = run(app, calls, path=path, env=SETTINGS)

    for index, (function, payload, named, attributes, links) in enumerate(expected):
        assert result.outcomes[index]["ok"], (payload, result.outcomes[index])
        span = result.span(index)
        found = {name: span.attributes.get(name) for name in attributes}
        assert f"{span.kind} {span.name}" == named, payload
        assert found == attributes, payload
        assert links_of(span) == links, payload
        assert (span.trace_id, span.parent_id) == host, payload
        assert span.status == "UNSET", payload
        assert span.attributes["faas.name"] == function
        undocumented = {n for n in span.attributes if f"| `{n}` |" not in REFERENCE}
        assert not undocumented, payload
    assert "s3cret" not in repr(result.spans)


def test_links_are_limited(run: Runner, call: Caller, path: str) -> None:
    """FUNCSCOPE_MAX_LINKS limits the links of a span, and what is left out is counted."""
    calls = [call("bus_topic", event=event("service_bus_batch"))]
    env = {**SETTINGS, "FUNCSCOPE_MAX_LINKS": "1"}
    span = run("v2_triggers", calls, path=path, env=env).span()

    assert links_of(span) == [A]
    assert span.attributes["funcscope.links.dropped"] == 1


@pytest.mark.library_worker
def test_names_of_newer_conventions(run: Runner, call: Caller) -> None:
    """OTEL_SEMCONV_STABILITY_OPT_IN names spans, records, measurements: by 1.45, or by both."""
    payloads = {
        "tick": "timer",
        "bus_queue": "service_bus_one",
        "bus_each": "service_bus_batch",
        "hub_one": "event_hub_one",
        "kafka_batch": "kafka_batch",
    }
    calls = [call(function, event=event(payload)) for function, payload in payloads.items()]
    env = {**SETTINGS, "OTEL_SEMCONV_STABILITY_OPT_IN": "faas,messaging/dup"}
    result = run("v2_triggers", calls, path="protobuf", env=env)
    tick, bus, each, hub, kafka = (result.span(index).attributes for index in range(len(calls)))
    own = [log.attributes for log in result.messages(0)]
    below = [span for span in result.spans if span.parent_id == result.span(2).span_id]
    points = [p.attributes for p in result.points if "messaging.system" in p.attributes]

    for attributes in (tick, *own):
        assert attributes["faas.invocation.id"] == attributes["InvocationId"] == calls[0]["id"]
        assert "faas.invocation_id" not in attributes
    assert own
    assert "faas.invocation.start_time" in tick
    assert "faas.time" not in tick
    for attributes in (bus, each, *(span.attributes for span in below)):
        assert attributes["messaging.system"] == "servicebus"
        assert attributes["messaging.system.name"] == "azure.servicebus"
    for name in ("delivery_count", "enqueued_time"):
        old = bus[f"messaging.servicebus.message.{name}"]
        assert bus[f"azure.servicebus.message.{name}"] == old
        assert f"azure.servicebus.message.{name}" in below[0].attributes
    assert hub["azure.eventhubs.message.enqueued_time"] == ENQUEUED_S
    assert {(p["messaging.system"], p["messaging.system.name"]) for p in points} >= {
        ("servicebus", "azure.servicebus"),
        ("kafka", "kafka"),
    }
    offsets = [s.attributes["kafka.offset"] for s in result.spans if "kafka.offset" in s.attributes]
    assert offsets == [5, 6]
    assert kafka["messaging.system.name"] == "kafka"


@pytest.mark.library_worker
@pytest.mark.parametrize("opt_in", ["", "gen_ai_latest_experimental"])
def test_mcp_server(run: Runner, call: Caller, opt_in: str) -> None:
    """A client is a tool's parent if the host sends none; an MCP server's span is asked for."""
    payload = event("mcp_tool")
    asked = json.loads(payload["data"]["string"])
    meta = {"traceparent": f"00-{A[0]}-{A[1]}-01"}
    below = {"_meta": meta, **asked}
    sent = [asked, below, {**asked, "params": below}, {**asked, "_meta": {"traceparent": "s3cret"}}]
    calls = [
        call(
            "mcp_tool",
            event={**payload, "data": {"string": json.dumps(data)}},
            **({} if number == 0 else {"trace_parent": ""}),
        )
        for number, data in enumerate(sent)
    ]
    env = {**SETTINGS, "OTEL_SEMCONV_STABILITY_OPT_IN": opt_in}
    result = run("v2_triggers", calls, path="protobuf", env=env)
    spans = [result.span(index) for index in range(len(calls))]
    expected = ("SERVER", "tools/call save") if opt_in else ("INTERNAL", "mcp_tool")

    assert {(span.kind, span.name) for span in spans} == {expected}
    assert [(span.trace_id, span.parent_id) for span in spans[1:3]] == [A, A]
    assert spans[0].trace_id == calls[0]["trace_parent"].split("-")[1]
    assert not spans[3].parent_id
    assert ("mcp.server.operation.duration" in result.metrics) == bool(opt_in)
    measured = [p.attributes for p in result.points if "mcp.method.name" in p.attributes]
    assert all(attributes == MCP_MEASURED for attributes in measured)
    assert bool(measured) == bool(opt_in)
    assert "s3cret" not in repr((result.spans, result.logs))


def test_every_payload_is_sent() -> None:
    """No payload lies in tests/events without a test that sends it."""
    sent = {payload for _, payload, *_ in EXPECTED} | {"orchestration"}

    assert sent == {file.stem for file in EVENTS.glob("*.json")}


@pytest.mark.library_worker
@pytest.mark.parametrize(("ratio", "is_kept"), [("0.2", True), ("0.19", False)])
def test_orchestrator_that_is_kept_or_not(
    run: Runner, call: Caller, ratio: str, is_kept: bool
) -> None:
    """What an orchestrator logs is kept or left out as a span would be, by the host's trace."""
    settings = {"FUNCSCOPE_KEEP_RATIO": ratio}  # its trace's randomness is 0.807
    calls = [call("orchestration", event=event("orchestration"))]
    result = run("v2_triggers", calls, path="protobuf", env=settings)

    assert result.outcomes[0]["ok"], result.outcomes
    assert bool(result.messages(0)) == is_kept


@pytest.mark.library_worker
def test_orchestrator(run: Runner, call: Caller, host: Any) -> None:
    """An orchestrator, which replays its history, has no span, but logs in the host's trace."""
    calls = [
        call("orchestration", event=event("orchestration")),
        call("activity", event=event("activity")),
    ]
    result = run("v2_triggers", calls, path="protobuf", env=SETTINGS)

    assert [outcome["ok"] for outcome in result.outcomes] == [True, True]
    assert [span.attributes["faas.name"] for span in result.spans] == ["activity"]
    assert [(log.body, log.trace_id, log.span_id) for log in result.messages(0)] == [
        ("replaying", *host)
    ]


@pytest.mark.library_worker
@pytest.mark.parametrize("path", ["native", "native_sync"])
def test_payload_that_cannot_be_read(run: Runner, call: Caller, path: str) -> None:
    """What the worker's decoding raises has no frame of ours on the native paths."""
    result = run("v2_triggers", [call("tick", input="no timer")], path=path, env=SETTINGS)
    (outcome,) = result.outcomes

    assert not outcome["ok"]
    assert "NotImplementedError" in outcome["stack"]
    assert "_decode_inputs" in outcome["stack"]
    assert "/funcscope/" not in outcome["stack"]


def test_each_message(run: Runner, call: Caller, path: str) -> None:
    """Each message of a batch has a span below the invocation's, linked to its own context."""
    calls = [
        call("bus_each", event=event("service_bus_batch")),
        call("hub_batch", event=event("event_hub_batch")),
        call("kafka_batch", event=event("kafka_batch")),
    ]
    result = run("v2_triggers", calls, path=path, env=SETTINGS)
    below = [
        [span for span in result.spans if span.parent_id == result.span(index).span_id]
        for index in range(len(calls))
    ]
    bus, hub, kafka = below

    assert [links_of(span) for span in bus] == [[A], [B], [], [], [A]]
    assert [span.attributes["messaging.message.id"] for span in bus] == [f"m-{n}" for n in range(5)]
    assert bus[3].attributes["funcscope.links.invalid"] == 1
    assert {(span.kind, span.name) for span in bus} == {("CONSUMER", "process news")}
    assert [links_of(span) for span in hub] == [[A], [B], []]
    assert {span.name for span in hub} == {"process readings-prod"}
    assert [span.attributes["messaging.kafka.offset"] for span in kafka] == [5, 6]
    assert [links_of(span) for span in kafka] == [[A], []]
    logs = [log for log in result.messages() if str(log.body).startswith("got")]
    assert [log.span_id for log in logs] == [span.span_id for span in bus]
    assert result.leaks == []
