"""The local host serves apps on Microsoft's library workers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contrib.host.conftest import HostProcess

pytestmark = pytest.mark.library_worker

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def v2(run_host: Callable[..., HostProcess]) -> HostProcess:
    """Run the v2 app."""
    return run_host("host_v2", FROM_SHELL="shell")


@pytest.fixture(scope="module")
def v1(run_host: Callable[..., HostProcess]) -> HostProcess:
    """Run the v1 app."""
    return run_host("host_v1")


def echo(host: HostProcess, path: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Fetch what the app's `echo` function saw; a JSON object."""
    status, _, body = host.fetch(f"/v2/api/echo/{path}", *args, **kwargs)
    assert status == 201, body
    seen: dict[str, Any] = json.loads(body)
    return seen


def test_lists_functions_as_func_start_does(v2: HostProcess) -> None:
    """At the start, each function is listed with its methods and URL, or its trigger."""
    url = rf"http://{re.escape(v2.netloc)}/v2/api"

    v2.wait_for("^Functions:$")
    v2.wait_for(rf"^        echo: \[GET,POST\] {url}/echo/{{word:alpha}}/{{number:int\?}}$")
    v2.wait_for(rf"^        fail: {url}/fail$")
    v2.wait_for(r"^        queue: queueTrigger$")


def test_request_reaches_the_function_whole(v2: HostProcess) -> None:
    """Method, URL, query, route parameters, headers and body arrive."""
    seen = echo(v2, "tea/7?a=1&b=c%20d", "POST", "pot", {"X-Test": "yes"})

    assert seen["method"] == "POST"
    assert seen["url"] == f"http://{v2.netloc}/v2/api/echo/tea/7?a=1&b=c%20d"
    assert seen["params"] == {"a": "1", "b": "c d"}
    assert seen["route_params"] == {"word": "tea", "number": "7"}
    assert (seen["body"], seen["x-test"]) == ("pot", "yes")


def test_response_comes_back_whole(v2: HostProcess) -> None:
    """Status, content type and every cookie come back."""
    status, headers, _ = v2.fetch("/v2/api/echo/tea")

    assert status == 201
    assert headers["content-type"] == "application/json"
    assert headers.get_all("set-cookie") == ["a=1; Path=/", "b=2; HttpOnly"]


def test_literal_route_first(v2: HostProcess) -> None:
    """A literal segment beats a parameter that would match, too."""
    assert v2.fetch("/v2/api/echo/special")[2] == "a literal beats a parameter"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/api/nope"),
        ("GET", "/api/echo/tea"),
        ("GET", "/"),
        ("DELETE", "/v2/api/echo/tea"),
        ("GET", "/v2/api/echo/t3a"),
    ],
)
def test_no_route(v2: HostProcess, method: str, path: str) -> None:
    """What no route serves is 404, a method that none takes included."""
    assert v2.fetch(path, method)[0] == 404


def test_failure(v2: HostProcess) -> None:
    """A function that raises is answered 500 with the message, and logged with its own frames."""
    status, _, body = v2.fetch("/v2/api/fail")

    assert (status, body) == (500, "ValueError: no tea left")
    v2.wait_for(r"^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] about to fail$")
    v2.wait_for(r"Executed 'Functions\.fail' \(Failed, Id=[0-9a-f-]{36}, Duration=\d+ms\)")
    v2.wait_for(r'function_app\.py", line \d+, in fail$')
    assert "azure_functions_runtime/" not in v2.output
    assert "Function Type" not in v2.output  # the worker's own log, which apps' users never see


def test_continues_the_callers_trace(v2: HostProcess) -> None:
    """A function gets a new span in the caller's trace, and the caller's trace state."""
    caller = f"00-{TRACE_ID}-00f067aa0ba902b7-00"
    seen = echo(v2, "tea", headers={"traceparent": caller, "tracestate": "a=1"})

    assert re.fullmatch(
        f"00-{TRACE_ID}-(?!00f067aa0ba902b7)[0-9a-f]{{16}}-00", seen["trace_parent"]
    )
    assert seen["trace_state"] == "a=1"


def test_starts_a_trace(v2: HostProcess) -> None:
    """Without a caller's trace, each request has one of its own, and its own invocation id."""
    first, second = echo(v2, "tea"), echo(v2, "tea")

    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", first["trace_parent"])
    assert first["trace_parent"][3:35] != second["trace_parent"][3:35]
    assert first["invocation_id"] != second["invocation_id"]


