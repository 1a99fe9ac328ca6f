"""What travels beside arguments and results: tags of a request, and a caller's baggage."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from funcscope.telemetry._otlp.wire import delimited, first_field, read_fields, text_field

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

ON = {
    "FUNCSCOPE_TAG_RESPONSE": "on",
    "FUNCSCOPE_BAGGAGE_KEYS": "tenant,missing,link,long",
}
SENT = {"tenant": "acme", "user": "7", "link": "of password=s3cret1 ", "long": "x" * 999}
RESPONSE, ATTRIBUTES = 5, 5
"""The field of a `StreamingMessage`, and the one of its `InvocationResponse`."""


def map_field(tag: bytes, entries: Mapping[str, str]) -> bytes:
    """Return a field that is a map of texts."""
    return b"".join(
        tag + delimited(text_field(b"\x0a", name) + text_field(b"\x12", value))
        for name, value in entries.items()
    )


def tags_in(answer: str) -> dict[str, str]:
    """Return what the host reads of a response's attributes."""
    response = first_field(bytes.fromhex(answer), RESPONSE, bytes)
    entries = [dict(read_fields(v)) for n, v in read_fields(response or b"") if n == ATTRIBUTES]  # type: ignore[arg-type]  # bytes, as a map's entry is
    return {_text(entry[1]): _text(entry[2]) for entry in entries}


def _text(value: int | bytes) -> str:
    assert isinstance(value, bytes)
    return value.decode()


@pytest.mark.library_worker
def test_messages_have_tags_and_baggage(run: Runner, call: Caller) -> None:
    """
    Tags of a request go with its response, and the host's baggage is the function's.

    Both in fields that the worker's messages do not know. Of the entries that are named, span and
    log records tell; of none are secrets told, and of no long one all.
    """
    calls = [call("tagged"), call("queued", input="one"), call("seen", headers={"baggage": "a=b"})]
    result = run(
        "v2_baggage", calls, path="protobuf", env=ON, baggage=map_field(b"\x22", SENT).hex()
    )

    tagged, queued, seen = (tags_in(answer) for answer in result.answers)
    note = tagged.pop("note")
    assert "s3cret1" not in note
    assert tagged == {"order_id": "18", "is_new": "true", "size": "1.5"}
    assert json.loads(queued["baggage.seen"])["user"] == "7"  # though it failed
    assert seen == {}
    assert json.loads(result.outcomes[2]["value"]) == {"a": "b"} | SENT

    attributes = result.span(0).attributes
    assert {name: attributes[name] for name in ("order_id", "is_new", "size", "note")} == {
        "order_id": 18,
        "is_new": True,
        "size": 1.5,
        "note": note,
    }
    (log,) = (log for log in result.messages(1) if log.body == "queued")
    for attributes in (result.span(1).attributes, log.attributes):
        assert attributes["tenant"] == "acme"
        assert attributes["long"] == "x" * 256
        assert "REDACTED" in attributes["link"]
        assert attributes.keys().isdisjoint({"user", "missing"})


def test_without_messages(run: Runner, call: Caller, path: str) -> None:
    """On each worker tags are the span's, and named baggage of a request's header is told."""
    sent = call("tagged", headers={"baggage": "tenant=acme,user=7"})
    result = run("v2_baggage", [sent], path=path, env={"FUNCSCOPE_BAGGAGE_KEYS": "tenant"})

    assert result.span().attributes["order_id"] == 18
    (log,) = (log for log in result.messages() if log.body == "tagged")
    for attributes in (result.span().attributes, log.attributes):
        assert attributes["tenant"] == "acme"
        assert "user" not in attributes


@pytest.mark.library_worker
def test_off_unless_asked_for(run: Runner, call: Caller) -> None:
    """Unless the settings say so, responses are as the worker makes them."""
    result = run("v2_baggage", [call("tagged")], path="protobuf", baggage="")

    assert [tags_in(answer) for answer in result.answers] == [{}]


def test_no_worker_is_told_of() -> None:
    """Where no worker has messages, one line says that tags do not travel; outside, another."""
    code = (
        "import logging\n"
        "from funcscope.telemetry import tag_request\n"
        "from funcscope.telemetry._api.tags import exchange\n"
        "from funcscope.telemetry._config.settings import Settings\n"
        "logging.basicConfig(format='%(message)s')\n"
        "for _ in range(2):\n"
        "    exchange(Settings(tag_response='on'))\n"
        "    tag_request(order_id=17)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stderr.splitlines() == [
        "FUNCSCOPE_TAG_RESPONSE does nothing on this worker: tags are on spans alone",
        "tag_request() outside an invocation tags nothing: call it in a function",
    ]


def test_messages_that_are_no_protobuf() -> None:
    """Where a worker's messages are plain objects, as on R2P2's control path, one line says so."""
    code = (
        "import asyncio, logging, sys\n"
        "from types import ModuleType, SimpleNamespace as Plain\n"
        "async def answer(request):\n"
        "    return Plain()\n"
        "worker = sys.modules['azure_functions_runtime'] = ModuleType('azure_functions_runtime')\n"
        "worker.invocation_request = answer\n"
        "from funcscope.telemetry._api.tags import exchange\n"
        "from funcscope.telemetry._config.settings import Settings\n"
        "logging.basicConfig(format='%(message)s')\n"
        "exchange(Settings(baggage_keys=('tenant',)))\n"
        "asked = Plain(invocation_request=Plain(invocation_id='1', trace_context=Plain()))\n"
        "for _ in range(2):\n"
        "    print(asyncio.run(worker.invocation_request(Plain(request=asked))))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout.splitlines() == ["namespace()"] * 2
    assert done.stderr.splitlines() == [
        (
            "messages of invocations that are no protobuf have neither tags of a request nor a "
            "caller's baggage"
        )
    ]
