"""Many messages: each is processed or in the poison queue, whatever happens to the host."""

from __future__ import annotations

import json
import re
import signal
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.contrib.host.accounts import spans_of
from tests.patience import PROCESS_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contrib.host.accounts import Account
    from tests.contrib.host.conftest import HostProcess

    from funcscope.contrib.host import OtlpReceiver, ReceivedSpan, TelemetryStore

pytestmark = pytest.mark.library_worker

ATTEMPTS = 3  # the app's maxDequeueCount
_never = threading.Event()


def attempts(host: HostProcess) -> list[tuple[str, int]]:
    """Return the message and the number of each attempt that the function `order` has logged."""
    found = map(json.loads, re.findall(r"\] order (\{.*\})$", host.output, re.M))
    return [(message["body"], message["dequeue_count"]) for message in found]


def wait_until_empty(account: Account, queue: str) -> None:
    """Wait until a queue has no message, invisible ones included: nobody tells of that."""
    for _ in range(int(PROCESS_S / 0.2)):
        if account.count(queue) == 0:
            return
        _never.wait(0.2)
    raise AssertionError(f"{account.count(queue)} messages are left in the queue {queue!r}")


def failing(bodies: list[str]) -> set[str]:
    """Return those that the function fails on: every tenth."""
    return {body for body in bodies if body.endswith("0")}


def test_a_thousand_messages(
    start: Callable[..., HostProcess],
    account: Account,
    receiver: OtlpReceiver,
    store: TelemetryStore,
) -> None:
    """Of 1,000 messages every tenth is given up, none is lost, and each attempt has a span."""
    bodies = [f"{number:04}" for number in range(1000)]
    account.send("orders", *bodies)
    host = start(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)

    expected = len(bodies) + (ATTEMPTS - 1) * len(failing(bodies))

    def all_spans(received: TelemetryStore) -> list[ReceivedSpan]:
        spans = spans_of(received, "order")
        return spans if len(spans) >= expected else []

    spans = store.wait_for(all_spans, timeout_s=PROCESS_S)
    assert host.stop() == 0
    assert account.count("orders") == 0
    assert set(account.bodies("orders-poison")) == failing(bodies)
    assert Counter(body for body, _ in attempts(host)) == {
        body: ATTEMPTS if body in failing(bodies) else 1 for body in bodies
    }
    assert len(spans) == expected
    assert len({span.trace_id for span in spans}) == expected
    assert Counter(span.status for span in spans)["ERROR"] == ATTEMPTS * len(failing(bodies))


def test_a_host_that_is_killed_among_many_messages(
    start: Callable[..., HostProcess], account: Account
) -> None:
    """What a host that was killed had in its hands is done by the next one."""
    bodies = [f"{number:03}" for number in range(300)]
    account.send("orders", *bodies)
    killed = start()
    killed.wait_for(r'order \{"body": "05\d"', timeout_s=PROCESS_S)
    killed.send(signal.SIGKILL)
    killed.wait()
    host = start()

    wait_until_empty(account, "orders")
    assert host.stop() == 0
    poisoned = account.bodies("orders-poison")
    processed = {body for body, _ in (*attempts(killed), *attempts(host))} - failing(bodies)
    assert set(poisoned) == failing(bodies)
    assert processed == set(bodies) - failing(bodies)
    assert {body for body, _ in attempts(killed)} != set(bodies)
