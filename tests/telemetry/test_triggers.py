"""What the triggers say of an invocation."""

from __future__ import annotations

import json
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind

from funcscope.extensions import Binding, Function, Invocation
from funcscope.extensions._invocation import PartialContext
from funcscope.telemetry._config.host import route_prefix
from funcscope.telemetry._config.resource import function_resource_id
from funcscope.telemetry._triggers.choice import extractor_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from funcscope.telemetry._triggers.extractor import TriggerExtractor


def described(
    trigger_type: str,
    settings: dict[str, object] | None = None,
    *,
    prefix: str = "api",
    environ: dict[str, str] | None = None,
) -> tuple[TriggerExtractor, Callable[..., Invocation]]:
    """Describe a function with one trigger, and make its invocations."""
    bindings = (
        Binding("in", trigger_type, "in", settings or {}),
        Binding("res", "http", "out", {}),
    )
    function = Function("Hello", "/app", False, "app.hello", bindings)

    def call(trigger: object, **args: object) -> Invocation:
        context = PartialContext("0f8e", "Hello", "/app", None)
        return Invocation("0f8e", function, {"in": trigger, **args}, context)

    return extractor_for(function, route_prefix=prefix, environ=environ or {}), call


def request(url: str, method: str = "GET", **headers: str) -> func.HttpRequest:
    """Make a request as azure.functions does."""
    return func.HttpRequest(method, url, headers=headers, body=b"")


@pytest.mark.parametrize(
    ("prefix", "route", "expected"),
    [
        ("api", None, "/api/Hello"),
        ("api", "items/{id}", "/api/items/{id}"),
        ("", "/items", "/items"),
        ("v1/x/", "{*rest}", "/v1/x/{*rest}"),
    ],
)
def test_route(prefix: str, route: str | None, expected: str) -> None:
    """The route is the prefix, then the trigger's route or else the function's name."""
    extractor, call = described("httpTrigger", {"route": route}, prefix=prefix)

    assert extractor.kind is SpanKind.SERVER
    assert extractor.constants["http.route"] == expected
    assert (
        extractor.span_name(extractor.snapshot(call(request("https://a/b", "post"))))
        == f"POST {expected}"
    )


def test_unknown_method_is_other() -> None:
    """A method that no standard has is `_OTHER`, so that names stay few."""
    extractor, call = described("httpTrigger")
    made = call(request("https://a/b", "PROPFIND"))

    assert extractor.attributes(extractor.snapshot(made))["http.request.method"] == "_OTHER"


def test_a_path_alone_is_a_url() -> None:
    """A request without a host, as a test or another runtime may make it, has its whole path."""
    extractor, call = described("httpTrigger")
    said = extractor.attributes(extractor.snapshot(call(request("/api/x?y=1"))))

    assert said["url.path"] == "/api/x"
    assert "server.address" not in said


@given(st.text(max_size=60))
def test_any_url_is_survived(url: str) -> None:
    """A URL that cannot be parsed leaves its attributes out; no text makes a description fail."""
    extractor, call = described("httpTrigger")
    attributes = extractor.attributes(extractor.snapshot(call(request("http://" + url))))

    assert attributes["http.request.method"] == "GET"
    assert all(isinstance(value, (str, int)) for value in attributes.values())


def test_object_that_is_no_request_is_survived() -> None:
    """Where the trigger's argument is something else, nothing is said of the request."""
    extractor, call = described("httpTrigger")

    assert extractor.attributes(extractor.snapshot(call(object()))) == {}
    assert extractor.span_name(extractor.snapshot(call(None))) == "_OTHER /api/Hello"


@pytest.mark.parametrize(
    ("result", "code", "error"),
    [
        (func.HttpResponse("x", status_code=204), 204, None),
        (func.HttpResponse("x", status_code=404), 404, None),
        (func.HttpResponse("x", status_code=500), 500, "500"),
        ("text", 200, None),
        (None, 204, None),
    ],
)
def test_response(result: object, code: int, error: str | None) -> None:
    """From 500 on a response is an error; a plain value is a 200, nothing is a 204."""
    extractor, call = described("httpTrigger")
    outcome = extractor.outcome(call(None), result)

    assert outcome.attributes == {"http.response.status_code": code}
    assert outcome.error_type == error


