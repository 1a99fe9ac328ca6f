"""What apps on the real library workers export, checked at a real OTLP receiver."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

FUNCTIONS = [("v2", "hello"), ("v2", "later"), ("v2", "wants_context"), ("v1", "hello"),
             ("v1", "later"), ("v1", "early")]  # fmt: skip


@pytest.mark.parametrize("app", ["v2", "v1"])
def test_host_is_the_parent(run: Runner, call: Caller, host: Any, path: str, app: str) -> None:
    """Every invocation's span is a child of the host's, and the only one with that parent."""
    names = [name for a, name in FUNCTIONS if a == app]
    result = run(app, [call(name, trace_state="vendor=1") for name in names], path=path)

    for index, name in enumerate(names):
        span = result.span(index)
        assert result.outcomes[index]["ok"], result.outcomes[index]
        assert (span.trace_id, span.parent_id) == host
        assert span.trace_state == "vendor=1"
        assert span.attributes["faas.name"] == name
        assert span.attributes["faas.trigger"] == "http"
        assert span.attributes["faas.coldstart"] is (index == 0)
        assert span.attributes["http.response.status_code"] == 200
        assert span.kind == "SERVER"
        assert span.status == "UNSET"
    assert len(result.spans) == len(names)


@pytest.mark.parametrize("app", ["v2", "v1"])
def test_nothing_is_left_behind(run: Runner, call: Caller, path: str, app: str) -> None:
    """After their invocations neither the loop nor a worker's thread has a span or invocation."""
    calls = [call(name) for name in ("hello", "later") for _ in range(10)]

    assert run(app, calls, path=path, concurrent=True).leaks == []


def test_worker_imported_after_funcscope(run: Runner, call: Caller, host: Any, path: str) -> None:
    """The order of imports does not matter: funcscope may come before the worker."""
    result = run("v2", [call("hello")], path=path, import_first=["funcscope.auto"])

    assert (result.span().trace_id, result.span().parent_id) == host


@pytest.mark.parametrize("name", ["boom", "boom_later"])
def test_failing_function(run: Runner, call: Caller, path: str, name: str) -> None:
    """An exception makes the span an error, is an event in the logs, and the host's as it was."""
    result = run("v2", [call(name)], path=path)
    span, outcome = result.span(), result.outcomes[0]
    (event,) = result.messages()

    assert not outcome["ok"]
    assert "ValueError" in outcome["error"]
    assert f"in {name}" in outcome["stack"]
    if sys.version_info >= (3, 11):  # before, a traceback that is raised again cannot be cut
        assert "/funcscope/extensions/" not in outcome["stack"]
    assert span.status == "ERROR"
    assert span.attributes["error.type"] == "ValueError"
    assert span.attributes["http.response.status_code"] == 500
    assert span.events == ()
    assert event.event_name == "faas.invocation.exception"
    assert (event.trace_id, event.span_id) == (span.trace_id, span.span_id)
    assert event.severity == "ERROR"
    assert event.body.startswith("ValueError: ")
    assert event.attributes["exception.type"] == "ValueError"
    stack = str(event.attributes["exception.stacktrace"])
    assert stack.splitlines()[1].endswith(f"in {name}")
    assert "funcscope" not in stack.replace("/funcscope/tests/", "")


def test_failing_function_without_logs(run: Runner, call: Caller, path: str) -> None:
    """Where no logs are exported the exception is an event of the span."""
    result = run("v2", [call("boom")], path=path, env={"OTEL_LOGS_EXPORTER": "none"})
    (event,) = result.span().events

    assert event.name == "exception"
    assert event.attributes["exception.type"] == "ValueError"
    assert result.logs == ()


@pytest.mark.parametrize(
    ("policy", "environ", "is_recorded"),
    [
        ("auto", {}, True),
        ("auto", {"APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=0"}, False),
        ("honour", {}, False),
        ("ignore", {"OTEL_TRACES_SAMPLER": "always_off"}, False),
        ("ignore", {"OTEL_TRACES_SAMPLER": "parentbased_always_on"}, True),
    ],
)
def test_host_that_does_not_sample(
    run: Runner,
    call: Caller,
    host: Any,
    path: str,
    policy: str,
    environ: dict[str, str],
    is_recorded: bool,
) -> None:
    """The host's flag 00 is taken as the policy says; logs keep the trace id either way."""
    made = call("hello", trace_parent=f"00-{host.trace_id}-{host.span_id}-00")
    result = run("v2", [made], path=path, env={"FUNCSCOPE_PARENT_FLAG": policy, **environ})
    (log,) = result.messages()

    assert len(result.spans) == (1 if is_recorded else 0)
    if is_recorded:
        assert (result.span().trace_id, result.span().parent_id) == host
    assert log.trace_id == host.trace_id


def test_ratios_are_told(run: Runner, call: Caller, host: Any, path: str) -> None:
    """What a ratio lets through says so, at the begin and at the end; a failure of the begin's."""
    rejected = "0" * 14  # of a trace's randomness: what comes first
    calls = [
        call("hello"),
        call("hello", trace_parent=f"00-{'1' * 18}{rejected}-{host.span_id}-01"),
        call("boom", trace_parent=f"00-{'2' * 18}8{rejected[1:]}-{host.span_id}-01"),
        call("boom", trace_state="vendor=1"),
    ]
    environ = {
        "FUNCSCOPE_KEEP_RATIO": "0.25",
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.5",
    }
    result = run("v2", calls, path=path, env=environ)

    assert {span.trace_state for span in result.spans} == {"ot=th:c", "ot=th:8", "ot=th:8,vendor=1"}


