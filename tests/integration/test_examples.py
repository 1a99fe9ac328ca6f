"""The apps in `examples`, each run as its README says, called, and asked what it exports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
import yaml
from tests.environments import needs, python_beside
from tests.integration.running import RunningApp, Storage, is_of, is_ok
from tests.patience import PATIENCE_S, PROCESS_S

from funcscope.contrib.host.cli import main
from funcscope.telemetry._scope import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from funcscope.contrib.host import ReceivedSpan

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
NAMES = sorted(folder.name for folder in EXAMPLES.iterdir() if folder.is_dir())
APPS = {name: EXAMPLES / name / "app" if name == "own-extension" else EXAMPLES / name
        for name in NAMES}  # fmt: skip

pytestmark = pytest.mark.library_worker


def spans_of(app: RunningApp, trace_id: str, *names: str) -> list[ReceivedSpan]:
    """Wait for the spans with these names, and return them in this order."""

    def find(store: object) -> list[ReceivedSpan] | None:
        spans = {span.name: span for span in app.store.spans if span.trace_id == trace_id}
        return [spans[name] for name in names] if spans.keys() >= set(names) else None

    found = app.store.wait_for(find, timeout_s=PATIENCE_S)
    assert found is not None
    return found


def shows(app: RunningApp, name: str) -> None:
    """Wait for each line that a README shows, whatever its times, ids and place in a tree are."""
    (shown,) = re.findall(r"```text\n(.*?)```", (EXAMPLES / name / "README.md").read_text(), re.S)
    for line in filter(None, shown.splitlines()):
        told = line.lstrip("│├└─ ")
        if not told.startswith("fastapi."):  # as its newest version has them
            varying = re.sub(r"[0-9a-f]{32}|\d+(\\\.\d+)?", r"[0-9a-f.]+", re.escape(told))
            app.host.wait_for(varying)


def run_tests(folder: Path) -> None:
    """Run an example's own tests."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=PROCESS_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    """Copy an example to where its files may be changed."""

    def copy(name: str) -> Path:
        left = shutil.ignore_patterns("__pycache__", "dist")
        return Path(shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=left))

    return copy


def test_quickstart(run_app: Callable[..., RunningApp]) -> None:
    """A function's thread and stage are below its span, and one that fails has its exception."""
    app = run_app(APPS["quickstart"])

    hello, report = app.call("/api/hello/Ada"), app.call("/api/report")
    failed = app.call("/api/divide?a=1&b=0")

    assert (hello.text, report.text, failed.status) == ("Hello, Ada!", "10 lines", 500)
    assert is_of(app.log("greeting Ada"), app.span(hello))
    span = app.span(report)
    assert span.attributes["lines"] == 10
    (stage,) = spans_of(app, report.trace_id, "collect")
    assert stage.parent_id == span.span_id
    assert app.log("counting north").span_id == stage.span_id
    assert app.span(failed).attributes["error.type"] == "ZeroDivisionError"
    shows(app, "quickstart")


@needs("opencensus")
def test_leave_opencensus(run_app: Callable[..., RunningApp]) -> None:
    """OpenCensus's span, and the request that its integration of requests sees, are one trace."""
    app = run_app(APPS["leave-opencensus"], "--python", python_beside("opencensus"))

    answer = app.call("/api/price")

    assert answer.text == "9.20 EUR"
    span = app.span(answer, **{"faas.name": "price"})
    convert, asked = spans_of(app, answer.trace_id, "convert", "/api/rate")
    assert convert.attributes["currency"] == "EUR"
    assert (convert.parent_id, asked.parent_id) == (span.span_id, convert.span_id)
    assert is_of(app.log("asking for the rate"), span)
    app.span(answer, **{"faas.name": "rate"})
    shows(app, "leave-opencensus")


def test_one_import_was_changed(copied: Callable[[str], Path]) -> None:
    """Before the diff that its README shows, the app had OpenCensus's import, and all else."""
    folder = copied("leave-opencensus")
    after = (folder / "function_app.py").read_text().splitlines()
    subprocess.run(["git", "apply", "--reverse", "moved.diff"], cwd=folder, check=True)
    before = (folder / "function_app.py").read_text().splitlines()

    (change,) = [pair for pair in zip(before, after, strict=True) if len({*pair}) > 1]
    assert change == (
        "from opencensus.extension.azure.functions import OpenCensusExtension",
        "from funcscope.contrib.opencensus import OpenCensusExtension",
    )
    assert (folder / "moved.diff").read_text() in (folder / "README.md").read_text()


