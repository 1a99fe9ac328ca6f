"""Messages of storage queues start functions, and none is lost."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import signal
import threading
from typing import TYPE_CHECKING

import pytest
from tests.contrib.host.accounts import spans_of
from tests.patience import PATIENCE_S

from funcscope.contrib.host._listeners.messages import TAKEN_S, HeldMessage, MessageListener
from funcscope.contrib.host._storage.options import QueueOptions
from funcscope.contrib.host._storage.queues import StorageQueue
from funcscope.contrib.host._storage.sdk import StorageAccount
from funcscope.contrib.host._traces.console import HostConsole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contrib.host.accounts import Account
    from tests.contrib.host.conftest import HostProcess

    from funcscope.contrib.host import OtlpReceiver, ReceivedSpan, TelemetryStore
    from funcscope.contrib.host._storage.queues import TakenMessage

pytestmark = [
    pytest.mark.library_worker,
    pytest.mark.skipif(os.name != "posix", reason="needs named pipes and POSIX signals"),
]


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Make a named pipe: the function `slow` waits until something is written to it."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


def seen(host: HostProcess) -> list[dict[str, object]]:
    """Return what the function `order` has logged."""
    return [json.loads(found) for found in re.findall(r"\] order (\{.*\})$", host.output, re.M)]


def test_a_message_starts_its_function_with_its_metadata(
    start: Callable[..., HostProcess], account: Account
) -> None:
    """A message arrives whole, and is deleted once its function has succeeded."""
    host = start()
    account.send("orders", "tea")

    host.wait_for(r"Executed 'Functions.order' \(Succeeded")
    (message,) = seen(host)
    assert message["body"] == "tea"
    assert message["dequeue_count"] == 1
    assert message["is_complete"]
    host.stop()
    assert account.count("orders") == 0
    assert "Request URL" not in host.output  # which the SDK logs of each request


def test_a_message_that_fails_is_tried_again_and_then_moved(
    start: Callable[..., HostProcess], account: Account
) -> None:
    """After `maxDequeueCount` attempts a message is in the poison queue, as it was."""
    account.send("orders", "tea 0")
    host = start()

    host.wait_for(
        r"queue 'orders' of function 'order': message \S+ is given up at attempt 3, and moved to "
        "the queue 'orders-poison'"
    )
    host.stop()
    assert [message["dequeue_count"] for message in seen(host)] == [1, 2, 3]
    assert account.count("orders") == 0
    assert account.texts("orders-poison") == [base64.b64encode(b"tea 0").decode()]


def test_a_message_in_no_encoding_goes_to_the_poison_queue(
    start: Callable[..., HostProcess], account: Account
) -> None:
    """A message that is not base64 reaches no function, and is kept."""
    account.send("orders")
    account.service.get_queue_client("orders").send_message("not base64!")
    host = start()

    host.wait_for("is not base64: host.json's messageEncoding may say 'none'")
    host.wait_for("moved to the queue 'orders-poison'")
    host.stop()
    assert account.texts("orders-poison") == ["not base64!"]
    assert seen(host) == []


def test_a_stop_finishes_what_was_taken(
    start: Callable[..., HostProcess], account: Account, gate: Path
) -> None:
    """A stop waits for the function that runs, and its message is deleted then."""
    account.send("slow", "tea")
    host = start(GATE=str(gate))
    host.wait_for("slow begins")

    host.send(signal.SIGTERM)
    host.wait_for("stopping: finishing what is in flight")
    opener = threading.Thread(target=gate.write_text, args=("open", "utf-8"), daemon=True)
    opener.start()

    assert host.wait() == 0
    opener.join(PATIENCE_S)
    assert "slow ends at attempt 1" in host.output
    assert account.count("slow") == 0


def test_a_killed_host_loses_no_message(
    start: Callable[..., HostProcess], account: Account, gate: Path
) -> None:
    """A message whose host was killed comes back, and is its function's next attempt."""
    account.send("slow", "tea")
    killed = start(GATE=str(gate))
    killed.wait_for("slow begins")
    killed.send(signal.SIGKILL)
    killed.wait()

    host = start(GATE=str(gate))
    host.wait_for("slow begins", timeout_s=3 * PATIENCE_S)
    opener = threading.Thread(target=gate.write_text, args=("open", "utf-8"), daemon=True)
    opener.start()
    host.wait_for("slow ends at attempt 2")
    host.wait_for(r"Executed 'Functions.slow' \(Succeeded")
    host.stop()
    assert account.count("slow") == 0


