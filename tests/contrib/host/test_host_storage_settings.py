"""What names storage: connections, `host.json`, and expressions in paths."""

from __future__ import annotations

import re
import sys
import uuid
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcscope.contrib._local.host_json import HostJson
from funcscope.contrib.host import HostError, LoadedFunction
from funcscope.contrib.host._bindings.emulated import explain_unemulated
from funcscope.contrib.host._bindings.patterns import BlobPattern, resolve
from funcscope.contrib.host._storage.connection import connection_name, find_connection
from funcscope.contrib.host._storage.options import (
    QueueOptions,
    read_blob_options,
    read_queue_options,
)
from funcscope.contrib.host._storage.sdk import StorageAccount

NOW = datetime(2026, 1, 2, 15, 4, 5, 678_000, tzinfo=timezone.utc)
GUID = uuid.UUID("0f8e0f8e-1234-4321-8888-0123456789ab")
REAL = "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=c2VjcmV0;EndpointSuffix=x.net"


@pytest.mark.parametrize(
    ("binding", "name"),
    [
        ({}, "AzureWebJobsStorage"),
        ({"connection": ""}, "AzureWebJobsStorage"),
        ({"connection": None}, "AzureWebJobsStorage"),
        ({"connection": "Storage"}, "AzureWebJobsStorage"),
        ({"connection": "Orders"}, "Orders"),
    ],
)
def test_a_binding_without_a_connection_has_the_hosts(
    binding: dict[str, object], name: str
) -> None:
    """The connection is the binding's own, or the host's."""
    assert connection_name(binding) == name


def test_a_connection_is_found_by_its_long_name_first() -> None:
    """`AzureWebJobs<name>` comes before `<name>`, and neither is changed."""
    other = REAL.replace("shop", "other")

    assert find_connection("Orders", {"Orders": REAL}) == REAL
    assert find_connection("Orders", {"Orders": REAL, "AzureWebJobsOrders": other}) == other


@pytest.mark.parametrize(
    ("value", "blob", "queue"),
    [
        (
            "UseDevelopmentStorage=true",
            "http://127.0.0.1:10000/devstoreaccount1",
            "http://127.0.0.1:10001/devstoreaccount1",
        ),
        (
            "UseDevelopmentStorage=True;DevelopmentStorageProxyUri=http://azurite/;",
            "http://azurite:10000/devstoreaccount1",
            "http://azurite:10001/devstoreaccount1",
        ),
        (
            "UseDevelopmentStorage=true;QueueEndpoint=http://127.0.0.1:5/devstoreaccount1",
            "http://127.0.0.1:10000/devstoreaccount1",
            "http://127.0.0.1:5/devstoreaccount1",
        ),
    ],
)
def test_the_emulator_is_written_out(value: str, blob: str, queue: str) -> None:
    """`UseDevelopmentStorage=true` is the emulator's account, on its ports or others."""
    parts = dict(
        part.split("=", 1) for part in find_connection("S", {"S": value}).split(";") if part
    )

    assert parts["AccountName"] == "devstoreaccount1"
    assert (parts["BlobEndpoint"], parts["QueueEndpoint"]) == (blob, queue)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "the setting 'Orders' is not set"),
        ({"Orders": " "}, "the setting 'Orders' is not set"),
        ({"Orders__serviceUri": "https://x"}, "'Orders__serviceUri' connects by an identity"),
        (
            {"AzureWebJobsOrders__queueServiceUri": "https://x"},
            "'AzureWebJobsOrders__queueServiceUri' connects by an identity",
        ),
        ({"Orders": "hunter2"}, "'Orders' is not a connection string"),
    ],
)
def test_what_connects_nothing_is_named(settings: dict[str, str], message: str) -> None:
    """The setting that is missing or wrong is named, and its value is not in the message."""
    with pytest.raises(HostError, match=re.escape(message)) as caught:
        find_connection("Orders", settings)

    assert "hunter2" not in str(caught.value)


def host_json(settings: dict[str, str] | None = None, **extensions: object) -> HostJson:
    """Make a `host.json` with these extensions."""
    return HostJson(Path("host.json"), {"extensions": extensions}, settings or {})


def test_queue_settings_are_those_of_host_json() -> None:
    """Every setting of queues is read, in any case."""
    queues = {
        "batchSize": 4,
        "newbatchthreshold": 1,
        "maxDequeueCount": 2,
        "maxPollingInterval": "00:01:00",
        "visibilityTimeout": "00:00:30.5",
        "messageEncoding": "None",
    }

    options = read_queue_options(host_json(queues=queues))

    assert options == QueueOptions(4, 1, 2, 60.0, 30.5, "none")
    assert read_blob_options(host_json(blobs={"poisonBlobThreshold": 1})) == (
        read_blob_options(host_json(blobs={"poisonBlobThreshold": "1"}))
    )


def test_spans_are_read_as_dotnet_reads_them() -> None:
    """More hours than a day has are days, for all settings of the host's."""
    queues = {"visibilityTimeout": "24:00:00"}

    assert read_queue_options(host_json(queues=queues)).visibility_timeout_s == 24 * 86400


def test_a_setting_goes_before_host_json() -> None:
    """`AzureFunctionsJobHost__extensions__…` goes before what `host.json` says."""
    setting = {"AzureFunctionsJobHost__extensions__queues__batchSize": "3"}

    assert read_queue_options(host_json(setting, queues={"batchSize": 4})).batch_size == 3


