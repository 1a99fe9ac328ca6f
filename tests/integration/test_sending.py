"""What was recorded arrives: real workers in processes that are killed, receivers with faults."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from scripts.snippets import text_of
from tests.integration.faults import (
    FaultyReceiver,
    accept,
    answering,
    at_first,
    dying_at,
    garble,
    hang,
    keys,
    reset,
)
from tests.patience import PATIENCE_S
from tests.sdk_versions import OWN_SPANS, since

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.faults import Behaviour, Exchange
    from tests.integration.ingestion import Ingestion

    Starter = Callable[..., "Worker"]

HERE = Path(__file__).parent
APP = HERE.parent / "apps" / "v2_sending"
MANY = 2_000
NEVER_BY_ITSELF = {  # milliseconds: what arrives was not sent because an interval was over
    "OTEL_BSP_SCHEDULE_DELAY": "600000",
    "OTEL_BLRP_SCHEDULE_DELAY": "600000",
    "OTEL_METRIC_EXPORT_INTERVAL": "600000",
}
PARTIAL = b"\x0a\x0e\x08\x02\x12\x0atoo strange"[:-1]  # rejected: 2, message: "too strang"
KEPT = "are kept, for"
AGAIN = "again; meanwhile"


class Worker:
    """A worker in a process of its own: what it is told, what it says, and how it ends."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[dict[str, Any]] = []
        self.lines: list[str] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(stream, keep), daemon=True)
            for stream, keep in (
                (process.stdout, lambda line: self.said.append(json.loads(line))),
                (process.stderr, self.lines.append),
            )
        ]
        for reader in self._readers:
            reader.start()

    @property
    def stderr(self) -> str:
        """All that it has logged."""
        return "".join(self.lines)

    def order(self, do: str, **more: Any) -> int:
        """Have something done, and return what its answer will be known by."""
        number = next(self._numbers)
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, "of": number, **more}) + "\n")
        self.process.stdin.flush()
        return number

    def answer(self, number: int) -> dict[str, Any]:
        """Wait for the answer to an order."""
        self.wait_for(lambda: any(said.get("of") == number for said in self.said))
        return next(said for said in self.said if said.get("of") == number)

    def begin(self, *functions: str, number: int = 1, at_a_time: int = 16, of: str = "c") -> int:
        """Have functions called in turn, with the ids `{of}-0`, `{of}-1` …, and do not wait."""
        return self.order(
            "call", functions=functions, number=number, at_a_time=at_a_time, prefix=of
        )

    def call(self, *functions: str, **more: Any) -> dict[str, Any]:
        """Do the same, and wait for the outcomes."""
        return self.answer(self.begin(*functions, **more))

    def report(self) -> dict[str, dict[str, Any]]:
        """Return what `status()` tells of delivery."""
        told = self.answer(self.order("report"))
        return {signal: counts for signal, counts in told.items() if signal != "of"}

    def report_when(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask until what is told of spans and log records is so."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            told = self.report()
            if all(condition(counts) for counts in (told["traces"], told["logs"])):
                return told
            assert time.monotonic() < deadline, told

    def line(self, part: str, number: int = 1) -> None:
        """Wait until so many lines of the log have this in them."""
        self.wait_for(lambda: self.count(part) >= number)

    def count(self, part: str) -> int:
        """Count the lines of the log that have this in them."""
        return sum(part in line for line in self.lines)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for the process to end, and return how it did."""
        status = self.process.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join(PATIENCE_S)
        return status

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end."""
        self.kill(number)
        return self.end()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until it has said what it is to say."""
        with self._changed:
            is_said = self._changed.wait_for(condition, PATIENCE_S)
        assert is_said, f"{self.said[-3:]}\n{self.stderr}"

    def _read(self, stream: Any, keep: Callable[[str], object]) -> None:
        for line in stream:
            with self._changed:
                keep(line)
                self._changed.notify_all()
        stream.close()


@pytest.fixture
def receiver() -> Iterator[FaultyReceiver]:
    """Give a receiver that does not listen yet."""
    faulty = FaultyReceiver()
    yield faulty
    faulty.stop()


@contextlib.contextmanager
def starting(**defaults: str) -> Iterator[Starter]:
    """Start workers, with app settings, and end them."""
    workers: list[Worker] = []

    def make(path: str = "protobuf", **settings: object) -> Worker:
        environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "FUNCSCOPE_"))},
            "PYTHONWARNINGS": "error",
            "OTEL_METRICS_EXPORTER": "none",
            **defaults,
            **{name: str(value) for name, value in settings.items()},
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.sending", str(APP), path],
            cwd=HERE.parents[1],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        worker = Worker(process)
        workers.append(worker)
        return worker

    yield make
    for worker in workers:
        if worker.process.poll() is None:
            worker.process.kill()
        worker.end()
        assert worker.process.stdin is not None
        worker.process.stdin.close()


@pytest.fixture
def start(receiver: FaultyReceiver) -> Iterator[Starter]:
    """Start workers: `start(FUNCSCOPE_FLUSH="interval")`, with app settings."""
    budget_ms = "60000"  # on a busy machine, a little takes long, too
    with starting(
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint, FUNCSCOPE_SHUTDOWN_BUDGET_MS=budget_ms
    ) as start:
        yield start


@pytest.fixture(params=[pytest.param("protobuf", marks=pytest.mark.library_worker), "classic"])
def path(request: pytest.FixtureRequest) -> str:
    """Name one dispatch path of the library worker, and the classic worker's, in turn."""
    return str(request.param)


def invocations(receiver: FaultyReceiver) -> set[object]:
    """Return the invocations of which both the span and a log record arrived."""
    name = "faas.invocation_id"
    spans, logs = receiver.store.spans, receiver.store.logs
    return {s.attributes.get(name) for s in spans} & {log.attributes.get(name) for log in logs}


def ids(number: int, of: str = "c") -> set[str]:
    """Return the ids of so many calls."""
    return {f"{of}-{n}" for n in range(number)}


def wait_for(receiver: FaultyReceiver, expected: set[str], timeout_s: float = PATIENCE_S) -> None:
    """Wait until the span and log record of these invocations have arrived."""
    receiver.store.wait_for(
        lambda _: expected <= invocations(receiver) or None, timeout_s=timeout_s
    )


def bodies(receiver: FaultyReceiver) -> list[object]:
    """Return what the log records say."""
    return [log.body for log in receiver.store.logs]


def to_azure_monitor(ingestion: Ingestion, folder: Path) -> dict[str, str]:
    """Send spans and log records there alone; the exporter keeps files in the folder."""
    return {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": ingestion.connection_string,
        "OTEL_TRACES_EXPORTER": "azuremonitor",
        "OTEL_LOGS_EXPORTER": "azuremonitor",
        "TMPDIR": str(folder),
    }


def of_azure_monitor(ingestion: Ingestion, invocation: str) -> list[str]:
    """Return what has arrived there of an invocation: names of spans, and log records."""
    found = [e["data"]["baseData"] for e in ingestion.envelopes]
    said = [one for one in found if one["properties"].get("InvocationId") == invocation]
    return sorted(str(one.get("name") or one.get("message")) for one in said)


# When things are sent


def test_idle_app_has_sent_everything(start: Starter, receiver: FaultyReceiver, path: str) -> None:
    """What invocations recorded arrives while the worker idles: a SIGKILL then costs nothing."""
    receiver.listen()
    worker = start(path, **NEVER_BY_ITSELF)
    for part in ("one", "two"):
        worker.call("hello", "later", number=20, of=part)
        wait_for(receiver, ids(20, part))

    assert worker.stop(signal.SIGKILL) == -signal.SIGKILL
    assert keys(receiver.store.spans).total() == keys(receiver.store.logs).total() == 40


@pytest.mark.library_worker
def test_idle_app_has_measured(start: Starter, receiver: FaultyReceiver) -> None:
    """Metrics arrive while the worker idles, without waiting for their interval."""
    receiver.listen()
    worker = start(**NEVER_BY_ITSELF, OTEL_METRICS_EXPORTER="otlp")
    worker.call("hello")
    receiver.store.wait_for(
        lambda store: any(metric.name == "faas.invocations" for metric in store.metrics),
        timeout_s=PATIENCE_S,
    )


@pytest.mark.library_worker
def test_interval_sends_by_age(start: Starter, receiver: FaultyReceiver) -> None:
    """With `interval` an idle app sends what is old enough, and the rest at its end."""
    receiver.listen()
    settings = {**NEVER_BY_ITSELF, "OTEL_BLRP_SCHEDULE_DELAY": "50"}
    worker = start(FUNCSCOPE_FLUSH="interval", **settings)
    worker.call("hello")
    receiver.store.wait_for(lambda store: store.logs, timeout_s=PATIENCE_S)
    assert not receiver.store.spans

    assert worker.stop() == -signal.SIGTERM
    assert invocations(receiver) == ids(1)


@pytest.mark.parametrize("name", ["hello", "later"])
def test_invocation_waits_for_its_telemetry(
    start: Starter, receiver: FaultyReceiver, path: str, name: str
) -> None:
    """With `invocation`, span and log record have been received when the outcome comes back."""
    receiver.listen()
    settings = {**NEVER_BY_ITSELF, "FUNCSCOPE_FLUSH_BUDGET_MS": "60000"}
    worker = start(path, FUNCSCOPE_FLUSH="invocation", **settings)
    for number in range(3):
        assert worker.call(name, of=f"call {number}")["ok"] == 1
        assert f"call {number}-0" in invocations(receiver)


@pytest.mark.library_worker
@pytest.mark.parametrize("name", ["hello", "later"])
def test_collector_that_hangs_costs_an_invocation_its_budget(
    start: Starter, receiver: FaultyReceiver, name: str
) -> None:
    """With `invocation` and a collector that hangs, the outcome comes after the budget."""
    receiver.listen()
    receiver.behaviour = hang
    settings = {"FUNCSCOPE_FLUSH_BUDGET_MS": "400", "OTEL_EXPORTER_OTLP_TIMEOUT": "600"}
    worker = start(FUNCSCOPE_FLUSH="invocation", **settings)
    began = worker.begin(name)
    receiver.wait_for_requests(1)
    taken = time.monotonic()

    assert worker.answer(began)["ok"] == 1
    assert time.monotonic() - taken < PATIENCE_S


@pytest.mark.library_worker
def test_flush_leaves_the_event_loop_alone(start: Starter, receiver: FaultyReceiver) -> None:
    """While an async function's invocation waits for the collector, another one runs."""
    receiver.listen()
    receiver.behaviour = hang
    settings = {"FUNCSCOPE_FLUSH_BUDGET_MS": "60000", "OTEL_EXPORTER_OTLP_TIMEOUT": "600"}
    worker = start(FUNCSCOPE_FLUSH="invocation", **settings)
    first = worker.begin("later")
    receiver.wait_for_requests(1)
    second = worker.begin("says", of="second")
    worker.wait_for(lambda: bool(worker.said))
    receiver.stop()
    worker.answer(first)
    worker.answer(second)
    order = [said.get("of", "it ran") for said in worker.said]

    assert sorted(order[1:]) == [first, second]
    assert order[0] == "it ran"


@pytest.mark.parametrize("name", ["hello", "later"])
def test_invocation_waits_for_azure_monitor(
    start: Starter, ingestion: Ingestion, tmp_path: Path, path: str, name: str
) -> None:
    """With `invocation`, Azure Monitor has span and log record when the outcome comes back."""
    settings = {**NEVER_BY_ITSELF, **to_azure_monitor(ingestion, tmp_path)}
    worker = start(path, FUNCSCOPE_FLUSH="invocation", FUNCSCOPE_FLUSH_BUDGET_MS=60000, **settings)
    for number in range(3):
        assert worker.call(name, of=f"call {number}")["ok"] == 1
        assert of_azure_monitor(ingestion, f"call {number}-0") == [f"function {name}", name]


@pytest.mark.library_worker
def test_azure_monitor_that_hangs_costs_an_invocation_its_budget(
    start: Starter, ingestion: Ingestion, tmp_path: Path
) -> None:
    """With `invocation` and an Azure Monitor that hangs, outcomes come after the budget."""
    ingestion.answers.clear()
    settings = to_azure_monitor(ingestion, tmp_path)
    worker = start(FUNCSCOPE_FLUSH="invocation", FUNCSCOPE_FLUSH_BUDGET_MS=200, **settings)

    assert worker.call("hello", "later", number=100)["ok"] == 100


# How a worker ends


@pytest.mark.library_worker
def test_last_try_at_the_end(start: Starter, receiver: FaultyReceiver) -> None:
    """A collector that failed once is tried once more before the process ends."""
    receiver.listen()
    receiver.behaviour = at_first(reset)
    worker = start()
    worker.call("hello", "later", number=20)
    receiver.wait_for(lambda requests: {"/v1/traces", "/v1/logs"} <= {r.path for r in requests})
    worker.stop()  # both were reset, and from now on it works

    assert invocations(receiver) == ids(20)


@since(42, OWN_SPANS)
@pytest.mark.parametrize("name", ["stops", "stops_later"])
def test_sigterm_in_an_invocation(
    start: Starter, receiver: FaultyReceiver, path: str, name: str
) -> None:
    """What was recorded before a SIGTERM arrives, with what has not ended, and it dies of it."""
    receiver.listen()
    worker = start(path, FUNCSCOPE_FLUSH="interval", **NEVER_BY_ITSELF)
    worker.call("hello", "later", number=20)
    worker.begin(name, of="stopped")

    assert worker.end() == -signal.SIGTERM
    assert invocations(receiver) == ids(20) | {"stopped-0"}
    assert bodies(receiver).count("stopping") == 1
    assert "telemetry" not in worker.stderr.replace("funcscope.telemetry", "")


@pytest.mark.library_worker
def test_sigterm_under_load(start: Starter, receiver: FaultyReceiver) -> None:
    """Of invocations that had ended when a SIGTERM came, nothing is missing."""
    receiver.listen()
    worker = start()
    worker.begin("hello", "later", number=100_000)
    receiver.store.wait_for(lambda store: len(store.spans) > 500, timeout_s=PATIENCE_S)
    status = worker.stop()
    spans = {span.attributes["faas.invocation_id"] for span in receiver.store.spans}
    numbers = sorted(int(str(found).removeprefix("c-")) for found in spans)

    assert status == -signal.SIGTERM
    assert len(numbers) > numbers[-1] - 16  # but for those in flight


@pytest.mark.library_worker
def test_handler_of_the_app_runs_after_that(start: Starter, receiver: FaultyReceiver) -> None:
    """A SIGTERM handler that the app had set runs, and decides how the process ends."""
    receiver.listen()
    worker = start(FUNCSCOPE_FLUSH="interval", APP_HANDLES_SIGTERM=1, **NEVER_BY_ITSELF)
    worker.call("hello", number=5)

    assert worker.stop() == 3
    assert worker.count("the app handles SIGTERM") == 1
    assert invocations(receiver) == ids(5)


@pytest.mark.library_worker
def test_exit_sends_the_rest(start: Starter, receiver: FaultyReceiver) -> None:
    """A process that ends by itself sends what it has before."""
    receiver.listen()
    worker = start(FUNCSCOPE_FLUSH="interval", **NEVER_BY_ITSELF)
    worker.call("hello", number=5)
    assert worker.process.stdin is not None
    worker.process.stdin.close()

    assert worker.end() == 0
    assert invocations(receiver) == ids(5)


@pytest.mark.library_worker
def test_collector_that_hangs_holds_no_worker_up(start: Starter, receiver: FaultyReceiver) -> None:
    """A SIGTERM ends the process within the budget, and the log says what was not sent."""
    receiver.listen()
    receiver.behaviour = hang
    settings = {"FUNCSCOPE_SHUTDOWN_BUDGET_MS": "500", "OTEL_EXPORTER_OTLP_TIMEOUT": "600"}
    worker = start(**settings)
    worker.call("hello", number=5)
    receiver.wait_for_requests(1)
    told = time.monotonic()

    assert worker.stop() == -signal.SIGTERM
    assert time.monotonic() - told < PATIENCE_S
    (told,) = re.findall("^telemetry not sent in time.*", text_of("docs/how-to/sending.md"), re.M)
    assert told == "telemetry not sent in time: 5 log records, 5 spans"
    assert worker.count(told) == 1


@pytest.mark.library_worker
def test_azure_monitor_beside_a_collector_that_hangs(
    start: Starter, receiver: FaultyReceiver, ingestion: Ingestion, tmp_path: Path
) -> None:
    """Azure Monitor gets everything when the app is idle, whatever the collector does."""
    receiver.listen()
    receiver.behaviour = hang
    settings = {
        **NEVER_BY_ITSELF,
        "APPLICATIONINSIGHTS_CONNECTION_STRING": ingestion.connection_string,
        "OTEL_LOGS_EXPORTER": "otlp,azuremonitor",
        "OTEL_METRICS_EXPORTER": "otlp,azuremonitor",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "60",
        "TMPDIR": str(tmp_path),
    }
    worker = start(**settings)
    worker.call("hello", "later", number=2)
    receiver.wait_for_requests(1)

    for kind, number in (("RemoteDependencyData", 2), ("MessageData", 2), ("MetricData", 3)):
        assert ingestion.wait_for(kind, number, timeout_s=PATIENCE_S), worker.stderr


@pytest.mark.library_worker
def test_second_sigterm_does_not_wait(start: Starter, receiver: FaultyReceiver) -> None:
    """While what is left is being sent, another SIGTERM ends the process at once."""
    receiver.listen()
    receiver.behaviour = hang
    settings = {
        **NEVER_BY_ITSELF,
        "FUNCSCOPE_SHUTDOWN_BUDGET_MS": "60000",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "600",
    }
    worker = start(FUNCSCOPE_FLUSH="interval", **settings)
    worker.call("hello")
    worker.kill(signal.SIGTERM)
    receiver.wait_for_requests(1)
    again = time.monotonic()

    assert worker.stop() == -signal.SIGTERM
    assert time.monotonic() - again < PATIENCE_S / 2  # of a budget of as much as PATIENCE_S


# What collectors do


def until_given_up(worker: Worker, receiver: FaultyReceiver) -> None:
    """Wait until the worker has said that it leaves the collector alone."""
    worker.line(f"spans {KEPT}")
    worker.line(f"log records {KEPT}")


def until_tried_again(worker: Worker, receiver: FaultyReceiver) -> None:
    """Wait until the worker has tried each signal twice, or another one more often."""
    receiver.wait_for_requests(4)


@pytest.mark.library_worker
@pytest.mark.parametrize("has_spool", [True, False], ids=["spool", "memory"])
def test_collector_that_is_absent(
    start: Starter, receiver: FaultyReceiver, tmp_path: Path, has_spool: bool
) -> None:
    """Until a collector is there all is kept, on disk or in memory; the log has two lines."""
    spool = {"FUNCSCOPE_SPOOL_DIR": tmp_path / "spool"} if has_spool else {}
    worker = start(**spool)
    outcome = worker.call("hello", "later", number=MANY)
    until_given_up(worker, receiver)
    told = worker.report_when(lambda counts: counts["queued"] == MANY)
    receiver.listen()
    wait_for(receiver, ids(MANY))
    worker.report_when(lambda counts: counts["sent"] == MANY)
    worker.stop()

    assert outcome["ok"] == MANY
    assert receiver.doubled()[0].total() == 0
    kept_in, not_in = ("spooled", "waiting") if has_spool else ("waiting", "spooled")
    for signal_, items in (("traces", "spans"), ("logs", "log records")):
        assert (told[signal_][kept_in], told[signal_][not_in]) == (MANY, 0)
        assert worker.count(f"{items} {KEPT}") == worker.count(f"{items} are sent to") == 1
    assert worker.count(AGAIN) == 2
    assert "Traceback" not in worker.stderr


@pytest.mark.library_worker
@pytest.mark.parametrize(
    ("behaviour", "until", "timeout_s"),
    [
        (reset, until_tried_again, 60.0),
        (hang, until_tried_again, 1.0),
        (dying_at(700), until_given_up, 60.0),
    ],
    ids=["resets", "hangs", "dies"],
)
def test_collector_that_comes_back(
    start: Starter,
    receiver: FaultyReceiver,
    tmp_path: Path,
    behaviour: Behaviour,
    until: Callable[[Worker, FaultyReceiver], None],
    timeout_s: float,
) -> None:
    """Nothing is lost, and what comes twice are batches whose answer never came."""
    receiver.behaviour = behaviour
    receiver.listen()
    worker = start(FUNCSCOPE_SPOOL_DIR=tmp_path / "spool", OTEL_EXPORTER_OTLP_TIMEOUT=timeout_s)
    outcome = worker.call("hello", "later", number=MANY)
    until(worker, receiver)
    receiver.recover()
    wait_for(receiver, ids(MANY))
    told = worker.report_when(lambda counts: counts["sent"] == MANY)
    worker.stop()
    doubled, unanswered = receiver.doubled()

    assert outcome["ok"] == MANY
    assert doubled == unanswered
    assert bool(doubled) == (behaviour is not reset)
    for counts in (told["traces"], told["logs"]):
        assert counts["queued"] == MANY
        assert counts["dropped"] == {}
    assert worker.count(KEPT) == worker.count(AGAIN) <= 2
    assert "Traceback" not in worker.stderr
    assert "telemetry dropped" not in worker.stderr
    assert list(tmp_path.glob("spool/*")) == []


@pytest.mark.library_worker
@pytest.mark.parametrize("status", [429, 503])
def test_collector_that_asks_for_patience(
    start: Starter, receiver: FaultyReceiver, tmp_path: Path, status: int
) -> None:
    """After `Retry-After` everything is sent, and nothing before."""
    receiver.listen()
    receiver.behaviour = at_first(answering(status, retry_after="2"))
    worker = start(FUNCSCOPE_SPOOL_DIR=tmp_path / "spool")
    outcome = worker.call("hello", "later", number=MANY)
    wait_for(receiver, ids(MANY))
    told = worker.report_when(lambda counts: counts["sent"] == MANY)

    assert outcome["ok"] == MANY
    assert receiver.doubled()[0].total() == 0
    for path in ("/v1/traces", "/v1/logs"):
        first, second, *_ = (r.at for r in receiver.requests if r.path == path)
        assert second - first >= 2
    assert all(counts["retried"] > 0 for counts in (told["traces"], told["logs"]))


@pytest.mark.library_worker
@pytest.mark.parametrize(
    ("behaviour", "reason", "why"),
    [
        (answering(400, b"\x12\x0bnot my type"), "refused", "HTTP 400: not my type"),
        (garble, "refused", "the answer is not HTTP"),
    ],
    ids=["400", "garbage"],
)
def test_collector_that_refuses(
    start: Starter, receiver: FaultyReceiver, behaviour: Behaviour, reason: str, why: str
) -> None:
    """What will never be taken is dropped and counted, and the log tells why, once at the end."""
    receiver.listen()
    receiver.behaviour = behaviour
    # The app's handler exits: that are two ends, of which one line tells.
    worker = start(APP_HANDLES_SIGTERM=1, OTEL_METRICS_EXPORTER="otlp")
    outcome = worker.call("hello", "later", number=MANY)
    told = worker.report_when(lambda counts: counts["queued"] == MANY and not counts["waiting"])
    logged = worker.stderr
    worker.stop()
    (summary,) = (line for line in worker.lines if "telemetry dropped" in line)

    assert outcome["ok"] == MANY
    assert told["traces"]["dropped"] == told["logs"]["dropped"] == {reason: MANY}
    assert f"{MANY} log records ({reason}: {why}" in summary
    assert f"{MANY} spans ({reason}: {why}" in summary
    for items in ("spans", "log records"):
        assert logged.count(f"{items} were refused by") == 1
    assert "Traceback" not in logged


@pytest.mark.library_worker
def test_collector_that_takes_a_part(start: Starter, receiver: FaultyReceiver) -> None:
    """What a collector says it left out of a batch is counted, with what it says."""

    def take_a_part(exchange: Exchange) -> None:
        exchange.take()
        exchange.answer(200, PARTIAL)

    receiver.listen()
    receiver.behaviour = take_a_part
    worker = start()
    outcome = worker.call("hello", "later", number=MANY)
    told = worker.report_when(lambda counts: counts["queued"] == MANY and not counts["waiting"])
    worker.stop()
    (summary,) = (line for line in worker.lines if "telemetry dropped" in line)

    assert outcome["ok"] == MANY
    for signal_, counts in told.items():
        batches = (r.batch for r in receiver.requests if r.path == f"/v1/{signal_}")
        # It says two of each, and no more can be counted than there were.
        rejected = sum(min(2, len(batch.spans) + len(batch.logs)) for batch in batches)
        assert counts["dropped"] == {"partial": rejected}
        assert counts["sent"] == MANY - rejected
    assert "spans (partial: too strang)" in summary


@pytest.mark.library_worker
def test_metrics_that_cannot_be_encoded(start: Starter, receiver: FaultyReceiver) -> None:
    """A number that OTLP has no room for is dropped and counted, and a line tells of what."""
    receiver.listen()
    worker = start(OTEL_METRICS_EXPORTER="otlp")
    outcome = worker.call("measures", number=1)
    worker.stop()
    (summary,) = (line for line in worker.lines if "telemetry dropped" in line)

    assert outcome["ok"] == 1
    assert " data points (encode: metric 'large': " in summary
    assert "/v1/metrics" in {request.path for request in receiver.requests}
    assert "left out of what is exported" in worker.stderr


# The spool


def is_spooled(number: int) -> Callable[[dict[str, Any]], bool]:
    """Tell when so many are on disk."""
    return lambda counts: counts["spooled"] == number and counts["waiting"] == 0


@pytest.mark.library_worker
def test_next_process_sends_what_a_killed_one_spooled(
    start: Starter, receiver: FaultyReceiver, tmp_path: Path
) -> None:
    """After a SIGKILL the next process sends what the spool has, before all of its own."""
    called = threading.Event()

    def wait_for_calls(exchange: Exchange) -> None:
        called.wait(PATIENCE_S)
        accept(exchange)

    receiver.behaviour = wait_for_calls
    settings = {"FUNCSCOPE_SPOOL_DIR": tmp_path / "spool", "OTEL_EXPORTER_OTLP_TIMEOUT": 60}
    killed, parts = start(**settings), ("one", "two", "three")
    for number, part in enumerate(parts, 1):
        killed.call("hello", "later", number=50, of=part)
        killed.report_when(is_spooled(50 * number))
    killed.stop(signal.SIGKILL)
    receiver.listen()
    start(**settings).call("hello", "later", number=MANY, of="new")
    called.set()
    old = set().union(*(ids(50, part) for part in parts))
    wait_for(receiver, old | ids(MANY, "new"))
    spans = [str(span.attributes["faas.invocation_id"]) for span in receiver.store.spans]

    assert set(spans[: len(old)]) == old
    assert receiver.doubled()[0].total() == 0


@pytest.mark.library_worker
@pytest.mark.parametrize("listens", [False, True], ids=["absent", "hangs"])
def test_sigterm_spools_what_cannot_be_sent(
    start: Starter, receiver: FaultyReceiver, tmp_path: Path, listens: bool
) -> None:
    """At a SIGTERM without a collector the spool gets everything, for the next process."""
    receiver.behaviour = hang
    if listens:
        receiver.listen()
    spool = tmp_path / "spool"
    settings = {**NEVER_BY_ITSELF, "FUNCSCOPE_SHUTDOWN_BUDGET_MS": "1000"}
    ended = start(FUNCSCOPE_SPOOL_DIR=spool, FUNCSCOPE_FLUSH="interval", **settings)
    ended.call("hello", "later", number=200, of="old")

    assert ended.stop() == -signal.SIGTERM
    assert "telemetry not sent" not in ended.stderr
    receiver.recover()
    worker = start(FUNCSCOPE_SPOOL_DIR=spool)
    worker.call("hello", of="new")
    wait_for(receiver, ids(200, "old") | {"new-0"})
    worker.stop()
    doubled, unanswered = receiver.doubled()
    assert doubled == unanswered
    assert bool(doubled) == listens


@pytest.mark.library_worker
def test_two_processes_share_a_spool(
    start: Starter, receiver: FaultyReceiver, tmp_path: Path
) -> None:
    """Two workers on one directory lose nothing and send nothing twice."""
    both_send, requests = threading.Barrier(2), itertools.count()

    def wait_for_the_other(exchange: Exchange) -> None:
        if next(requests) < 2:  # each worker has one request at a time
            both_send.wait(PATIENCE_S)
        accept(exchange)

    receiver.behaviour = wait_for_the_other
    settings = {"FUNCSCOPE_SPOOL_DIR": tmp_path / "spool", "OTEL_EXPORTER_OTLP_TIMEOUT": 60}
    workers = {name: start(**settings) for name in ("one", "two")}
    begun = {
        name: worker.begin("hello", "later", number=MANY // 2, of=name)
        for name, worker in workers.items()
    }
    for name, worker in workers.items():
        assert worker.answer(begun[name])["ok"] == MANY // 2
        worker.report_when(is_spooled(MANY // 2))
    receiver.listen()
    wait_for(receiver, ids(MANY // 2, "one") | ids(MANY // 2, "two"))
    for worker in workers.values():
        worker.stop()

    assert receiver.doubled()[0].total() == 0
    assert keys(receiver.store.spans).total() == keys(receiver.store.logs).total() == MANY


@pytest.mark.library_worker
@pytest.mark.parametrize(
    ("settings", "problem"),
    [({}, "Not a directory"), ({"LONGEST_FILE": 64}, "File too large")],
    ids=["unwritable", "full"],
)
def test_spool_that_cannot_be_written(
    start: Starter,
    receiver: FaultyReceiver,
    tmp_path: Path,
    settings: dict[str, object],
    problem: str,
) -> None:
    """Functions go on, memory keeps what the disk does not, and one line says so."""
    file = tmp_path / "file"
    if not settings:
        file.write_text("x")
    worker = start(FUNCSCOPE_SPOOL_DIR=file / "spool", **settings)
    outcome = worker.call("hello", "later", number=MANY)
    worker.line("cannot be written")  # so it was tried
    told = worker.report_when(lambda counts: counts["waiting"] == MANY)
    receiver.listen()
    wait_for(receiver, ids(MANY))

    assert outcome["ok"] == MANY
    assert told["traces"]["spooled"] == told["logs"]["spooled"] == 0
    assert worker.count(f"cannot be written: {problem}") == 1
    assert "Traceback" not in worker.stderr


# What is kept, and what is counted


def test_invocations_that_failed_or_were_slow_are_kept(
    start: Starter, receiver: FaultyReceiver, path: str
) -> None:
    """With a ratio of 0 these arrive with all spans and log records, and of others nothing."""
    receiver.listen()
    worker = start(path, FUNCSCOPE_KEEP_RATIO=0, FUNCSCOPE_KEEP_SLOWER_MS=2000)
    worker.call("hello", "later", number=500, at_a_time=1, of="usual")
    worker.call("fails", number=10, of="failed")
    worker.call("slow", number=3, of="slow")
    told = worker.report_when(lambda counts: counts["sent"] == 26)
    worker.stop()
    store = receiver.store
    names = [(span.trace_id, span.name.rpartition("/")[2]) for span in store.spans]
    names += [(log.trace_id, log.event_name or str(log.body)) for log in store.logs]
    of_traces = [
        sorted(name for of, name in names if of == trace) for trace in {of for of, _ in names}
    ]
    kept = {str(span.attributes.get("faas.invocation_id", "step")) for span in store.spans}

    assert kept == ids(10, "failed") | ids(3, "slow") | {"step"}
    failed = ["about to fail", "fails", "faas.invocation.exception", "step"]
    slow = ["from a thread", "slow", "slow", "step"]  # a log record says "slow", too
    assert sorted(of_traces) == sorted([sorted(failed)] * 10 + [sorted(slow)] * 3)
    for counts in (told["traces"], told["logs"]):
        assert counts["queued"] == 26
        assert counts["left out by FUNCSCOPE_KEEP_RATIO"] == 500


@pytest.mark.library_worker
def test_azure_monitor_gets_the_invocations_that_are_kept(
    start: Starter, ingestion: Ingestion, receiver: FaultyReceiver, tmp_path: Path
) -> None:
    """What is kept goes to Azure Monitor as it goes to OTLP, and nothing else does."""
    receiver.listen()
    settings = to_azure_monitor(ingestion, tmp_path)
    settings["OTEL_TRACES_EXPORTER"] = "otlp,azuremonitor"
    worker = start(FUNCSCOPE_KEEP_RATIO=0, **settings)
    worker.call("hello", "later", number=50, of="usual")
    worker.call("fails", number=3, of="failed")
    told = worker.report()
    worker.stop()
    spans = [e for e in ingestion.envelopes if e["data"]["baseType"] == "RemoteDependencyData"]
    records = [e for e in ingestion.envelopes if e["data"]["baseType"] == "MessageData"]

    assert len(spans) == 6
    assert len(records) >= 3
    for n in range(3):
        assert "about to fail" in of_azure_monitor(ingestion, f"failed-{n}")
        assert "function fails" in of_azure_monitor(ingestion, f"failed-{n}")
    assert not any(of_azure_monitor(ingestion, call) for call in ids(50, "usual"))
    assert len(receiver.store.spans) == 6
    assert told["traces"]["left out by FUNCSCOPE_KEEP_RATIO"] == 50
    assert told["logs"] == {"left out by FUNCSCOPE_KEEP_RATIO": 50}


@pytest.mark.library_worker
def test_counts_add_up(start: Starter, receiver: FaultyReceiver) -> None:
    """What was queued was sent, waits or was dropped: in `status()`, and as metrics."""

    def only(path: str, behaviour: Behaviour) -> Behaviour:
        return lambda exchange: (behaviour if path in exchange.request.path else accept)(exchange)

    # In the end: what is just being encoded, or has just been sent, is in none of them yet.
    def add_up(counts: dict[str, Any], number: int) -> bool:
        got = counts["sent"] + counts["waiting"] + sum(counts["dropped"].values())
        return bool(counts["queued"] == got == number)

    receiver.listen()
    receiver.behaviour = only("logs", answering(400))
    worker = start(OTEL_METRICS_EXPORTER="otlp")
    worker.call("hello", "later", number=500)
    worker.report_when(lambda counts: add_up(counts, 500) and not counts["waiting"])
    receiver.behaviour = only("traces", answering(503))
    worker.call("hello", "later", number=300, of="more")
    told = worker.report_when(lambda counts: add_up(counts, 800))
    receiver.recover()
    receiver.store.wait_for(lambda store: len(store.spans) == 800, timeout_s=PATIENCE_S)
    at_last = worker.report_when(lambda counts: add_up(counts, 800) and not counts["waiting"])
    worker.stop()
    measured: dict[tuple[str, str], float] = {}
    for metric in receiver.store.metrics:
        if metric.name == "funcscope.export.items":
            for point in metric.points:
                signal_, outcome = (
                    str(point.attributes[f"funcscope.export.{name}"])
                    for name in ("signal", "outcome")
                )
                measured[signal_, outcome] = point.value

    assert told["traces"]["waiting"] == 300
    assert at_last["traces"]["sent"] == measured["traces", "sent"] == 800
    assert at_last["logs"]["sent"] == measured["logs", "sent"] == 300
    assert at_last["logs"]["dropped"] == {"refused": measured["logs", "dropped"]}
    assert measured["logs", "dropped"] == 500
    assert any(metric.name == "funcscope.export.waiting" for metric in receiver.store.metrics)
