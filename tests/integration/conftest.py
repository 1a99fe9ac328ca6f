"""Apps on real library workers, with a real OTLP receiver."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from tests.integration.forking import Forks
from tests.integration.ingestion import Ingestion
from tests.integration.running import RunningApp, Storage
from tests.patience import PROCESS_S

from funcscope.contrib.host import (
    OtlpReceiver,
    ReceivedLog,
    ReceivedPoint,
    ReceivedSpan,
    TelemetryStore,
)

if TYPE_CHECKING:
    from tests.azurite import Azurite

# It runs in an environment that has Durable Functions 2.
collect_ignore = [] if importlib.util.find_spec("durabletask") else ["durable_backend.py"]

HERE = Path(__file__).parent
APPS = HERE.parent / "apps"

Call = dict[str, Any]  # JSON


class Host(NamedTuple):
    """The trace context that a host sends."""

    trace_id: str
    span_id: str


@dataclass(frozen=True)
class Run:
    """
    What came of the calls of one app.

    Attributes:
        host_stream: Each message that the worker would send to the host, with the invocation
            that it would send it for; only of a run with `host_stream=True`.
        opentelemetry: The modules of OpenTelemetry, and of protobuf, that the app has loaded.
        played: What came of each orchestration of a run with `orchestrations=[…]`.
        answers: Each message with a response, in hex; only of a run with `baggage="…"`, fields that
            the message of a host's trace context gets, in hex.
    """

    calls: list[Call]
    outcomes: list[dict[str, Any]]
    functions: list[str]
    leaks: list[str]
    stderr: str
    spans: tuple[ReceivedSpan, ...]
    logs: tuple[ReceivedLog, ...]
    metrics: frozenset[str]
    points: tuple[ReceivedPoint, ...] = ()
    host_stream: list[tuple[str, str | None]] = field(default_factory=list)
    opentelemetry: list[str] = field(default_factory=list)
    played: list[dict[str, Any]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    stdout: str = ""

    def span(self, index: int = 0) -> ReceivedSpan:
        """Return the span of one call's invocation: there is exactly one."""
        wanted = self.calls[index]["id"]
        (span,) = (s for s in self.spans if s.attributes.get("InvocationId") == wanted)
        return span

    def messages(self, index: int = 0) -> list[ReceivedLog]:
        """Return the log records of one call's invocation."""
        wanted = self.calls[index]["id"]
        return [log for log in self.logs if log.attributes.get("InvocationId") == wanted]


Runner = Callable[..., Run]
Caller = Callable[..., Call]


@pytest.fixture
def host() -> Host:
    """Stand for the host's own span, the parent of every invocation's."""
    return Host("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")


@pytest.fixture
def call(host: Host) -> Caller:
    """Make a call of a function as the host does: `call("hello", url="https://…")`."""

    def make(function: str, **more: Any) -> Call:
        return {
            "function": function,
            "id": str(uuid.uuid4()),
            "trace_parent": f"00-{host.trace_id}-{host.span_id}-01",
            **(
                {}
                if {"input", "event"} & more.keys()
                else {"url": f"https://app.net/api/{function}"}
            ),
            **more,
        }

    return make


LIBRARY = [pytest.param(p, marks=pytest.mark.library_worker)
           for p in ("protobuf", "native", "native_sync")]  # fmt: skip


@pytest.fixture(params=[*LIBRARY, "classic"])
def path(request: pytest.FixtureRequest) -> str:
    """Name each dispatch path of the library workers, and the classic worker's, in turn."""
    return str(request.param)


@pytest.fixture
def receiver() -> Iterator[tuple[OtlpReceiver, TelemetryStore]]:
    """Receive OTLP on loopback."""
    store = TelemetryStore()
    with OtlpReceiver(store.add) as receiver:
        yield receiver, store


@pytest.fixture
def ingestion() -> Iterator[Ingestion]:
    """Take Azure Monitor's telemetry on loopback."""
    with Ingestion() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.answers.set()
        server.shutdown()


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Fork processes for apps."""
    forks = Forks({**os.environ, "PYTHONWARNINGS": "error"})
    yield forks
    forks.close()


@pytest.fixture
def run(receiver: tuple[OtlpReceiver, TelemetryStore], tmp_path: Path, forks: Forks) -> Runner:
    """
    Run an app in a process of its own: `run("v2", [call("hello")], path="native")`.

    Everything that the app exports goes to the receiver. The calls are made one after another,
    or all at once with `concurrent=True`; those of `afterwards` follow one by one. What stands in
    `prefix` starts the process, and is left in it with `keeps_opentelemetry=True`.
    """
    otlp, store = receiver

    def drive(app: str | Path, calls: list[Call], *, path: str, **options: Any) -> Run:
        environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "FUNCSCOPE_"))},
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.endpoint,
            "PYTHONWARNINGS": "error",
            **options.pop("env", {}),
        }
        command = [*options.pop("prefix", []), options.pop("python", sys.executable)]
        is_forked = command == [sys.executable] and forks.serves(environ)
        result = tmp_path / "result.json"
        job = {
            "app": str(APPS / app),
            "path": path,
            "calls": calls,
            "concurrent": options.pop("concurrent", False),
            "result": str(result),
            **options,
        }
        if is_forked:
            done = forks.run(HERE / "driver.py", json.dumps(job), environ, tmp_path, PROCESS_S)
        else:
            done = subprocess.run(
                [*command, str(HERE / "driver.py")],
                input=json.dumps(job),
                env=environ,
                capture_output=True,
                text=True,
                timeout=PROCESS_S,
                check=False,
            )
        assert done.returncode == 0, done.stderr
        return Run(
            calls=[*calls, *job.get("afterwards", [])],
            **json.loads(result.read_text()),
            stdout=done.stdout,
            stderr=done.stderr,
            spans=store.spans,
            # Those that tell of errors may arrive first.
            logs=tuple(sorted(store.logs, key=lambda log: log.time_ns)),
            metrics=frozenset(metric.name for metric in store.metrics),
            points=tuple(point for metric in store.metrics for point in metric.points),
        )

    return drive


@pytest.fixture
def run_app() -> Iterator[Callable[..., RunningApp]]:
    """Run apps by `funcscope run`: `run_app(folder, "--python", "x", SETTING="y")`."""
    apps: list[RunningApp] = []

    def run(directory: Path, *arguments: str, **environment: str) -> RunningApp:
        apps.append(RunningApp(directory, *arguments, **environment))
        return apps[-1]

    yield run
    for app in apps:
        app.stop()


@pytest.fixture
def storage(azurite: Azurite) -> Storage:
    """Make an empty account."""
    return Storage(azurite.new_account())


@pytest.fixture
def classic(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import the stand-in for the classic worker's extension module, in this process."""
    monkeypatch.syspath_prepend(str(HERE.parent / "classic"))
    importlib.import_module("azure_functions_worker.dispatcher")
    return importlib.import_module("azure_functions_worker.extension")