def test_a_missing_sdk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the message says what to install."""
    monkeypatch.setitem(sys.modules, "azure.storage.queue", None)

    with pytest.raises(HostError, match=r'pip install "funcscope\[storage\]"'):
        StorageAccount(REAL)


@pytest.mark.parametrize(
    ("queues", "message"),
    [
        ({"batchSize": 33}, "'batchSize' is 33 in 'extensions.queues': it must be 1 to 32"),
        (
            {"batchSize": True},
            "'batchSize' is true in 'extensions.queues': it must be a whole number",
        ),
        (
            {"maxDequeueCount": 0},
            "'maxDequeueCount' is 0 in 'extensions.queues': it must be 1 or more",
        ),
        ({"visibilityTimeout": "soon"}, "it must be a time span such as '00:05:00'"),
        ({"maxPollingInterval": "00:00:00"}, "it must be 0.1 s or more"),
        ({"messageEncoding": "utf-8"}, "it must be 'base64' or 'none'"),
        ([], "'queues' is a list in 'extensions': it must be a JSON object"),
    ],
)
def test_wrong_settings_are_named(queues: object, message: str) -> None:
    """A value that is not what it must be is named, with what it must be."""
    with pytest.raises(HostError, match=re.escape(message)):
        read_queue_options(host_json(queues=queues))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("out/{name}.txt", "out/tea.txt"),
        ("out/{NAME}", "out/tea"),
        ("{order.id}/{order.Lines}", '7/["a"]'),
        ("%BOX%/{name}", "bills/tea"),
        ("out/{rand-guid}", f"out/{GUID}"),
        ("out/{rand-guid:N}", f"out/{GUID.hex}"),
        ("out/{sys.randguid}", f"out/{GUID}"),
        ("out/{DateTime}", "out/2026-01-02T15-04-05Z"),
        ("out/{datetime:yyyy-MM-dd}", "out/2026-01-02"),
        ("out/{DateTime:yy-M-d H:m:s.fff tt}", "out/26-1-2 15:4:5.678 PM"),
        ("{{name}}", "{name}"),
    ],
)
def test_expressions_are_replaced(path: str, expected: str) -> None:
    """Settings, what the trigger tells, dates and GUIDs stand in a path as in the host's."""
    data = {"name": "tea", "order": {"id": 7, "lines": ["a"]}}

    resolved = resolve(path, data, {"BOX": "bills"}, now=NOW, new_guid=lambda: GUID)

    assert resolved == expected


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("out/{nope}", "'out/{nope}': the trigger has no 'nope'; it has name"),
        ("out/{name.id}", "the trigger has no 'name.id'"),
        ("%NOPE%/x", "names the setting 'NOPE', which is not set"),
    ],
)
def test_unknown_expressions_are_named(path: str, message: str) -> None:
    """An expression that nothing is known by is named, with what is known."""
    with pytest.raises(HostError, match=re.escape(message)):
        resolve(path, {"name": "tea"}, {})


@pytest.mark.parametrize(
    ("path", "name", "parts"),
    [
        ("box", "a/b.txt", {}),
        ("box/tea", "tea", {}),
        ("box/tea", "tea2", None),
        ("box/{name}", "a/b.txt", {"name": "a/b.txt"}),
        ("box/{name}.{ext}", "a.b.txt", {"name": "a.b", "ext": "txt"}),
        ("box/{name}.csv", "a.csvx", None),
        ("box/in/{day}-{name}", "in/mon-tea", {"day": "mon", "name": "tea"}),
        ("box/{{{name}}}", "{tea}", {"name": "tea"}),
    ],
)
def test_blobs_match_by_their_names(path: str, name: str, parts: dict[str, str] | None) -> None:
    """A pattern's names take as much of a blob's name as they can."""
    assert BlobPattern(path).match(name) == parts


@given(st.text(min_size=1), st.text(min_size=1))
def test_what_a_pattern_takes_apart_it_puts_together(name: str, ext: str) -> None:
    """The parts of a blob's name, put into the pattern again, are that name."""
    pattern = "in/{name}.{ext}"
    whole = f"in/{name}.{ext}"

    parts = BlobPattern(f"box/{pattern}").match(whole)

    assert parts is not None
    assert resolve(pattern, dict(parts), {}) == whole


@pytest.mark.parametrize("path", ["", "/", "b{x}/c", "b\\c"])
def test_paths_without_a_container_are_named(path: str) -> None:
    """A trigger's path begins with the name of a container."""
    with pytest.raises(HostError, match=r"is none of a container: write 'container/\{name\}'"):
        BlobPattern(path)


def loaded(name: str, *kinds: str) -> LoadedFunction:
    """Make a function with bindings of these types."""
    return LoadedFunction(name, name, tuple({"type": kind, "name": kind} for kind in kinds))


def test_what_is_not_emulated_is_named_with_its_functions() -> None:
    """Each type that is not emulated stands in one line, and the others do not."""
    functions = [
        loaded("a", "httpTrigger", "http", "cosmosDB"),
        loaded("b", "serviceBusTrigger", "cosmosDB", "queue"),
        loaded("c", "orchestrationTrigger"),
        loaded("d", "timerTrigger", "durableClient"),
    ]

    assert explain_unemulated(functions).startswith(
        "not emulated here: cosmosDB (a, b), serviceBusTrigger (b): "
    )
    assert explain_unemulated(functions[2:]) == ""