def test_host_that_owns_the_request(run: Runner, call: Caller, host: Any, path: str) -> None:
    """Below a host that exports its own span for the request ours is INTERNAL."""
    environ = {"AzureFunctionsJobHost__telemetryMode": "OpenTelemetry", "QUEUE": "orders"}
    result = run("v2", [call("hello"), call("orders", input="one")], path=path, env=environ)

    for index, name in enumerate(("hello", "orders")):
        span = result.span(index)
        assert (span.name, span.kind) == (f"function {name}", "INTERNAL")
        assert (span.trace_id, span.parent_id) == host
    assert result.span(0).attributes["http.route"] == "/v2/hello/{name?}"


@pytest.mark.parametrize("path", ["classic"])
def test_instance_of_the_host(run: Runner, call: Caller, path: str) -> None:
    """The host's own id is said where it sends one."""
    made = call("hello", trace_attributes={"HostInstanceId": "h-1", "ProcessId": "7"})
    span = run("v2", [made], path=path).span()

    assert span.attributes["faas.instance"] == "h-1"
    assert "ProcessId" not in span.attributes


@pytest.mark.parametrize(("code", "status"), [(418, "UNSET"), (503, "ERROR")])
def test_answered_status(run: Runner, call: Caller, code: int, status: str, path: str) -> None:
    """An answer of 500 and more is an error, one of 4xx is the client's."""
    made = call("status", url=f"https://app.net/v2/status/{code}")
    span = run("v2", [made], path=path).span()

    assert span.attributes["http.response.status_code"] == code
    assert span.attributes.get("error.type") == (str(code) if code >= 500 else None)
    assert span.status == status


def test_rejected_invocation(run: Runner, call: Caller, path: str) -> None:
    """An invocation that a guard answers has the answer's status and is no error of ours."""
    result = run("v2", [call("guarded")], path=path)
    span = result.span()

    assert result.outcomes[0]["status"] == 401
    assert span.attributes["http.response.status_code"] == 401
    assert span.attributes["funcscope.rejected"] is True
    assert span.status == "UNSET"
    assert span.events == ()


def test_request_is_described(run: Runner, call: Caller, path: str) -> None:
    """An HTTP span is named by method and route, with the host's route prefix."""
    made = call(
        "hello",
        url="https://app.net:8443/v2/hello/jo?x=1",
        headers={"user-agent": "test/1", "x-forwarded-for": "203.0.113.7:5678, 10.0.0.1"},
    )
    span = run("v2", [made], path=path).span()

    assert span.name == "GET /v2/hello/{name?}"
    expected = {
        "http.request.method": "GET",
        "http.route": "/v2/hello/{name?}",
        "url.scheme": "https",
        "url.path": "/v2/hello/jo",
        "url.query": "x=1",
        "server.address": "app.net",
        "server.port": 8443,
        "user_agent.original": "test/1",
        "client.address": "203.0.113.7",
        "code.function.name": "function_app.hello",
        "azure.functions.trigger_type": "httpTrigger",
        "InvocationId": made["id"],
    }
    assert {key: span.attributes.get(key) for key in expected} == expected


@pytest.mark.parametrize("name", ["hello", "boom"])
def test_no_key_leaves(run: Runner, call: Caller, name: str, path: str) -> None:
    """A function key in the URL is in no exported span or log, the rest of the query is."""
    url = f"https://app.net/v2/{name}?code=s3cretKey&x=1&Sig=s3cretSig"
    result = run("v2", [call(name, url=url)], path=path)
    exported = repr(result.spans) + repr(result.logs)

    assert "s3cret" not in exported
    assert result.span().attributes["url.query"] == "code=REDACTED&x=1&Sig=REDACTED"


@pytest.mark.parametrize("app", ["v2", "v1"])
def test_queue_message(run: Runner, call: Caller, host: Any, path: str, app: str) -> None:
    """A queue's message is consumed in a span that names the queue and has the host as parent."""
    result = run(app, [call("orders", input="one")], path=path, env={"QUEUE": "orders"})
    span = result.span()

    assert (span.trace_id, span.parent_id) == host
    assert (span.name, span.kind) == ("process orders", "CONSUMER")
    assert span.attributes["faas.trigger"] == "pubsub"
    assert span.attributes["messaging.destination.name"] == "orders"
    assert "http.route" not in span.attributes


def test_binding_named_context(run: Runner, call: Caller, host: Any, path: str) -> None:
    """Where `context` is a binding, the invocation is in the host's trace all the same."""
    result = run("v2", [call("orchestrator", input={"history": []})], path=path)
    (log,) = result.messages()

    assert result.outcomes[0]["ok"]
    assert log.body == "got OrchestrationContext"
    assert (log.trace_id, log.span_id) == host


@pytest.mark.parametrize(("app", "name"), [("v2", "timing"), ("v1", "orders")])
def test_timing_and_stages(run: Runner, call: Caller, path: str, app: str, name: str) -> None:
    """`Timing` logs and measures a function in either model; `timed` makes a child span."""
    made = call(name) if app == "v2" else call(name, input="one")
    result = run(app, [made], path=path)
    (stage,) = (span for span in result.spans if span.name == "stage")
    inside = next(log for log in result.messages() if log.body != name and "took" not in log.body)
    (timing,) = (log for log in result.messages() if "took" in log.body)

    assert stage.parent_id == result.span().span_id
    assert inside.span_id == stage.span_id
    assert timing.body.startswith(f"{name} took ")
    assert timing.span_id == result.span().span_id
    assert "funcscope.timed.duration" in result.metrics
