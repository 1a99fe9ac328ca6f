"""Orchestrations and entities run on the local host, by the SDK's own client and executor."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.patience import PATIENCE_S
from tests.serving import serving_http

from funcscope.telemetry.integration import SCOPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.contrib.host.conftest import HostProcess

    from funcscope.contrib.host import OtlpReceiver, TelemetryStore

pytest.importorskip("azure.durable_functions")

pytestmark = [
    pytest.mark.library_worker,
    pytest.mark.skipif(os.name != "posix", reason="stops hosts by POSIX signals"),
]


class Hub:
    """A host that runs the app, and its HTTP API."""

    def __init__(self, host: HostProcess) -> None:
        self.host = host

    def start(self, name: str, given: object = None, **query: str) -> str:
        """Start an orchestration by the app's own starter, and return its id."""
        parameters = "&".join(f"{key}={value}" for key, value in query.items())
        status, headers, body = self.host.fetch(
            f"/api/start/{name}?{parameters}", "POST", json.dumps(given)
        )
        assert status == 202, body
        links = json.loads(body)
        assert headers["location"] == links["statusQueryGetUri"]
        return str(links["id"])

    def status(self, instance: str, query: str = "") -> tuple[int, dict[str, Any]]:
        """Ask for an instance's state."""
        path = f"/runtime/webhooks/durabletask/instances/{instance}{query}"
        status, _, body = self.host.fetch(path)
        return status, json.loads(body) if body else {}

    def wait(self, instance: str) -> dict[str, Any]:
        """Wait until an instance has ended."""
        pause = threading.Event()
        for _ in range(int(PATIENCE_S / 0.05)):
            status, found = self.status(instance)
            if status != 202:
                return found
            pause.wait(0.05)
        raise AssertionError(f"{found} did not end:\n{self.host.output}")

    def run(self, name: str, given: object = None) -> Any:
        """Run an orchestration to its end, and return what it returns."""
        found = self.wait(self.start(name, given))
        assert found["runtimeStatus"] == "Completed", found
        return found["output"]

    def ask(self, what: str, instance: str) -> str:
        """Have the app ask its client for something."""
        status, _, body = self.host.fetch(f"/api/ask/{what}/{instance}")
        assert status == 200, body
        return body


@pytest.fixture(scope="module")
def hub(run_host: Callable[..., HostProcess]) -> Hub:
    """Run the app for all tests of this file."""
    return Hub(run_host("host_durable"))


def test_chain(hub: Hub) -> None:
    """Activities run one after the other, and the status tells what came of them."""
    instance = hub.start("chain", id="chain-1")

    found = hub.wait(instance)

    assert instance == "chain-1"
    assert found["runtimeStatus"] == "Completed"
    assert found["output"] == ["Hello, Tokyo!", "Hello, Seattle!"]
    assert found["customStatus"] == "greeted"


def test_fan_out(hub: Hub) -> None:
    """Activities that are waited for together all run."""
    assert hub.run("fan", ["a", "b", "c"]) == ["Hello, a!", "Hello, b!", "Hello, c!"]


def test_event_before_its_timer(hub: Hub) -> None:
    """An event from outside ends a wait, and the timer is cancelled."""
    instance = hub.start("approval", 3600)

    hub.ask("raise", instance)

    assert hub.wait(instance)["output"] == "approved: True"


def test_timer_before_its_event(hub: Hub) -> None:
    """A timer fires at its time."""
    assert hub.run("approval", 0.2) == "too late"


def test_children(hub: Hub) -> None:
    """Sub-orchestrations run, several at once, and return to their parent."""
    assert hub.run("parent") == [
        ["Hello, Tokyo!", "Hello, Seattle!"],
        [["Hello, London!"], ["Hello, Paris!"]],
    ]


def test_failure(hub: Hub) -> None:
    """An activity's exception fails an orchestration without a `try`, as the console says."""
    instance = hub.start("fails")

    found = hub.wait(instance)

    assert found["runtimeStatus"] == "Failed"
    assert "there is no such city" in found["output"]
    hub.host.wait_for(rf"orchestration 'fails' \({instance}\) failed: .*no such city")


