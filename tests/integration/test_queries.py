"""The queries and dashboards of the docs: what they name is what arrives, and they parse."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from scripts.services import NODE_MODULES
from tests.integration.test_golden import CASES, IN_AZURE, RECORDED
from tests.patience import PROCESS_S

from funcscope.telemetry._semconv import OWN_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.ingestion import Ingestion

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "queries.md"
WORKBOOK = ROOT / "docs" / "dashboards" / "application-insights.workbook.json"
GRAFANA = ROOT / "docs" / "dashboards" / "grafana.json"
EXAMPLE = ROOT / "examples" / "queue-pipeline" / "function_app.py"
QUERIES = [code.strip() for code in re.findall(r"```kusto\n(.*?)```", PAGE.read_text(), re.S)]
METRICS = re.compile(r'"((?:faas|messaging|http|funcscope)\.[\w.]+)"')
PROPERTIES = re.compile(r'customDimensions\["([^"]+)"\]')

_COMMON = (
    "timestamp: datetime, itemType: string, customDimensions: dynamic, operation_Name: string, "
    "operation_Id: string, operation_ParentId: string, cloud_RoleName: string, "
    "cloud_RoleInstance: string, itemCount: int"
)
_SPAN = "id: string, name: string, success: string, resultCode: string, duration: real"
TABLES = {
    "requests": f"({_COMMON}, {_SPAN}, source: string, url: string)",
    "dependencies": f"({_COMMON}, {_SPAN}, target: string, type: string, data: string)",
    "traces": f"({_COMMON}, message: string, severityLevel: int)",
    "exceptions": f"({_COMMON}, type: string, method: string, outerType: string, "
    "outerMessage: string, innermostMessage: string, problemId: string, details: dynamic)",
    "customMetrics": f"({_COMMON}, name: string, value: real, valueCount: int, valueSum: real, "
    "valueMin: real, valueMax: real, valueStdDev: real)",
}
"""Columns of Application Insights' tables, as its own queries in the portal have them."""

Names = dict[str, set[str]]


@pytest.fixture
def arrived(
    run: Callable[..., Any], call: Callable[..., Any], ingestion: Ingestion, tmp_path: Path
) -> Names:
    """
    Run apps that send all there is to Azure Monitor.

    Returns:
        The names in `customDimensions`: of a metric's rows by its name, of all others by "".
    """
    handed_over = {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": ingestion.connection_string,
        "AzureFunctionsJobHost__telemetryMode": "OpenTelemetry",
        "PYTHON_ENABLE_OPENTELEMETRY": "true",
    }
    alone = {"OTEL_METRICS_EXPORTER": "azuremonitor,otlp", **handed_over}
    del alone["AzureFunctionsJobHost__telemetryMode"]
    for app, sending in (("v2_golden", alone), ("v2_triggers", handed_over)):
        (case,) = (case for case in CASES if case.app == app)
        calls = [call(function, **more) for function, more in case.calls]
        env = {**IN_AZURE, **case.env, **sending, "TMPDIR": str(tmp_path)}
        run(app, calls, path="native", env=env)
    names: Names = {"": set()}
    for envelope in ingestion.envelopes:
        row = envelope["data"]["baseData"]
        for metric in row.get("metrics", [{"name": ""}]):
            names.setdefault(metric["name"], set()).update(row["properties"])
    return names


@pytest.mark.library_worker
def test_queries_name_what_arrives(arrived: Names) -> None:
    """A query reads properties that rows have, or that are ours, and metrics that are sent."""
    own = {*OWN_NAMES, *re.findall(r"[\w.]*order\b", EXAMPLE.read_text())}
    for query in QUERIES:
        metrics = re.findall(
            r'"((?:faas|messaging|http|funcscope)\.[\w.]+)"', PROPERTIES.sub("", query)
        )
        assert {*metrics} <= arrived.keys(), query
        known = set[str]().union(*(arrived[name] for name in metrics or [""]), own)
        assert {*PROPERTIES.findall(query)} <= known, query