def test_fastapi_shop(run_app: Callable[..., RunningApp]) -> None:
    """Routes name the spans; what a background task and a pool do belongs to the invocation."""
    app = run_app(APPS["fastapi-shop"])

    found, ordered = app.call("/products/tea"), app.call("/orders/tea", "POST")

    assert found.text == '{"name":"tea","price":4.5}'
    assert (app.span(found).name, ordered.status) == ("GET /products/{name}", 202)
    span = app.span(ordered)
    assert span.name == "POST /orders/{name}"
    for text in ("reserving tea", "a confirmation of tea", "the label for tea"):
        assert is_of(app.log(text), span)
    (label,) = spans_of(app, ordered.trace_id, "print label")
    assert app.log("the label for tea").span_id == label.span_id
    shows(app, "fastapi-shop")


def test_queue_pipeline(run_app: Callable[..., RunningApp], storage: Storage) -> None:
    """An order is shipped; one that cannot be priced is tried twice, and then given up."""
    app = run_app(APPS["queue-pipeline"], "--traces", "all", AzureWebJobsStorage=storage.connection)

    for order in ("17/tea", "18/unicorns"):
        assert app.call(f"/api/orders/{order}", "POST").status == 202

    def invocation(function: str, order: str, **attributes: object) -> ReceivedSpan:
        asked = {"faas.name": function, "shop.order": order, **attributes}.items()
        return app.invocation(lambda span: asked <= span.attributes.items())

    assert is_of(app.log("shipping tea for 4.5"), invocation("ship", "17"))
    for attempt in (1, 2):
        failed = invocation("price", "18", **{"azure.functions.queue.dequeue_count": attempt})
        assert failed.attributes["error.type"] == "KeyError"
    assert is_ok(invocation("give_up", "18"), "CONSUMER")
    assert app.log("nobody could price unicorns").attributes["order"] == "18"
    shows(app, "queue-pipeline")


def is_charge(span: ReceivedSpan, *, has_failed: bool) -> bool:
    """Tell whether a span is an attempt to charge, with this outcome."""
    told = span.attributes
    return (told["faas.name"], "error.type" in told) == ("charge", has_failed)


def test_durable_order(run_app: Callable[..., RunningApp]) -> None:
    """Activities are spans of the orchestration's trace, retries too; its own lines come once."""
    app = run_app(APPS["durable-order"])

    answer = app.call("/api/orders", "POST", '["paint", "brush"]')

    assert answer.status == 202
    assert app.log("paid with receipt for 10").trace_id == answer.trace_id
    failed, paid = (
        app.invocation(partial(is_charge, has_failed=has_failed)) for has_failed in (True, False)
    )
    reserved = [span for span in app.store.spans if span.attributes.get("faas.name") == "reserve"]
    assert {span.trace_id for span in (failed, paid, *reserved)} == {answer.trace_id}
    assert len(reserved) == 2
    assert len([log for log in app.store.logs if log.body == "an order of 2 items"]) == 1
    shows(app, "durable-order")


def test_service_bus_batch(run_app: Callable[..., RunningApp]) -> None:
    """A batch by the admin route is one invocation, with a span for each message."""
    app = run_app(APPS["service-bus-batch"])

    app.invoke("pack", [{"order": 17, "item": "tea"}, {"order": 18, "item": "biscuits"}])

    batch = app.invocation(lambda span: span.attributes["faas.name"] == "pack")
    assert batch.attributes["messaging.batch.message_count"] == 2
    messages = app.store.wait_for(
        lambda store: (
            found if len(found := [s for s in store.spans if s.parent_id == batch.span_id]) == 2
            else None
        ),
        timeout_s=PATIENCE_S,
    )  # fmt: skip
    assert messages is not None
    assert sorted(str(span.attributes["shop.order"]) for span in messages) == ["17", "18"]
    assert app.log("packing tea").span_id in {span.span_id for span in messages}
    shows(app, "service-bus-batch")


def test_service_bus_links(copied: Callable[[str], Path]) -> None:
    """The example's own test sees a link for each message's sender."""
    run_tests(copied("service-bus-batch"))