def test_caught_failure(hub: Hub) -> None:
    """An orchestrator may catch it."""
    assert hub.run("catches") == "no such city"


def test_retries(hub: Hub) -> None:
    """An activity with retries is tried again, as often as its options say."""
    assert hub.run("retries", {"key": "a", "failures": 2}) == 3

    found = hub.wait(hub.start("retries", {"key": "b", "failures": 3}))

    assert found["runtimeStatus"] == "Failed"
    assert "attempt 3" in found["output"]


@pytest.mark.parametrize("failures", [(0, 0), (1, 2), (3, 1)])
def test_retries_beside_others(hub: Hub, failures: tuple[int, int]) -> None:
    """Attempts of several activities, and other tasks among them, are told apart."""
    given = [{"key": f"{failures}-{n}", "failures": count} for n, count in enumerate(failures)]

    counts = hub.run("several_retries", given)

    assert counts == [failures[0] + 1, failures[1] + 1, "Hello, Oslo!", "Hello, Lima!"]


def test_continues_as_new(hub: Hub) -> None:
    """An orchestration that continues as new begins again with its new input."""
    assert hub.run("again", 1) == "3 rounds"


def test_entities(hub: Hub) -> None:
    """Operations of an entity run in order; one that raises is its caller's exception."""
    value, error = hub.run("counts", "one")

    assert value == 7
    assert "broken" in error
    assert json.loads(hub.ask("entity", "one")) == [True, 7]


def test_failed_signal(hub: Hub) -> None:
    """A signalled operation that raises is named on the console, as nobody gets its exception."""
    hub.ask("break", "three")

    hub.host.wait_for(r"operation 'break' of entity '@counter@three' failed: .*broken")


def test_signalled_entity(hub: Hub) -> None:
    """A client's signals reach an entity, and one that nobody has signalled does not exist."""
    for _ in range(2):
        hub.ask("signal", "two")
    hub.run("counts", "other")  # by then the signals have been performed: a read is not ordered

    assert json.loads(hub.ask("entity", "two")) == [True, 10]
    assert json.loads(hub.ask("entity", "nobody"))[0] is False


def test_suspend_and_resume(hub: Hub) -> None:
    """A suspended orchestration is told nothing until it is resumed."""
    instance = hub.start("approval", 3600)
    hub.ask("suspend", instance)
    hub.ask("raise", instance)

    assert json.loads(hub.ask("status", instance))["runtimeStatus"] == "Suspended"
    hub.ask("resume", instance)
    assert hub.wait(instance)["output"] == "approved: True"


def test_terminate_and_purge(hub: Hub) -> None:
    """A terminated orchestration has ended, and is forgotten when it is purged."""
    instance = hub.start("approval", 3600)

    hub.ask("terminate", instance)

    found = hub.wait(instance)
    assert (found["runtimeStatus"], found["output"]) == ("Terminated", "no longer wanted")
    assert hub.ask("purge", instance) == "1"
    assert hub.status(instance)[0] == 404


def test_no_such_orchestrator(hub: Hub) -> None:
    """Starting what is not there fails the starter with the names that there are."""
    status, _, body = hub.host.fetch("/api/start/nobody", "POST", "null")

    assert status == 500
    assert "there is no orchestrator 'nobody'; there are: again, approval, catches" in body


def test_instances_are_listed(hub: Hub) -> None:
    """All instances are told, or those in some states; their history if it is asked for."""
    instance = hub.start("chain")
    hub.wait(instance)

    status, _, body = hub.host.fetch(
        "/runtime/webhooks/durabletask/instances?runtimeStatus=Completed"
    )
    _, found = hub.status(instance, "?showHistory=true")

    assert status == 200
    assert instance in [item["instanceId"] for item in json.loads(body)]
    assert {item["runtimeStatus"] for item in json.loads(body)} == {"Completed"}
    kinds = [event["EventType"] for event in found["historyEvents"]]
    assert kinds[:2] == [12, 0]
    assert kinds.count(5) == 2


