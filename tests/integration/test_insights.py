"""What arrives at Azure Monitor, by its own exporter alone: no distro, nothing else to write."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from scripts.snippets import text_of

if TYPE_CHECKING:
    from tests.integration.ingestion import Envelope, Ingestion

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]
Insights = Callable[..., Any]

DOCS = Path(__file__).parents[2] / "docs"
KEY = "00000000-0000-0000-0000-000000000000"
SITE = {"WEBSITE_SITE_NAME": "shop", "WEBSITE_INSTANCE_ID": "instance-1"}
HANDED_OVER = {
    "AzureFunctionsJobHost__telemetryMode": "OpenTelemetry",
    "PYTHON_ENABLE_OPENTELEMETRY": "true",
}
CODES = ["200", "404", "500", "500"]  # as the four HTTP calls below end
NAMES = ["status", "status", "later", "raises"]


@pytest.fixture
def calls(call: Caller) -> list[dict[str, Any]]:
    """Call functions that answer in every way, sync and async."""
    return [
        call("status", url="https://app.net/api/status/200"),
        call("status", url="https://app.net/api/status/404"),
        call("later", url="https://app.net/api/later/500"),
        call("raises"),
    ]


@pytest.fixture
def insights(run: Runner, path: str, calls: list[dict[str, Any]], tmp_path: Path) -> Insights:
    """Call them in the app, with settings: `insights(OTEL_LOGS_EXPORTER="none")`."""

    def call_all(**environ: str) -> Any:
        env = {**SITE, **environ, "TMPDIR": str(tmp_path)}  # the exporter keeps files there
        return run("v2_insights", calls, path=path, env=env, host_stream=True)

    return call_all


def of_kind(ingestion: Ingestion, *kinds: str) -> list[Envelope]:
    """Return the envelopes of some kinds, as they came."""
    return [e for e in ingestion.envelopes if e["data"]["baseType"] in kinds]


def data(envelope: Envelope) -> Any:
    """Return what an envelope is about."""
    return envelope["data"]["baseData"]


def tags(envelope: Envelope, *names: str) -> list[str]:
    """Return some of an envelope's tags."""
    return [envelope["tags"][f"ai.{name}"] for name in names]


def ids(envelopes: list[Envelope]) -> list[str]:
    """Return the invocations that envelopes belong to, as Azure's portal finds them."""
    return [data(e)["properties"]["InvocationId"] for e in envelopes]


def messages(ingestion: Ingestion) -> list[tuple[str, str | None]]:
    """Return each log record with its invocation."""
    return [
        (data(e)["message"], data(e)["properties"].get("InvocationId"))
        for e in of_kind(ingestion, "MessageData")
    ]


def logged(calls: list[dict[str, Any]]) -> set[tuple[str, str | None]]:
    """Return what the app logs in these calls, and outside of any."""
    inside = zip(("inside 200", "inside 404", "inside 500"), calls, strict=False)
    return {("outside", None), *((body, made["id"]) for body, made in inside)}


def test_the_worker_alone(
    insights: Insights, ingestion: Ingestion, calls: list[dict[str, Any]], host: Any
) -> None:
    """Where the host sends nothing there, each invocation is a request, each record a trace."""
    result = insights(CONNECTION_STRING=ingestion.connection_string)
    requests = of_kind(ingestion, "RequestData", "RemoteDependencyData")
    (failure,) = of_kind(ingestion, "ExceptionData")
    metrics = [data(e)["metrics"][0]["name"] for e in of_kind(ingestion, "MetricData")]

    assert [e["data"]["baseType"] for e in requests] == ["RequestData"] * 4
    assert [data(e)["responseCode"] for e in requests] == CODES
    assert [data(e)["success"] for e in requests] == [True, False, False, False]
    assert [data(e)["name"] for e in requests] == [
        "GET /api/status/{code}",
        "GET /api/status/{code}",
        "GET /api/later/{code}",
        "GET /api/raises",
    ]
    for envelope, made, name in zip(requests, calls, NAMES, strict=True):
        where = tags(envelope, "cloud.role", "cloud.roleInstance", "operation.name")
        assert where == ["shop", "instance-1", name]
        assert tags(envelope, "operation.id", "operation.parentId") == [host.trace_id, host.span_id]
        assert ids([envelope]) == [made["id"]]
    assert len(messages(ingestion)) == 4
    assert set(messages(ingestion)) == logged(calls)
    assert data(failure)["exceptions"][0]["typeName"] == "ValueError"
    assert ids([failure]) == [calls[3]["id"]]
    assert tags(failure, "operation.name", "operation.id") == ["raises", host.trace_id]
    assert tags(failure, "operation.parentId") == [data(requests[3])["id"]]
    assert {"faas.invoke_duration", "faas.errors", "faas.coldstarts"} <= set(metrics)
    assert "http.server.request.duration" not in metrics

    # OTLP gets all of it too.
    assert [result.span(index).kind for index in range(4)] == ["SERVER"] * 4
    assert len(result.logs) == 5
    assert "http.server.request.duration" in result.metrics


def test_below_the_hosts_requests(
    insights: Insights, ingestion: Ingestion, calls: list[dict[str, Any]], host: Any
) -> None:
    """With the host's own setting each invocation is a dependency, and logs are left to it."""
    result = insights(APPLICATIONINSIGHTS_CONNECTION_STRING=ingestion.connection_string)
    spans = of_kind(ingestion, "RequestData", "RemoteDependencyData")

    assert [data(e)["name"] for e in spans] == [f"function {name}" for name in NAMES]
    assert [data(e)["resultCode"] for e in spans] == CODES
    assert [data(e)["success"] for e in spans] == [True, True, False, False]
    assert [tags(e, "operation.name")[0] for e in spans] == NAMES
    assert ids(spans) == [made["id"] for made in calls]
    assert {e["data"]["baseType"] for e in ingestion.envelopes} == {
        "RemoteDependencyData",
        "MetricData",
    }
    assert len(result.logs) == 5  # by OTLP