def test_environment(v2: HostProcess) -> None:
    """The app runs in its directory, with its settings, which override nothing."""
    seen = json.loads(v2.fetch("/v2/api/environment")[2])

    assert Path(seen["cwd"]).name == "host_v2"
    assert seen["AzureWebJobsScriptRoot"] == seen["cwd"]
    assert seen["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert (seen["FROM_FILE"], seen["FROM_SHELL"]) == ("file", "shell")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("queue", '{"id": 1}', ["queue", '{"id": 1}', 1, True, None]),
        ("Queue", {"id": 2}, ["queue", '{"id": 2}', 1, True, None]),
        ("timer", "", ["timer", False, {"AdjustForDST": True}]),
        ("timer", {"IsPastDue": True}, ["timer", True, {"AdjustForDST": True}]),
        ("service_bus", "tea", ["service_bus", "tea", 1]),
        ("service_bus_batch", ["a", {"b": 1}], ["service_bus_batch", ["a", '{"b": 1}']]),
        ("event_hub", "tea", ["event_hub", "tea", 1]),
        ("event_hub_batch", ["a", "b"], ["event_hub_batch", ["a", "b"]]),
        ("event_grid", {"a": 1}, ["event_grid", "local.event", {"a": 1}]),
        (
            "event_grid",
            {"eventType": "sold", "id": "1", "data": {"a": 2}},
            ["event_grid", "sold", {"a": 2}],
        ),
        ("cosmos", '{"id": "1"}', ["cosmos", [{"id": "1"}]]),
        ("cosmos", [{"id": "1"}, {"id": "2"}], ["cosmos", [{"id": "1"}, {"id": "2"}]]),
        ("blob", "content", ["blob", "uploads/{name}", 7, "content"]),
        ("kafka", "tea", ["kafka", "tea", "t"]),
        ("kafka_batch", ["a", "b"], ["kafka_batch", ["a", "b"]]),
        ("generic", "tea", ["generic", "tea"]),
        ("generic", {"a": 1}, ["generic", '{"a": 1}']),
    ],
)
def test_other_triggers(v2: HostProcess, name: str, value: object, expected: list[object]) -> None:
    """An admin request is accepted at once, and starts the function with a value of its kind."""
    body = json.dumps({"input": value})

    assert v2.fetch(f"/admin/functions/{name}", "POST", body)[0] == 202
    v2.wait_for(re.escape(f"got {json.dumps(expected)}"))


def test_what_is_not_emulated_is_said(v2: HostProcess) -> None:
    """The types of bindings that are not emulated are named in one line, with their functions."""
    v2.wait_for(
        r"^not emulated here: cosmosDBTrigger \(cosmos\), eventHubTrigger \(.*\), "
        r".*serviceBusTrigger \(service_bus, service_bus_batch\): such triggers start by admin "
        "requests alone"
    )


def test_output_bindings_are_shown(v2: HostProcess) -> None:
    """What a function sends to an output is shown, as nothing else would tell."""
    v2.fetch("/admin/functions/queue", "POST", '{"input": ""}')

    v2.wait_for(r"output 'out' \(queue\) goes nowhere here: string: \"bill\"")


@pytest.mark.parametrize(
    ("name", "body", "status", "message"),
    [
        ("nope", "{}", 404, "there is no function 'nope'"),
        ("queue", "{nope", 400, "in JSON"),
        ("queue", "[]", 400, "it is list"),
        ("echo", "{}", 400, "call its URL"),
    ],
)
def test_wrong_admin_requests(
    v2: HostProcess, name: str, body: str, status: int, message: str
) -> None:
    """A wrong admin request is answered with what is wrong."""
    answer = v2.fetch(f"/admin/functions/{name}", "POST", body)

    assert answer[0] == status
    assert message in answer[2]


def test_admin_listing(v2: HostProcess) -> None:
    """The functions are listed with their bindings, and the status tells that the host runs."""
    functions = json.loads(v2.fetch("/admin/functions")[2])
    queue = next(f for f in functions if f["name"] == "queue")

    assert queue["href"] == f"http://{v2.netloc}/admin/functions/queue"
    assert {"queueTrigger", "queue"} <= {b["type"] for b in queue["config"]["bindings"]}
    assert json.loads(v2.fetch("/admin/host/status")[2])["state"] == "Running"


def test_v1_http(v1: HostProcess) -> None:
    """A v1 function answers under its route, without a prefix, and imports its neighbours."""
    assert v1.fetch("/hello/tea")[::2] == (200, "good morning, tea")
    assert v1.fetch("/hello/tea", "POST")[0] == 404
    v1.wait_for(r"^        hello: \[GET\] http://localhost:\d+/hello/{name}$")


def test_v1_queue(v1: HostProcess) -> None:
    """A v1 function may have a script and an entry point of its own choice."""
    assert v1.fetch("/admin/functions/jobs", "POST", '{"input": "x1"}')[0] == 202

    v1.wait_for("got x1")
    v1.wait_for(r"output 'response' \(queue\)")


def test_v1_output_binding(v1: HostProcess) -> None:
    """A response set through an output binding is answered; the default route is the name."""
    assert v1.fetch("/legacy")[::2] == (418, "I am a teapot")


def test_no_response_is_204(v1: HostProcess) -> None:
    """A function without a response is answered 204."""
    assert v1.fetch("/silent")[::2] == (204, "")