@pytest.fixture
def address() -> Iterator[str]:
    """Serve a text."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(418)
            self.end_headers()
            self.wfile.write(b"tea")

        def log_message(self, *args: object) -> None:
            pass

    with serving_http(Handler) as served:
        yield served


def test_http_request(hub: Hub, address: str) -> None:
    """An orchestrator's HTTP request is sent, and its answer is the task's result."""
    assert hub.run("fetches", address) == [418, "tea"]
    assert hub.wait(hub.start("fetches", "ftp://x/"))["runtimeStatus"] == "Failed"


def test_one_trace(
    run_host: Callable[..., HostProcess], receiver: OtlpReceiver, store: TelemetryStore
) -> None:
    """An orchestration's activities are in its starter's trace, replays tell nothing twice."""
    host = run_host("host_durable", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
    hub = Hub(host)

    hub.wait(hub.start("chain"))
    assert host.stop() == 0

    own = [span for span in store.spans if span.scope == SCOPE]
    spans = {span.attributes["faas.name"]: span for span in own}
    greeted = [span for span in own if span.attributes["faas.name"] == "greet"]
    assert spans.keys() == {"start", "greet"}
    assert len(greeted) == 2
    assert {span.trace_id for span in greeted} == {spans["start"].trace_id}
    bodies = [str(log.body) for log in store.logs]
    assert bodies.count("chaining") == 1
    assert bodies.count("greeting Tokyo") == 1


def test_host_stops_with_orchestrations(run_host: Callable[..., HostProcess]) -> None:
    """A host that is stopped ends orchestrations that wait, and says how many were lost."""
    host = run_host("host_durable")
    Hub(host).start("approval", 3600)

    assert host.stop() == 0

    assert re.search("1 orchestrations had not ended, and are gone with this host", host.output)
    assert "kept in memory" in host.output


def test_what_an_orchestration_runs_is_finished(
    run_host: Callable[..., HostProcess], tmp_path: Path
) -> None:
    """A stop waits for an activity that runs, though its orchestration is gone."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    host = run_host("host_durable")
    Hub(host).start("gated", str(gate))
    host.wait_for("at the gate")

    host.send(signal.SIGTERM)
    host.wait_for("stopping: finishing what is in flight")
    gate.write_text("open", "utf-8")

    assert host.wait() == 0
    assert re.search(r"Executed 'Functions.pass_gate' \(Succeeded", host.output)
    assert "cancelled" not in host.output


def test_an_id_that_is_in_use(hub: Hub) -> None:
    """An instance that runs is not replaced by one with its id, which fails; an ended one is."""
    instance = hub.start("approval", 3600, id="once")

    status, _, body = hub.host.fetch("/api/start/approval?id=once", "POST", "3600")

    assert status == 500
    assert "An Orchestration instance with the status Running already exists" in body
    hub.ask("raise", instance)
    assert hub.wait(instance)["output"] == "approved: True"
    assert hub.start("chain", id="once") == "once"
    assert hub.wait("once")["output"] == ["Hello, Tokyo!", "Hello, Seattle!"]


def test_an_id_that_is_taken_over(run_host: Callable[..., HostProcess]) -> None:
    """By `overridableExistingInstanceStates` of host.json, an instance that runs gives way."""
    setting = "AzureFunctionsJobHost__extensions__durableTask__overridableExistingInstanceStates"
    hub = Hub(run_host("host_durable", **{setting: "AnyState"}))
    hub.start("approval", 3600, id="twice")

    hub.start("chain", id="twice")

    assert hub.wait("twice")["output"] == ["Hello, Tokyo!", "Hello, Seattle!"]
    assert hub.host.stop() == 0
    assert "had not ended" not in hub.host.output


def test_links_are_the_hosts_own(hub: Hub) -> None:
    """The links that a starter answers with lead to this host, and work as they stand."""
    _, _, body = hub.host.fetch("/api/start/approval", "POST", "3600")
    links = json.loads(body)

    event = urlsplit(links["sendEventPostUri"].replace("{eventName}", "approval"))
    status, _, _ = hub.host.fetch(event.path, "POST", "true")

    assert urlsplit(links["statusQueryGetUri"]).netloc == hub.host.netloc
    assert status == 202
    assert hub.wait(links["id"])["output"] == "approved: True"