def test_the_workbook_has_the_pages_queries() -> None:
    """Each query of the workbook is one of the page's, of the time range that is chosen."""
    items = json.loads(WORKBOOK.read_text())["items"]
    queries = [item["content"] for item in items if item["type"] == 3]
    parameters = [p["name"] for i in items if i["type"] == 9 for p in i["content"]["parameters"]]

    assert len(queries) > 5
    assert {query["query"] for query in queries} <= {*QUERIES}
    assert {query["timeContextFromParameter"] for query in queries} == {*parameters}
    assert len({item["name"] for item in items}) == len(items)


def prometheus_names() -> dict[str, set[str]]:
    """Return, by its name in Prometheus, the labels of each metric that `tests/golden` has."""
    names: dict[str, set[str]] = {}
    recorded = [json.loads(file.read_text()) for file in RECORDED.glob("*.json")]
    for metric in (metric for export in recorded for metric in export["metrics"]):
        base = metric["name"].replace(".", "_") + ("_seconds" if metric["unit"] == "s" else "")
        suffixes = ["_bucket", "_sum", "_count"] if metric["kind"] == "histogram" else [""]
        if metric.get("is_monotonic"):
            suffixes = ["_total"]
        labels = {
            name.replace(".", "_") for p in metric["points"] for name in p.get("attributes", ())
        }
        for suffix in suffixes:
            names.setdefault(base + suffix, {"job", "instance", "le"}).update(labels)
    return names


def panels() -> list[dict[str, Any]]:
    """Return Grafana's panels that show something."""
    found: list[dict[str, Any]] = json.loads(GRAFANA.read_text())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def promql() -> list[str]:
    """Return Grafana's queries with its variables filled in."""
    written = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [q.replace("$__rate_interval", "5m").replace("$job", ".*") for q in written]


def test_grafana_names_what_is_exported() -> None:
    """Each metric of Grafana's dashboard is one of ours, and has the labels that are asked for."""
    names = prometheus_names()
    reasons = {"funcscope_export_reason"}  # nothing is dropped where exports are recorded
    for query in promql():
        metrics = {*re.findall(r"\b(?:faas|http|messaging|funcscope)_\w+(?=\{)", query)}
        labels = {*re.findall(r"(\w+)=", query)} | {
            label.strip() for by in re.findall(r"by \(([^)]*)\)", query) for label in by.split(",")
        }
        assert metrics, query
        assert metrics <= names.keys(), query
        assert labels <= set[str]().union(*(names[name] for name in metrics), reasons), query
    assert {name.replace("_", ".") for name in reasons} <= OWN_NAMES.keys()


def test_grafana_shows_each_panel_once() -> None:
    """Panels of Grafana's dashboard have ids of their own, and lie beside each other."""
    board = json.loads(GRAFANA.read_text())
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]

    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert len({*cells}) == len(cells)
    assert max(x for x, _ in cells) < 24


def parsed(kusto: list[str], promql: list[str]) -> dict[str, list[str]]:
    """Return what parsers say is wrong with queries, by the query."""
    if shutil.which("node") is None:
        pytest.skip("needs Node.js, which runs the parsers of queries")
    if not (NODE_MODULES / "@kusto").exists():
        pytest.skip("the parsers are not installed: python3 scripts/services.py --set-up-node")
    asked = {"kusto": kusto, "promql": promql, "tables": TABLES}
    done = subprocess.run(
        ["node", str(ROOT / "tests" / "kusto.js"), str(NODE_MODULES)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=PROCESS_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_queries_are_right() -> None:
    """Microsoft's parser knows each query's operators, tables and columns; Prometheus's its own."""
    wrong = ["requests | where nothing == 1", "requests | wher"]
    found = parsed([*QUERIES, *wrong], [*promql(), "sum(rate(a"])

    assert found.pop("sum(rate(a")
    for query in wrong:
        assert found.pop(query)
    assert found == {}