def test_what_a_row_stands_for(insights: Insights, ingestion: Ingestion) -> None:
    """A row has the percentage of the ratio that kept it; one kept as it failed stands for itself.

    itemCount is made of that by Azure Monitor.
    """
    settings = {"FUNCSCOPE_KEEP_RATIO": "0.9375", "OTEL_LOGS_EXPORTER": "none"}
    insights(CONNECTION_STRING=ingestion.connection_string, **settings)
    requests = of_kind(ingestion, "RequestData")
    (failure,) = of_kind(ingestion, "ExceptionData")

    assert [data(e)["responseCode"] for e in requests] == CODES
    assert [e["sampleRate"] for e in requests] == [93.75, 93.75, 100, 100]
    assert failure["sampleRate"] == 100


def test_a_host_that_leaves_logs_to_the_worker(
    insights: Insights, ingestion: Ingestion, calls: list[dict[str, Any]]
) -> None:
    """Where the host leaves the records to the worker, each arrives once."""
    insights(APPLICATIONINSIGHTS_CONNECTION_STRING=ingestion.connection_string, **HANDED_OVER)
    failures = of_kind(ingestion, "ExceptionData")

    assert len(of_kind(ingestion, "RemoteDependencyData")) == 4
    assert len(messages(ingestion)) == 4
    assert set(messages(ingestion)) == logged(calls)
    assert ids(failures) == [calls[3]["id"]]


def test_exceptions_without_logs(
    insights: Insights, ingestion: Ingestion, calls: list[dict[str, Any]]
) -> None:
    """Where no records are exported, an exception still is, under its invocation."""
    insights(CONNECTION_STRING=ingestion.connection_string, OTEL_LOGS_EXPORTER="none")
    (failure,) = of_kind(ingestion, "ExceptionData")

    assert messages(ingestion) == []
    assert ids([failure]) == [calls[3]["id"]]
    assert tags(failure, "operation.name") == ["raises"]


def test_its_own_calls(insights: Insights, ingestion: Ingestion) -> None:
    """Nothing tells of the exporter's calls: no span of its client, no record, no line."""
    result = insights(
        CONNECTION_STRING=ingestion.connection_string,
        FUNCSCOPE_INSTRUMENT="requests",
        FUNCSCOPE_LOG_LEVELS="azure=DEBUG,urllib3=DEBUG",
    )

    assert of_kind(ingestion, "RemoteDependencyData") == []
    assert len(of_kind(ingestion, "RequestData")) == len(result.spans) == 4
    assert len(messages(ingestion)) == 4
    said = [text for text, _ in result.host_stream]
    assert "inside 200" in said
    assert not [text for text in said if "/track" in text or KEY in text]


def test_an_endpoint_that_is_away(insights: Insights) -> None:
    """Functions succeed, and OTLP gets everything, while Azure Monitor cannot be reached."""
    nobody = "http://127.0.0.1:9/"
    result = insights(CONNECTION_STRING=f"InstrumentationKey={KEY};IngestionEndpoint={nobody}")

    assert [outcome.get("status") for outcome in result.outcomes[:3]] == [200, 404, 500]
    assert len(result.spans) == 4
    assert len(result.logs) == 5


def test_a_wrong_connection_string(insights: Insights) -> None:
    """It is named without its key, once, and OTLP gets everything."""
    wrong = f"InstrumentationKey={KEY};"
    result = insights(APPLICATIONINSIGHTS_CONNECTION_STRING=wrong)
    said = "APPLICATIONINSIGHTS_CONNECTION_STRING is not known: part 2 of 2 is empty"

    assert result.stderr.count(said) == 1
    assert KEY not in result.stderr
    assert len(result.spans) == 4


def test_how_to(run: Runner, call: Caller, path: str, ingestion: Ingestion, tmp_path: Path) -> None:
    """What the how-to shows sends what it says: below the host's request, and as requests."""
    page = (DOCS / "how-to" / "azure-monitor.md").read_text()
    by_setting, in_code = re.findall(r"```python\n# function_app.py\n(.*?)```", page, re.DOTALL)
    for name, code, setting in (
        ("v2_by_setting", by_setting, "APPLICATIONINSIGHTS_CONNECTION_STRING"),
        ("v2_in_code", in_code, "TEAM_CONNECTION_STRING"),
    ):
        app = tmp_path / name
        app.mkdir()
        (app / "host.json").write_text('{"version": "2.0"}')
        (app / "function_app.py").write_text(code)
        made = call("order", url="https://app.net/api/orders/17")
        env = {setting: ingestion.connection_string, "TMPDIR": str(tmp_path)}
        assert run(app, [made], path=path, env=env).outcomes[0]["status"] == 404
    (below,) = of_kind(ingestion, "RemoteDependencyData")
    (request,) = of_kind(ingestion, "RequestData")

    assert (data(below)["name"], data(below)["resultCode"]) == ("function order", "404")
    (asked,) = re.findall(r'customDimensions\["(\w+)"\]', text_of("docs/how-to/azure-monitor.md"))
    assert data(request)["properties"][asked] == made["id"]
    assert data(request)["name"] == "GET /api/orders/{number}"
    assert of_kind(ingestion, "MessageData") == []  # the host's
