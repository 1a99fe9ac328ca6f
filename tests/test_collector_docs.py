"""docs/collector: configurations of the OpenTelemetry Collector, and the page that shows them."""

from __future__ import annotations

import copy
import itertools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.collector_structure import COMPONENTS, SOURCES, faults
from tests.ottl import OttlError, attributes_of, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CONFIGURATIONS = sorted((DOCS / "collector").glob("*.yaml"))
PAGE = DOCS / "how-to" / "collector.md"
HOSTS_ATTRIBUTES = {"az.namespace"}  # TraceFilterProcessor.cs of Azure/azure-functions-host
FREE = {"headers"}  # names of a user's own

each = pytest.mark.parametrize("file", CONFIGURATIONS, ids=lambda file: file.stem)


def load(file: Path) -> dict[str, Any]:
    """Read a configuration."""
    config: dict[str, Any] = yaml.safe_load(file.read_text())
    return config


def places(part: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """List the paths to every key and item of a configuration."""
    pairs = part.items() if isinstance(part, dict) else enumerate(part)
    for key, value in pairs:
        yield (*path, key)
        if isinstance(value, (dict, list)) and key not in FREE:
            yield from places(value, *path, key)


def parent_of(config: Any, path: tuple[Any, ...]) -> Any:
    """Return what holds the last key of a path."""
    for key in path[:-1]:
        config = config[key]
    return config


def noise() -> list[str]:
    """List the conditions of noise.yaml."""
    (group,) = load(DOCS / "collector" / "noise.yaml")["processors"]["filter/noise"][
        "trace_conditions"
    ]
    return list(group["conditions"])


def golden_spans() -> list[Mapping[str, Any]]:
    """List all spans of tests/golden."""
    recorded = (ROOT / "tests" / "golden").glob("*.json")
    return [span for file in sorted(recorded) for span in json.loads(file.read_text())["spans"]]


def exported_attributes() -> set[str]:
    """List the names of all attributes of these, and of those in the reference of triggers."""
    reference = (DOCS / "reference" / "triggers.md").read_text()
    recorded = itertools.chain(*(span.get("attributes", ()) for span in golden_spans()))
    return {*recorded, *re.findall(r"^\| `([^`]+)` \|", reference, re.MULTILINE)}


def as_ottl(span: Mapping[str, Any]) -> dict[str, Any]:
    """Take a recorded span as conditions see it."""
    return {
        "span.name": span["name"],
        "span.kind": span["kind"],
        "span.status.code": span["status"].get("code", "STATUS_CODE_UNSET"),
        "span.attributes": span.get("attributes", {}),
        "span.parent_span_id": span.get("parent_span_id", ""),
        "instrumentation_scope.name": span["scope"],
    }


def hosts(**attributes: str) -> dict[str, Any]:
    """Make a span as the host exports them; `parent`, `scope` and `status` may be given."""
    taken = {key: attributes.pop(key, "") for key in ("parent", "scope", "status")}
    return {
        "span.name": "",
        "span.kind": "SPAN_KIND_SERVER",
        "span.status.code": taken["status"] or "STATUS_CODE_UNSET",
        "span.attributes": {key.replace("__", "."): value for key, value in attributes.items()},
        "span.parent_span_id": taken["parent"],
        "instrumentation_scope.name": taken["scope"],
    }


def is_noise(span: Mapping[str, Any]) -> bool:
    """Tell whether noise.yaml leaves a span out."""
    return any(parse(condition)(span) for condition in noise())


@each
def test_collector_knows_each_key(file: Path) -> None:
    """A configuration has the Collector's keys and types; its pipelines use all that is there."""
    assert faults(load(file)) == []


@each
def test_a_typo_is_found(file: Path) -> None:
    """Whatever key or name of a configuration is misspelt, that is found."""
    config = load(file)
    overlooked = []
    for path in places(config):
        if path[-2:-1] and path[-2] in FREE:
            continue
        wrong = copy.deepcopy(config)
        holder, last = parent_of(wrong, path), path[-1]
        if isinstance(holder, dict):
            holder[f"{last}x"] = holder.pop(last)
        elif isinstance(holder[last], str) and "values" not in path:
            holder[last] += "x"
        else:
            continue
        overlooked += [path] if not faults(wrong) else []

    assert overlooked == []


@each
def test_a_wrong_type_is_found(file: Path) -> None:
    """Whatever setting of a configuration is given a value of another type, that is found."""
    config = load(file)
    overlooked = []
    for path in places(config):
        if isinstance(parent_of(config, path)[path[-1]], (dict, list)):
            continue
        wrong = copy.deepcopy(config)
        parent_of(wrong, path)[path[-1]] = ["of", "another", "type"]
        overlooked += [path] if not faults(wrong) else []

    assert overlooked == []


def test_structure_names_its_sources() -> None:
    """Each component whose structure is written down has the file that it was read in."""
    written = {f"{kind}/{name}" for kind, named in COMPONENTS.items() for name in named}

    assert written <= SOURCES.keys()


@each
def test_ports_are_otlps(file: Path) -> None:
    """Receivers listen on the ports that are OTLP's: 4318 for HTTP, 4317 for gRPC."""
    protocols = load(file)["receivers"]["otlp"]["protocols"]
    ports = {name: server["endpoint"].rpartition(":")[2] for name, server in protocols.items()}

    assert ports.items() <= {"http": "4318", "grpc": "4317"}.items()


def test_tiers_meet() -> None:
    """The first tier sends to the port, and by the protocol, that the second listens on."""
    first, second = (
        load(DOCS / "collector" / f"{name}.yaml") for name in ("load-balancing", "tail-sampling")
    )
    balanced = first["exporters"]["load_balancing"]
    listening = second["receivers"]["otlp"]["protocols"]["grpc"]

    assert listening["endpoint"].endswith(f":{balanced['resolver']['dns']['port']}")
    assert ("tls" in listening) == ("ca_file" in balanced["protocol"]["otlp"]["tls"])


@each
def test_destinations_have_queues(file: Path) -> None:
    """Every exporter has a bounded queue of its own, so that none holds up the receiver."""
    exporters = load(file)["exporters"]

    assert all(exporter["sending_queue"]["enabled"] for exporter in exporters.values())
    assert all(exporter["sending_queue"]["queue_size"] for exporter in exporters.values())


def test_what_is_on_disk_is_tried_for_good() -> None:
    """Where a queue is on disk, no retry gives up: giving up drops what is there."""
    stored = [
        exporter
        for file in CONFIGURATIONS
        for exporter in load(file)["exporters"].values()
        if "storage" in exporter["sending_queue"] and "retry_on_failure" in exporter
    ]

    assert stored
    assert {exporter["retry_on_failure"]["max_elapsed_time"] for exporter in stored} == {"0s"}


def test_attributes_are_exported() -> None:
    """Each attribute that a configuration looks at is one that funcscope exports, or the host."""
    sampling = load(DOCS / "collector" / "tail-sampling.yaml")["processors"]["tail_sampling"]
    looked_at = set(re.findall(r"'key': '([^']+)'", str(sampling["policies"])))
    looked_at.update(*map(attributes_of, noise()))

    assert looked_at <= exported_attributes() | HOSTS_ATTRIBUTES


def test_only_the_warm_up_is_noise() -> None:
    """Of all recorded spans, the warm-up trigger's alone is left out."""
    left_out = [span["name"] for span in golden_spans() if is_noise(as_ottl(span))]

    assert left_out == ["warmup"]


@pytest.mark.parametrize(
    "span",
    [
        hosts(url__path="/admin/host/ping"),
        hosts(url__path="/admin/warmup"),
        hosts(url__path="/", user_agent__original="AlwaysOn"),
        hosts(url__path="/api/health", user_agent__original="HealthCheck/1.0"),
        hosts(url__path="/api/health", user_agent__original="ReadyForRequest/1.0 (HealthCheck)"),
        hosts(url__path="/api/health", user_agent__original="kube-probe/1.32"),
        hosts(az__namespace="Microsoft.Storage", scope="Azure.Storage.Queues.QueueClient"),
        hosts(
            az__namespace="Microsoft.Storage", scope="Azure.Core.Http", parent="00f067aa0ba902b7"
        ),
    ],
    ids=lambda span: "-".join(span["span.attributes"].values()),
)
def test_pings_are_noise(span: dict[str, Any]) -> None:
    """Pings, probes and the host's storage are left out."""
    assert is_noise(span)


@pytest.mark.parametrize(
    "span",
    [
        hosts(url__path="/", user_agent__original="Mozilla/5.0"),
        hosts(url__path="/api/health", user_agent__original="curl/8.9"),
        hosts(url__path="/admin/functions/nightly", user_agent__original="curl/8.9"),
        hosts(url__path="/", user_agent__original="AlwaysOn", status="STATUS_CODE_ERROR"),
        hosts(url__path="/admin/host/ping", status="STATUS_CODE_ERROR"),
        # An output binding's: something asked for it.
        hosts(
            az__namespace="Microsoft.Storage",
            scope="Azure.Storage.Blobs",
            parent="00f067aa0ba902b7",
        ),
        # The app's own SDK, in Python.
        hosts(
            az__namespace="Microsoft.Storage", scope="azure.storage.blob", parent="00f067aa0ba902b7"
        ),
    ],
    ids=lambda span: "-".join(span["span.attributes"].values()),
)
def test_what_somebody_asked_for_is_no_noise(span: dict[str, Any]) -> None:
    """Callers' requests, probes that fail, and storage that an invocation used are kept."""
    assert not is_noise(span)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('span.name == "a" or span.name == "b" and span.name == "c"', True),
        ('(span.name == "a" or span.name == "b") and span.name == "c"', False),
        ('not span.name == "b" and span.kind == SPAN_KIND_SERVER', True),
        ('span.attributes["absent"] == nil', True),
        ('span.attributes["absent"] != "x"', True),
        ('IsMatch(span.attributes["absent"], ".*x")', False),
        ("IsRootSpan()", True),
    ],
)
def test_conditions_mean_what_ottl_means(condition: str, holds: bool) -> None:
    """`and` binds closer than `or`, `not` closest; what is absent is nil and matches nothing."""
    assert parse(condition)({**hosts(), "span.name": "a"}) is holds


