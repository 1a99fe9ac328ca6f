"""Invocations that are about to be killed are told of: real workers, and what they send."""

from __future__ import annotations

import re
import signal
import time
from typing import TYPE_CHECKING

import pytest
from scripts.snippets import text_of
from tests.integration import test_sending
from tests.integration.test_sending import NEVER_BY_ITSELF, of_azure_monitor, to_azure_monitor
from tests.patience import PATIENCE_S
from tests.sdk_versions import OWN_SPANS, since

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.faults import FaultyReceiver
    from tests.integration.ingestion import Ingestion
    from tests.integration.test_sending import Starter, Worker

    from funcscope.contrib.host import ReceivedLog, ReceivedSpan

receiver, start, path = test_sending.receiver, test_sending.start, test_sending.path

UNFINISHED = "funcscope.is_unfinished"
TIMEOUT = {"AzureFunctionsJobHost__functionTimeout": "00:00:03"}
HANGING = {"hangs": "released.wait(60)", "hangs_later": "await released_later.wait()"}
"""By the function's name: the line that it hangs in."""
(SHOWN,) = re.findall(
    r"^WARNING .*?: (hangs .*?)  …$", text_of("docs/how-to/sending.md"), re.M | re.S
)
SHOWN = re.sub(r", line \d+", "", SHOWN)
"""What the how-to shows of the first, but for the lines' numbers."""


def spans_of(receiver: FaultyReceiver, invocation: str) -> list[ReceivedSpan]:
    """Return the spans of an invocation, in the order of their arrival."""
    spans = receiver.store.spans
    return [s for s in spans if s.attributes.get("faas.invocation_id") == invocation]


def warnings_of(receiver: FaultyReceiver, invocation: str) -> list[ReceivedLog]:
    """Return the warnings of an invocation."""
    logs = [log for log in receiver.store.logs if log.severity == "WARN"]
    return [log for log in logs if log.attributes.get("faas.invocation_id") == invocation]


def wait_until_told(receiver: FaultyReceiver) -> tuple[ReceivedSpan, ReceivedLog]:
    """Wait for the first span and warning of the one invocation."""
    receiver.store.wait_for(
        lambda _: spans_of(receiver, "c-0") and warnings_of(receiver, "c-0"), timeout_s=PATIENCE_S
    )
    (span,), (warning,) = spans_of(receiver, "c-0"), warnings_of(receiver, "c-0")
    return span, warning


def begin(worker: Worker, name: str) -> int:
    """Call a function that hangs, and wait until it does."""
    hanging = worker.begin(name)
    worker.wait_for(lambda: any(said.get("said") == "it hangs" for said in worker.said))
    return hanging


@since(42, OWN_SPANS)
@pytest.mark.parametrize("settings", [{}, {"FUNCSCOPE_KEEP_RATIO": 0}], ids=["all", "ratio"])
@pytest.mark.parametrize("name", HANGING)
def test_invocation_whose_timeout_is_near(
    start: Starter, receiver: FaultyReceiver, path: str, name: str, settings: dict[str, object]
) -> None:
    """Its span so far and its stack arrive before the time-out, and the whole span if it ends."""
    receiver.listen()
    worker = start(path, **TIMEOUT, **NEVER_BY_ITSELF, **settings)
    hanging = begin(worker, name)
    partial, warning = wait_until_told(receiver)
    worker.call("releases", of="release")
    ended = worker.answer(hanging)
    receiver.store.wait_for(lambda _: len(spans_of(receiver, "c-0")) == 2, timeout_s=PATIENCE_S)
    whole = spans_of(receiver, "c-0")[1]

    assert ended["ok"] == 1
    for field in ("trace_id", "span_id", "parent_id", "name", "kind", "start_ns", "resource"):
        assert getattr(partial, field) == getattr(whole, field)
    assert whole.attributes.items() >= partial.attributes.items() - {(UNFINISHED, True)}
    assert (partial.attributes[UNFINISHED], partial.status) == (True, "UNSET")
    assert UNFINISHED not in whole.attributes
    assert "secret" not in str(receiver.store.spans)
    assert 1e9 < partial.end_ns - partial.start_ns <= whole.end_ns - whole.start_ns
    assert (warning.trace_id, warning.span_id) == (whole.trace_id, whole.span_id)
    assert str(warning.body).startswith(f"{name} has run for ")
    assert str(warning.body).endswith(" s, and its time-out ends it in 1.0 s")
    stack = str(warning.attributes["code.stacktrace"])
    assert f"in {name}\n" in stack.splitlines(keepends=True)[1]
    assert HANGING[name] in stack
    assert "funcscope/extensions" not in stack
    if name == "hangs":
        told = re.sub(r'"/.*/(.*)", line \d+', r'"\1"', f"{warning.body}\n{stack}")
        assert re.sub(r"[\d.]+ s,", "2.0 s,", told).startswith(SHOWN)
    assert len(warnings_of(receiver, "c-0")) == 1