def test_response_that_was_set() -> None:
    """A response that was set on an `Out` binding counts where none was returned."""
    extractor, call = described("httpTrigger")
    out = SimpleNamespace(get=lambda: func.HttpResponse("x", status_code=503))

    assert extractor.outcome(call(None, res=out), None).error_type == "503"


@pytest.mark.parametrize("status", ["not a number", object()])
def test_odd_status_is_survived(status: object) -> None:
    """A status code that is no number is left out."""
    extractor, call = described("httpTrigger")

    assert extractor.outcome(call(None), SimpleNamespace(status_code=status)).attributes == {}


@pytest.mark.parametrize(
    ("trigger", "settings", "name", "kind", "faas"),
    [
        ("queueTrigger", {"queueName": "%Q%"}, "process orders", SpanKind.CONSUMER, "pubsub"),
        ("queueTrigger", {"queueName": "%NO%"}, "process %NO%", SpanKind.CONSUMER, "pubsub"),
        ("serviceBusTrigger", {"topicName": "t"}, "process t", SpanKind.CONSUMER, "pubsub"),
        ("eventHubTrigger", {"eventHubName": "h"}, "process h", SpanKind.CONSUMER, "pubsub"),
        ("timerTrigger", {"schedule": "0 * * * * *"}, "Hello", SpanKind.SERVER, "timer"),
        ("blobTrigger", {"path": "c/{name}"}, "Hello", SpanKind.SERVER, "datasource"),
        ("activityTrigger", {}, "Hello", SpanKind.INTERNAL, "other"),
        ("brandNewTrigger", {}, "Hello", SpanKind.SERVER, "other"),
    ],
)
def test_named_triggers(
    trigger: str, settings: dict[str, object], name: str, kind: SpanKind, faas: str
) -> None:
    """Messages are named by where they come from, all else by the function."""
    extractor, call = described(trigger, settings, environ={"Q": "orders"})

    assert extractor.span_name(extractor.snapshot(call(None))) == name
    assert extractor.kind is kind
    assert extractor.constants["faas.trigger"] == faas


@pytest.mark.parametrize(
    ("trigger", "settings", "expected"),
    [
        (
            "serviceBusTrigger",
            {"topicName": "%T%", "subscriptionName": "%S%"},
            {
                "messaging.destination.name": "news",
                "messaging.destination.subscription.name": "all",
            },
        ),
        ("eventHubTrigger", {"consumerGroup": "$Default"},
         {"messaging.consumer.group.name": "$Default"}),
        ("timerTrigger", {"schedule": "%CRON%"}, {"faas.cron": "0 * * * * *"}),
        ("timerTrigger", {}, {"faas.cron": None}),
        ("cosmosDBTrigger", {"databaseName": "d", "collectionName": "%T%"},
         {"faas.document.collection": "d", "faas.document.name": "news",
          "faas.document.operation": "edit"}),
        ("cosmosDBTrigger", {"changeFeedMode": "AllVersionsAndDeletes"},
         {"faas.document.operation": None}),
        ("blobTrigger", {"path": "uploads/{name}"}, {"faas.document.collection": "uploads"}),
        ("blobTrigger", {"path": "{container}/{name}"}, {"faas.document.collection": None}),
        ("sqlTrigger", {"tableName": "dbo.t"}, {"faas.document.name": "dbo.t"}),
        ("mcpToolTrigger", {"toolName": "save"}, {"gen_ai.tool.name": "save"}),
        ("mcpResourceTrigger", {"uri": "ui://me:pw@x/y?sig=s"},
         {"mcp.method.name": "resources/read", "gen_ai.tool.name": None}),
        ("mcpPromptTrigger", {"promptName": "review"},
         {"mcp.method.name": "prompts/get", "gen_ai.prompt.name": "review"}),
        ("daprTopicTrigger", {"topic": "t"}, {"messaging.system": "dapr"}),
        ("SIGNALRTRIGGER", {"hubName": "chat"}, {"azure.functions.hub.name": "chat"}),
    ],
)  # fmt: skip
def test_constants(
    trigger: str, settings: dict[str, object], expected: dict[str, str | None]
) -> None:
    """What the binding tells is said of every invocation, with app settings filled in."""
    environ = {"T": "news", "S": "all", "CRON": "0 * * * * *"}
    extractor, _ = described(trigger, settings, environ=environ)

    assert {name: extractor.constants.get(name) for name in expected} == expected
    assert "pw" not in repr(extractor.constants)