def test_own_extension(run_app: Callable[..., RunningApp], copied: Callable[[str], Path]) -> None:
    """The package passes its tests, and its wheel, beside an app, has the extension run there."""
    folder = copied("own-extension")
    run_tests(folder)
    build = [sys.executable, "-m", "hatchling", "build", "-d", "dist"]
    subprocess.run(build, cwd=folder, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(folder / "app" / ".python_packages" / "lib" / "site-packages")
        files = {name.partition(".dist-info")[0] for name in archive.namelist()}
    app = run_app(folder / "app")

    answer = app.call("/api/hello", headers={"x-request-id": "17"})

    name = "functions_request_id"
    assert files == {
        *(f"{name}/{file}" for file in ("__init__.py", "_extension.py", "py.typed")),
        f"{name}-0.1.0",
    }
    assert len(list((folder / "dist").glob("*.tar.gz"))) == 1
    assert answer.headers["x-request-id"] == "17"
    assert app.span(answer).attributes["request.id"] == "17"
    assert app.log("greeting").attributes["request_id"] == "17"
    shows(app, "own-extension")


@pytest.mark.parametrize("name", NAMES)
def test_each_example_is_whole(name: str) -> None:
    """An example has a README of the same parts, and what Azure wants of an app."""
    readme = (EXAMPLES / name / "README.md").read_text()

    assert re.findall(r"^## (.*)$", readme, re.MULTILINE)[:3] == [
        "What it shows", "Run it", "What you see",
    ]  # fmt: skip
    assert f"[{name}]({name}/README.md)" in (EXAMPLES / "README.md").read_text()
    for file in ("host.json", "local.settings.json", "requirements.txt", "function_app.py"):
        assert (APPS[name] / file).exists(), file


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Callable[..., set[str]]:
    """Ask `funcscope doctor` by which rules it complains of an example: `doctor("quickstart")`."""

    def ask(name: str, *options: str) -> set[str]:
        main(["doctor", "--format", "json", str(APPS[name]), *options])
        return {finding["rule"] for finding in json.loads(capsys.readouterr().out)["findings"]}

    return ask


@pytest.mark.parametrize("name", NAMES)
def test_the_doctor_finds_nothing(doctor: Callable[..., set[str]], name: str) -> None:
    """`funcscope doctor` misses nothing but an address to send to, which the console stands for."""
    assert doctor(name) == {"nothing-exported"}


@pytest.mark.parametrize("name", NAMES)
def test_requirements_name_todays_wheel(name: str) -> None:
    """What is deployed beside an example is the wheel that `make wheel` makes now."""
    requirements = (APPS[name] / "requirements.txt").read_text()

    assert re.findall(r"^\./funcscope-(.*?)-py3-none-any\.whl", requirements, re.M) == [VERSION]


def test_flex_consumption(run_app: Callable[..., RunningApp]) -> None:
    """The app that is deployed answers here as well; its timer is one of its functions."""
    app = run_app(APPS["flex-consumption"])

    found, missing = app.call("/api/prices/tea"), app.call("/api/prices/unicorns")

    assert (found.text, missing.status) == ("4.5", 404)
    assert app.span(found).attributes["shop.item"] == "tea"
    assert is_of(app.log("asked for unicorns"), app.span(missing))
    shows(app, "flex-consumption")


def references(value: object) -> Iterator[str]:
    """Yield the names of what a parsed expression takes a property of."""
    if isinstance(value, dict):
        if value.get("type") == "property_accessor":
            value = value["operands"]["operand_1"]  # the other is the property
            yield from [value] if isinstance(value, str) else references(value)
            return
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)
    elif isinstance(value, str):
        yield from re.findall(r"\$\{(\w+)\.", value)


@pytest.mark.parametrize("name", ["main", "app"])
def test_the_infrastructure_parses(name: str) -> None:
    """Bicep of the example is such, and takes properties of what it declares alone."""
    pycep = pytest.importorskip("pycep")
    file = APPS["flex-consumption"] / "infra" / f"{name}.bicep"

    template = pycep.BicepParser(add_line_numbers=False).parse(file_path=file)

    kinds = ("parameters", "variables", "resources", "modules")
    declared = {symbol for kind in kinds for symbol in template.get(kind, ())}
    assert {*references(template)} <= {*declared, "role"}, template  # `role` is a loop's own
    assert template["outputs"]


def test_azd_finds_the_app() -> None:
    """The service of azure.yaml is the site's tag, and its project is the example."""
    folder = APPS["flex-consumption"]
    (service,) = (described := yaml.safe_load((folder / "azure.yaml").read_text()))["services"]
    site = (folder / "infra" / "app.bicep").read_text()

    assert f"'azd-service-name': '{service}'" in site
    assert (folder / described["services"][service]["project"] / "host.json").exists()
    given = (folder / "infra" / "main.parameters.json").read_text()
    assert re.findall(r"\$\{(\w+)\}", given) == ["AZURE_ENV_NAME", "AZURE_LOCATION"]


def test_deployed_settings_are_known(doctor: Callable[..., set[str]], tmp_path: Path) -> None:
    """The doctor has nothing to say of the app with the settings that its Bicep gives it."""
    site = (APPS["flex-consumption"] / "infra" / "app.bicep").read_text()
    block = site[site.index("appSettings:") :]
    settings = dict(re.findall(r"name: '(\w+)',?\s+value: '?([^'}\n]+)", block))
    settings["APPLICATIONINSIGHTS_CONNECTION_STRING"] = (
        f"InstrumentationKey={'0' * 8}-0000-0000-0000-{'0' * 12}"
    )
    listed = [{"name": name, "value": value} for name, value in settings.items()]
    (tmp_path / "settings.json").write_text(json.dumps(listed))

    assert len(settings) == 6
    assert doctor("flex-consumption", "--settings", str(tmp_path / "settings.json")) == set()