@since(42, OWN_SPANS)
@pytest.mark.library_worker
def test_azure_monitor_is_told_too(
    start: Starter, receiver: FaultyReceiver, ingestion: Ingestion, tmp_path: Path
) -> None:
    """Spans that go on go to the SDK's batches and Azure Monitor as those that have ended do."""
    worker = start(**TIMEOUT, **NEVER_BY_ITSELF, **to_azure_monitor(ingestion, tmp_path))
    begin(worker, "hangs")
    ingestion.wait_for("RemoteDependencyData", 1, timeout_s=PATIENCE_S)
    ingestion.wait_for("MessageData", 1, timeout_s=PATIENCE_S)
    span, warning = of_azure_monitor(ingestion, "c-0")

    assert span == "function hangs"
    assert warning.startswith("hangs has run for ")


@since(42, OWN_SPANS)
@pytest.mark.parametrize("name", HANGING)
def test_sigterm_with_an_invocation_in_flight(
    start: Starter, receiver: FaultyReceiver, path: str, name: str
) -> None:
    """It is told of as before a time-out, and invocations that have ended are not."""
    receiver.listen()
    worker = start(path, FUNCSCOPE_FLUSH="interval", **NEVER_BY_ITSELF)
    worker.call("hello", of="ended")
    begin(worker, name)

    assert worker.stop() == -signal.SIGTERM
    partial, warning = wait_until_told(receiver)
    assert partial.attributes[UNFINISHED] is True
    assert str(warning.body).endswith("and its process is about to end")
    assert f"in {name}\n" in str(warning.attributes["code.stacktrace"])
    (ended,) = spans_of(receiver, "ended-0")
    assert UNFINISHED not in ended.attributes
    assert not warnings_of(receiver, "ended-0")


@since(42, OWN_SPANS)
@pytest.mark.library_worker
def test_handler_that_blocks_costs_the_warning_alone(
    start: Starter, receiver: FaultyReceiver
) -> None:
    """At a SIGTERM a log handler that does not return holds up neither the end nor the span."""
    receiver.listen()
    settings = {"APP_BLOCKS_WARNINGS": 1, "FUNCSCOPE_SHUTDOWN_BUDGET_MS": "4000"}
    worker = start(FUNCSCOPE_FLUSH="interval", **NEVER_BY_ITSELF, **settings)
    begin(worker, "hangs")
    told = time.monotonic()

    assert worker.stop() == -signal.SIGTERM
    assert time.monotonic() - told < PATIENCE_S
    (partial,) = spans_of(receiver, "c-0")
    assert partial.attributes[UNFINISHED] is True
    assert not warnings_of(receiver, "c-0")


@pytest.mark.library_worker
def test_switched_off(start: Starter, receiver: FaultyReceiver) -> None:
    """With FUNCSCOPE_UNFINISHED=off invocations in flight at a SIGTERM are not told of."""
    receiver.listen()
    worker = start(FUNCSCOPE_UNFINISHED="off", **NEVER_BY_ITSELF)
    worker.call("hello", of="ended")
    begin(worker, "hangs")

    assert worker.stop() == -signal.SIGTERM
    assert spans_of(receiver, "ended-0")
    assert not spans_of(receiver, "c-0") + warnings_of(receiver, "c-0")