@pytest.mark.parametrize(
    ("trigger", "value", "expected"),
    [
        ("blobTrigger", SimpleNamespace(container_name="c", blob_name="d/b"),
         {"faas.document.collection": "c", "faas.document.name": "d/b"}),
        ("blobTrigger", SimpleNamespace(name="c/b?sig=s3cret"),
         {"faas.document.name": "b?sig=REDACTED"}),
        ("sqlTrigger", '[{"Operation": 1}, {"Operation": 2}]',
         {"faas.document.operation": None, "azure.functions.document_count": 2}),
        ("sqlTrigger", '[{"Operation": "2"}]', {"faas.document.operation": "delete"}),
        ("sqlTrigger", '[{"Operation": "odd"}, 5]', {"faas.document.operation": None}),
        ("sqlTrigger", '[{"Operation": 0, "x": "' + "x" * 70_000 + '"}]',
         {"faas.document.operation": None, "azure.functions.document_count": None}),
        ("sqlTrigger", "[" * 50_000, {"azure.functions.document_count": None}),
        ("mcpToolTrigger", {"name": "n", "sessionid": "s", "arguments": {"a": "b"}},
         {"gen_ai.tool.name": "n", "mcp.session.id": "s"}),
        ("mcpPromptTrigger", SimpleNamespace(name="n", sessionid="s"), {"mcp.session.id": "s"}),
        ("mcpResourceTrigger", '{"uri": "u", "sessionId": "s"}', {"mcp.session.id": "s"}),
        ("serviceBusTrigger", SimpleNamespace(enqueued_time_utc=datetime(2026, 1, 1)),  # noqa: DTZ001
         {"messaging.servicebus.message.enqueued_time": 1767225600}),
        ("serviceBusTrigger", SimpleNamespace(message_id="\ud800", delivery_count=2**70),
         {"messaging.message.id": "?",
          "messaging.servicebus.message.delivery_count": str(2**70)}),
        ("kafkaTrigger", SimpleNamespace(partition="3", offset="x", key="secret"),
         {"messaging.destination.partition.id": "3", "messaging.kafka.offset": None,
          "messaging.kafka.message.key": None}),
        ("eventGridTrigger", SimpleNamespace(topic="/a/b/", id="e", event_type="t"),
         {"messaging.destination.name": "b", "azure.functions.eventgrid.event_type": "t"}),
    ],
)  # fmt: skip
def test_attributes(trigger: str, value: object, expected: dict[str, object]) -> None:
    """What the trigger's object tells is said of the invocation; what it does not is left out."""
    extractor, call = described(trigger)
    attributes = extractor.attributes(extractor.snapshot(call(value)))

    assert {name: attributes.get(name) for name in expected} == expected


def prompt_context(asked: str) -> object:
    """Make what azure-functions gives a prompt's function."""
    mcp = pytest.importorskip("azure.functions.mcp")
    if not hasattr(mcp, "PromptInvocationContext"):
        pytest.skip("this azure-functions gives a prompt's function text")
    return mcp.PromptInvocationContext(asked)


@pytest.mark.parametrize(
    ("trigger", "given_as"),
    [
        ("mcpToolTrigger", str),
        ("mcpResourceTrigger", json.loads),
        ("mcpPromptTrigger", str),
        ("mcpPromptTrigger", prompt_context),
    ],
)
@pytest.mark.parametrize("is_below", [True, False])
def test_mcp_client_is_the_parent(
    trigger: str, given_as: Callable[[str], object], is_below: bool
) -> None:
    """The context in an MCP request is the parent, in each form in which a function gets it."""
    meta = {"_meta": {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}}
    asked = {"name": "n", **({"params": meta} if is_below else meta)}
    extractor, call = described(trigger)
    parent = extractor.parent(call(given_as(json.dumps(asked))))

    assert parent is not None
    assert (f"{parent.trace_id:x}", f"{parent.span_id:x}") == ("a" * 32, "b" * 16)
    assert extractor.parent(call(given_as('{"name": "n"}'))) is None