@pytest.mark.parametrize(
    "condition",
    [
        "",
        'span.name = "a"',
        'span.name == "a" and',
        'span.nam == "a"',
        "span.attributes[key] == 1",
        'attributes["key"] == "a"',
        'IsMatch(span.name, "a"',
        'IsMatch(span.name "a")',
        'span.name == "a" span.name',
        "span.name ~ 1",
    ],
)
def test_what_is_no_condition_is_refused(condition: str) -> None:
    """A condition with a fault in it is refused, whatever the fault."""
    with pytest.raises(OttlError):
        parse(condition)


@each
def test_page_tells_of_each_file(file: Path) -> None:
    """The page links each configuration, and tells of each variable that it reads."""
    page = PAGE.read_text()

    assert f"(../collector/{file.name})" in page
    assert set(re.findall(r"\$\{env:([A-Z_]+)\}", file.read_text())) <= set(
        re.findall(r"`([A-Z_]+)`", page)
    )


def test_page_shows_what_files_have() -> None:
    """Each block of YAML on the page stands in a file as it is shown."""
    files = [file.read_text() for file in CONFIGURATIONS]
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)

    assert blocks
    assert [block for block in blocks if not any(block in text for text in files)] == []


def test_condition_of_the_page_is_one() -> None:
    """The condition that the page offers for a probe of one's own finds that probe."""
    (condition,) = re.findall(r"```text\n- (.*)\n```", PAGE.read_text())

    assert parse(condition)(hosts(url__path="/api/health"))
    assert attributes_of(condition) <= exported_attributes()


def test_settings_of_the_page_exist() -> None:
    """Each app setting that the page names is one of the reference's."""
    reference = (DOCS / "reference" / "settings.md").read_text()
    for found in re.findall(r"`([A-Z_{},]*\{[A-Z_{},]+)`", reference):
        reference += " ".join(braced(found))
    wanted = set(
        re.findall(r"\b(?:OTEL|FUNCSCOPE|APPLICATIONINSIGHTS)_[A-Z_]+[A-Z]", PAGE.read_text())
    )

    assert "OTEL_EXPORTER_OTLP_CLIENT_KEY" in wanted
    assert {name for name in wanted if name not in reference} == set()


def braced(name: str) -> list[str]:
    """Write out a name with alternatives in braces."""
    head, brace, rest = name.partition("{")
    if not brace:
        return [name]
    inner, _, tail = rest.partition("}")
    return [full for option in inner.split(",") for full in braced(head + option + tail)]
