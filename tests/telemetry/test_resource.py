"""Who the process says it is."""

from __future__ import annotations

import importlib
import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext
from tests.patience import PROCESS_S
from tests.sdk_versions import since

from funcscope.telemetry._config.resource import COMMAND_LINE, app_attributes, resource

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "resource.md"

AZURE = {
    "AzureWebJobsScriptRoot": "/home/site/wwwroot",
    "REGION_NAME": "West Europe",
    "WEBSITE_INSTANCE_ID": "a1b2",
    "WEBSITE_MEMORY_LIMIT_MB": "2048",
    "WEBSITE_OWNER_NAME": "11111111-2222-3333-4444-555555555555+rg-WestEuropewebspace-Linux",
    "WEBSITE_RESOURCE_GROUP": "my.group_1",
    "WEBSITE_SITE_NAME": "orders-app",
    "WEBSITE_SLOT_NAME": "Production",
}
SETTINGS = (
    *AZURE,
    "CONTAINER_NAME",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SERVICE_NAME",
    "WEBSITE_POD_NAME",
)

values = (
    st.text()
    | st.text(alphabet="a=,%+2 ;")
    | st.text(st.characters(categories=("Cs", "Nd", "Lu")))  # lone surrogates too
    | st.integers().map(str)
    | st.sampled_from(["+", "9" * 30, "9" * 5000, "-1", "1e3", "nan", "%", "=", "a=%ff,=b,,c"])
)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the SDK nothing of the developer's own to read."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


def attributes(environ: Mapping[str, str]) -> dict[str, object]:
    """Return the attributes of the resource that settings describe."""
    return dict(resource(environ).attributes)


def test_everything_that_azure_says() -> None:
    """On App Service and Premium all attributes are known."""
    found = attributes(AZURE)

    expected = {
        "service.name": "orders-app",
        "service.instance.id": "a1b2",
        "cloud.provider": "azure",
        "cloud.platform": "azure_functions",
        "cloud.region": "West Europe",
        "cloud.account.id": "11111111-2222-3333-4444-555555555555",
        "cloud.resource_id": (
            "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/my.group_1"
            "/providers/Microsoft.Web/sites/orders-app"
        ),
        "deployment.environment.name": "production",
        "faas.instance": "a1b2",
        "faas.max_memory": 2048 * 1024 * 1024,
    }
    assert {key: found.get(key) for key in expected} == expected
    assert {key for key in found if not key.startswith("telemetry.sdk.")} == set(expected)


def test_flex_consumption() -> None:
    """On Flex Consumption the pod is the instance, and no resource group means no resource id."""
    environ = {
        "WEBSITE_SITE_NAME": "orders-app",
        "WEBSITE_POD_NAME": "pod-7",
        "CONTAINER_NAME": "container-7",
        "WEBSITE_OWNER_NAME": "1111+flex",
    }
    found = attributes(environ)

    assert found["faas.instance"] == found["service.instance.id"] == "pod-7"
    assert found["deployment.environment.name"] == "production"
    assert found["cloud.account.id"] == "1111"
    assert "cloud.resource_id" not in found
    assert "faas.max_memory" not in found


def test_linux_consumption() -> None:
    """On Linux Consumption the container is the instance."""
    found = attributes({"WEBSITE_SITE_NAME": "orders-app", "CONTAINER_NAME": "container-7"})

    assert found["faas.instance"] == "container-7"


@since(42, "an instance id made up")
def test_a_laptop_is_not_azure() -> None:
    """Outside Azure nothing is said of a cloud, and the SDK makes up a name of the instance."""
    environ = {
        "AzureWebJobsScriptRoot": "/home/jo/my-app",
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "CONTAINER_NAME": "devcontainer",
        "WEBSITE_HOSTNAME": "localhost:7071",
    }

    assert app_attributes(environ) == {"service.name": "my-app"}
    assert attributes(environ)["service.instance.id"]


def test_other_slot_is_the_environment() -> None:
    """A deployment slot is an environment of its own."""
    found = attributes({**AZURE, "WEBSITE_SLOT_NAME": "Staging"})

    assert found["deployment.environment.name"] == "staging"


def test_workers_of_one_instance_differ() -> None:
    """Several worker processes on an instance are told apart, or their counters would be one."""
    found = attributes({**AZURE, "FUNCTIONS_WORKER_PROCESS_COUNT": "4"})

    assert found["service.instance.id"] == f"a1b2-{os.getpid()}"
    assert found["faas.instance"] == "a1b2"
    one = attributes({**AZURE, "FUNCTIONS_WORKER_PROCESS_COUNT": "1"})
    assert one["service.instance.id"] == "a1b2"