def test_functions_without_storage_are_named_and_can_be_called(
    run_host: Callable[..., HostProcess],
) -> None:
    """Without a connection the host says once which functions start by admin requests alone."""
    host = run_host(
        "host_storage", "--port", "0", "-v", SLOW_QUEUE="slow", GATE="", AzureWebJobsStorage=""
    )

    host.wait_for(
        "^order, slow, upload, client: started by admin requests alone, as the setting "
        r"'AzureWebJobsStorage' is not set: put a connection string into local\.settings\.json"
    )
    assert host.fetch("/admin/functions/order", "POST", '{"input": "tea"}')[0] == 202
    host.wait_for(r"Executed 'Functions.order' \(Succeeded")


def test_storage_that_does_not_answer_is_said_once(
    start: Callable[..., HostProcess], account: Account
) -> None:
    """While nobody answers at the address, one line says so, and the address has no key in it."""
    host = start(AzureWebJobsStorage=re.sub(r":\d+/", ":1/", account.connection))

    host.wait_for(
        r"queue 'orders' of function 'order': queue 'orders' of account '\w+': "
        r"http://127.0.0.1:1 does not answer: is Azurite running\?; trying again"
    )
    assert host.stop() == 0
    assert host.output.count("queue 'orders' of account") == 1
    assert "AccountKey" not in host.output


def test_each_attempt_has_a_span(
    start: Callable[..., HostProcess],
    account: Account,
    receiver: OtlpReceiver,
    store: TelemetryStore,
) -> None:
    """Each attempt is an invocation of its own, in a trace of its own."""
    account.send("orders", "tea 0")
    start(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)

    def attempts(received: TelemetryStore) -> list[ReceivedSpan]:
        found = spans_of(received, "order")
        return found if len(found) == 3 else []

    spans = store.wait_for(attempts, timeout_s=PATIENCE_S)
    assert len({span.trace_id for span in spans}) == 3
    assert {span.status for span in spans} == {"ERROR"}


def test_a_message_is_held_as_long_as_its_function_runs(account: Account) -> None:
    """A renewal gives another receipt, which alone deletes the message then."""
    account.send("orders", "tea")
    storage = StorageAccount(account.connection)
    queue = StorageQueue(storage, "orders")

    async def scenario() -> tuple[bool, bool]:
        (message,) = await queue.receive(1, TAKEN_S)
        held = HeldMessage(queue, message, every_s=0.01)
        async with held:
            while held.message.pop_receipt == message.pop_receipt:
                await asyncio.sleep(0)
        return await queue.delete(message), await queue.delete(held.message)

    assert asyncio.run(scenario()) == (False, True)
    storage.close()
    assert account.count("orders") == 0


def test_a_listener_ends_when_its_messages_are_done(account: Account) -> None:
    """A listener that is told to stop waits for what it has begun, and deletes its message."""
    account.send("orders", "tea")
    storage = StorageAccount(account.connection)
    queue = StorageQueue(storage, "orders")

    async def scenario() -> None:
        has_begun, may_end = asyncio.Event(), asyncio.Event()

        async def handle(_: TakenMessage, body: bytes) -> bool:
            has_begun.set()
            return await may_end.wait()

        listener = MessageListener("orders", queue, None, handle, QueueOptions(), HostConsole())
        running = asyncio.create_task(listener.run())
        await has_begun.wait()
        running.cancel()
        assert not (await asyncio.wait({running}, timeout=1))[0]
        may_end.set()
        await asyncio.wait({running})

    asyncio.run(scenario())
    storage.close()
    assert account.count("orders") == 0