def test_activity_has_the_tags_of_the_host() -> None:
    """An activity's span has the host's Durable Task tags, and no other of its tags."""
    extractor, call = described("activityTrigger")
    tags = {"durabletask.task.name": "Hello", "durabletask.task.instance_id": "i-1", "x": "y"}
    made = call("Tokyo")
    made.context.trace_context = SimpleNamespace(attributes=tags)  # type: ignore[misc]

    assert extractor.attributes(extractor.snapshot(made)) == {
        k: v for k, v in tags.items() if k != "x"
    }


@pytest.mark.parametrize(
    ("trigger", "is_recorded"),
    [
        ("orchestrationTrigger", False),
        ("entityTrigger", True),
        ("activityTrigger", True),
        ("httpTrigger", True),
    ],
)
def test_what_is_recorded(trigger: str, is_recorded: bool) -> None:
    """Orchestrators have no span: they replay, and the host has one of its own."""
    assert described(trigger)[0].is_recorded is is_recorded


def test_function_without_a_trigger() -> None:
    """A function whose trigger could not be found is described by its name."""
    function = Function("Hello", "/app", False, "app.hello")
    extractor = extractor_for(function, route_prefix="api", environ={})

    assert extractor.constants == {"faas.trigger": "other"}


def test_resource_id_of_a_function() -> None:
    """The id is made of App Service's settings, whatever characters the group's name has."""
    environ = {
        "WEBSITE_OWNER_NAME": "0000-1111+rg_x.y-WestEuropewebspace-Linux",
        "WEBSITE_RESOURCE_GROUP": "rg_x.y",
        "WEBSITE_SITE_NAME": "site",
    }

    assert function_resource_id("Hello", environ) == (
        "/subscriptions/0000-1111/resourceGroups/rg_x.y"
        "/providers/Microsoft.Web/sites/site/functions/Hello"
    )
    for name in environ:
        assert function_resource_id("Hello", {**environ, name: ""}) is None


@pytest.mark.parametrize(
    ("content", "prefix"),
    [
        ('{"extensions": {"http": {"routePrefix": ""}}}', ""),
        ('{"extensions": {"http": {}}}', "api"),
        ('{"extensions": []}', "api"),
        ("no json", "api"),
        (None, "api"),
    ],
)
def test_route_prefix(content: str | None, prefix: str, tmp_path: Path) -> None:
    """The prefix is host.json's, and the host's default where it has none."""
    if content is not None:
        (tmp_path / "host.json").write_text(content)

    assert route_prefix({"AzureWebJobsScriptRoot": str(tmp_path)}) == prefix
    assert route_prefix({}) == "api"


@pytest.mark.parametrize(
    ("trigger", "settings", "name"),
    [
        ("mcpToolTrigger", {"toolName": "save"}, "tools/call save"),
        ("mcpPromptTrigger", {"promptName": "review"}, "prompts/get review"),
        ("mcpResourceTrigger", {"uri": "file://a/b"}, "resources/read"),
        ("timerTrigger", {}, "Hello"),
    ],
)
def test_mcp_operations(trigger: str, settings: dict[str, object], name: str) -> None:
    """Asked for, an MCP operation has its method's name, and its target's if that is no address."""
    environ = {"OTEL_SEMCONV_STABILITY_OPT_IN": "http, gen_ai_latest_experimental"}
    extractor, call = described(trigger, settings, environ=environ)
    plain, _ = described(trigger, settings)
    snapshot = extractor.snapshot(call("{}"))

    assert (extractor.span_name(snapshot), extractor.kind) == (name, SpanKind.SERVER)
    assert plain.span_name(plain.snapshot(call("{}"))) == "Hello"
    assert extractor.constants == plain.constants