@pytest.fixture
def command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a file that is read for the command line of this process."""
    file = tmp_path / "cmdline"
    monkeypatch.setattr("funcscope.telemetry._config.resource.COMMAND_LINE", file)
    return file


@pytest.mark.parametrize("name", ["--workerId", "--functions-worker-id"])
def test_a_worker_in_the_place_of_another_differs(command_line: Path, name: str) -> None:
    """The host names each worker that it starts on an instance: its counters begin at zero."""
    found = []
    for worker_id in (
        "e9efd817-47a1-45dc-9e20-e6f975d7a025",
        "cbef5957-cdb3-4462-9ee7-ac9f91be0a51",
    ):
        command_line.write_text(f"worker.py\0--port\0001\0{name}\0{worker_id}\0--requestId\0")
        found += [attributes({**AZURE, "FUNCTIONS_WORKER_PROCESS_COUNT": count}) for count in "14"]

    ids = [each["service.instance.id"] for each in found]
    assert ids == ["a1b2-e9efd817"] * 2 + ["a1b2-cbef5957"] * 2
    assert {each["faas.instance"] for each in found} == {"a1b2"}


@pytest.mark.parametrize("command", [None, "", "worker.py\0--workerId", "worker.py\0--workerId\0"])
def test_a_process_that_was_named_by_nobody(command_line: Path, command: str | None) -> None:
    """A process without a worker's command line, or with none to read, is its instance."""
    if command is not None:
        command_line.write_text(command)

    assert attributes(AZURE)["service.instance.id"] == "a1b2"


def test_children_differ_from_their_worker(command_line: Path) -> None:
    """A process that a function started has the process id, as its command line names no worker."""
    started = attributes({**AZURE, "FUNCSCOPE_INVOCATION_ID": "7"})
    command_line.write_text("python\0-c\0from multiprocessing.spawn import spawn_main\0--x\0")
    spawned = attributes(AZURE)

    assert started["service.instance.id"] == f"a1b2-{os.getpid()}" == spawned["service.instance.id"]


@pytest.mark.skipif(not COMMAND_LINE.exists(), reason="there is no /proc")
def test_the_command_line_of_this_process_is_read() -> None:
    """A worker finds its id on its own command line, whatever Python was told of that."""
    code = (
        "import os, sys; sys.argv[:] = []\n"
        "from funcscope.telemetry._config.resource import resource\n"
        "print(resource(os.environ).attributes['service.instance.id'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--functions-worker-id", "e9efd817-47a1"],
        env={**os.environ, **AZURE}, capture_output=True, text=True, check=True,
        timeout=PROCESS_S,
    )  # fmt: skip

    assert done.stdout.strip() == "a1b2-e9efd817"


def test_stated_attributes_win() -> None:
    """Whatever the standard setting states wins, key by key, and the rest stays."""
    keys = sorted(app_attributes(AZURE))
    for key in keys:
        found = attributes({**AZURE, "OTEL_RESOURCE_ATTRIBUTES": f"a=b, {key} = mine%2C1 "})
        expected = {**app_attributes(AZURE), "a": "b", key: "mine,1"}
        assert {k: found.get(k) for k in expected} == expected


def test_service_name_setting_wins_over_all() -> None:
    """`OTEL_SERVICE_NAME` wins over the attribute, as the specification has it; empty is unset."""
    stated = {**AZURE, "OTEL_RESOURCE_ATTRIBUTES": "service.name=theirs"}

    assert attributes(stated)["service.name"] == "theirs"
    assert attributes({**stated, "OTEL_SERVICE_NAME": "mine"})["service.name"] == "mine"
    assert attributes({**AZURE, "OTEL_SERVICE_NAME": ""})["service.name"] == "orders-app"
    empty = {**AZURE, "OTEL_RESOURCE_ATTRIBUTES": "service.name="}
    assert attributes(empty)["service.name"] == "orders-app"


@pytest.mark.parametrize("memory", ["", "lots", "-1", "0", "1.5", "9" * 25, "9" * 5000])
def test_memory_that_is_no_size(memory: str) -> None:
    """A memory limit that cannot be sent as bytes is left out."""
    assert "faas.max_memory" not in attributes({**AZURE, "WEBSITE_MEMORY_LIMIT_MB": memory})


@pytest.mark.parametrize("missing", sorted(AZURE))
def test_any_setting_may_be_missing(missing: str) -> None:
    """Without any one of Azure's settings there is a resource with a service name."""
    assert attributes({k: v for k, v in AZURE.items() if k != missing})["service.name"]


def test_the_network_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the metadata service, which Azure's detector of machines asks, is."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)

    assert attributes(AZURE)["cloud.provider"] == "azure"


@given(st.dictionaries(st.sampled_from(SETTINGS), values))
def test_any_settings_can_be_exported(environ: dict[str, str]) -> None:
    """Whatever the settings hold, there is a resource, and an exporter can encode it."""
    about = resource(environ)
    span = ReadableSpan("s", SpanContext(1, 1, is_remote=False), resource=about)

    assert encode_spans([span]).SerializeToString()
    assert about.attributes["service.name"]


def test_names_are_the_conventions() -> None:
    """Every attribute is one of the installed conventions' package."""
    known = {
        value
        for name in ("cloud", "deployment", "faas", "service")
        for value in vars(
            importlib.import_module(
                f"opentelemetry.semconv._incubating.attributes.{name}_attributes"
            )
        ).values()
        if isinstance(value, str)
    }

    assert set(app_attributes(AZURE)) <= known


def test_documentation_has_every_attribute() -> None:
    """The reference's table has the attributes that are set, and no others."""
    rows = re.findall(r"^\| `([\w.]+)` \|", DOCS.read_text(), re.MULTILINE)

    assert sorted(rows) == sorted(app_attributes(AZURE))
