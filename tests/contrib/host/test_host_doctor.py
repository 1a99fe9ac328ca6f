"""`funcscope doctor` finds what is wrong with an app's telemetry from its files alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.patience import PROCESS_S

from funcscope.contrib.host._doctor.rules import RULES
from funcscope.contrib.host.cli import main

APPS = Path(__file__).parents[2] / "apps"
KEY = "00000000-1111-4222-8333-444444444444"
CONNECTION = f"InstrumentationKey={KEY};IngestionEndpoint=https://westeurope.example.com/"
AUTO = "import funcscope.auto\nimport azure.functions as func\n"
REDIS = "opentelemetry-instrumentation-redis"
OTLP = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}
EXTENSION = """\
import azure.functions as func
class Timing(func.AppExtensionBase):
    pass
"""


class Case(NamedTuple):
    """
    An app that has a finding, and the change that mends it.

    Attributes:
        sick: Files by name; `settings` are those of local.settings.json.
        well: The files that are other in the app that has not got the finding.
        python: Both run on it.
    """

    rule: str
    sick: dict[str, Any]
    well: dict[str, Any]
    python: str = "3.13"


FUNC_EXTENSION = """\
from funcscope.extensions import install
import azure.functions as func
class Timing(func.FuncExtensionBase):
    pass
Timing({})
"""
LATE = """\
import funcscope.auto
import azure.functions as func
from azure.monitor.opentelemetry import configure_azure_monitor
app = func.FunctionApp()
{}
@app.route("x")
def x(req: func.HttpRequest) -> str:
    {}
    return ""
"""

CASES = (
    Case("module-unreadable", {"shared.py": "def f(:\n"}, {"shared.py": ""}),
    Case("extensions-dropped", {"function_app.py": EXTENSION}, {"function_app.py": AUTO}),
    Case(
        "extensions-dropped",
        {"function_app.py": "from elasticapm.contrib.serverless.azure import ElasticAPMExtension"},
        {"function_app.py": "import elasticapm"},
    ),
    Case(
        "extensions-not-enabled",
        {"function_app.py": EXTENSION},
        {"settings": {"PYTHON_ENABLE_WORKER_EXTENSIONS": "1"}},
        python="3.12",
    ),
    Case(
        "extension-setting-ignored",
        {"settings": {"PYTHON_ENABLE_WORKER_EXTENSIONS": "1"}},
        {"settings": {}},
    ),
    Case(
        "func-extension-file-path",
        {"function_app.py": FUNC_EXTENSION.format("__file__")},
        {"function_app.py": FUNC_EXTENSION.format("'/home/site/wwwroot/hello/x.py'")},
    ),
    Case("telemetry-not-on", {"function_app.py": ""}, {"function_app.py": AUTO}),
    Case(
        "auto-import-late",
        {"function_app.py": f"import requests\nclient = requests.Session()\n{AUTO}"},
        {"function_app.py": f'"""My app."""\nimport requests\n{AUTO}client = requests.Session()\n'},
    ),
    Case(
        "opencensus-left",
        {"function_app.py": "from opencensus.trace import execution_context\n"},
        {"function_app.py": "from funcscope.contrib.opencensus import OpenCensusExtension\n"},
    ),
    Case(
        "set-up-in-function",
        {"function_app.py": LATE.format("", "configure_azure_monitor()")},
        {"function_app.py": LATE.format("configure_azure_monitor()", "")},
    ),
    Case(
        "requirement-missing",
        {"requirements.txt": "azure-functions\n"},
        {"requirements.txt": "funcscope"},
    ),
    Case(
        "requirement-missing",
        {"requirements.txt": ""},
        {"requirements.txt": "./funcscope-1-py3-none-any.whl"},
    ),
    Case(
        "requirement-missing",
        {"requirements.txt": "-r more.txt", "more.txt": "azure-functions"},
        {"more.txt": "-r requirements.txt\nfuncscope"},
    ),
    Case(
        "requirement-unreadable",
        {"requirements.txt": "fun scope"},
        {"requirements.txt": "-r more.txt"},
    ),
    Case(
        "worker-required",
        {"requirements.txt": "azure-functions-worker"},
        {"requirements.txt": "azure-functions"},
    ),
    *(
        Case("pin-against-funcscope", {"requirements.txt": sick}, {"requirements.txt": well})
        for sick, well in (
            ("opentelemetry-sdk==1.39.1", "opentelemetry-sdk==1.40.0"),
            ("opentelemetry_sdk<1.40", "opentelemetry_sdk<1.41"),
            (
                "opentelemetry-sdk<1.40; python_version >= '3.13'",
                "opentelemetry-sdk<1.40; python_version < '3.13'",
            ),
            (
                "opentelemetry-sdk<1.40; sys_platform == 'linux'",
                "opentelemetry-sdk<1.40; sys_platform == 'win32'",
            ),
            ("wrapt>=3", "wrapt>=1"),
            ("opentelemetry-api==1.2.*", "opentelemetry-api==1.45.*"),
            ("azure-monitor-opentelemetry==1.8.7  # why", "azure-monitor-opentelemetry>1.8"),
            (
                "opentelemetry-instrumentation-requests==0.60b1",
                "opentelemetry-instrumentation-requests",
            ),
        )
    ),
    Case(
        "pin-against-worker",
        {"requirements.txt": "protobuf==6.31.1"},
        {"requirements.txt": "protobuf<6"},
    ),
    Case(
        "pin-against-worker",
        {"requirements.txt": "grpcio>=1.70"},
        {
            "requirements.txt": "grpcio>=1.70",
            "settings": {"PYTHON_ISOLATE_WORKER_DEPENDENCIES": "1"},
        },
        python="3.11",
    ),
    Case(
        "opentelemetry-mixed",
        {"requirements.txt": f"opentelemetry-sdk==1.45.2\n{REDIS}==0.61b0"},
        {"requirements.txt": f"opentelemetry-sdk==1.40.0\n{REDIS}==0.61b0"},
    ),
    Case(
        "instrumentation-off",
        {"requirements.txt": "opentelemetry-instrumentation-requests"},
        {"settings": {"FUNCSCOPE_INSTRUMENT": "httpx, requests"}},
    ),
    Case(
        "instrumentation-off",
        {"requirements.txt": "opentelemetry-instrumentation-aiohttp-client"},
        {
            "function_app.py": f"{AUTO}import opentelemetry.instrumentation.aiohttp_client\n",
        },
    ),
    Case(
        "azure-monitor-missing",
        {"requirements.txt": "funcscope", "settings": {"OTEL_TRACES_EXPORTER": "azuremonitor"}},
        {"requirements.txt": "funcscope[azuremonitor]"},
    ),
    Case(
        "azure-monitor-missing",
        {
            "requirements.txt": "./funcscope-1-py3-none-any.whl",
            "settings": {"OTEL_TRACES_EXPORTER": "azuremonitor"},
        },
        {"requirements.txt": "./funcscope-1-py3-none-any.whl[azuremonitor]"},
    ),
    Case(
        "pin-against-funcscope",
        {"requirements.txt": "wheels/opentelemetry_sdk-1.39.1-py3-none-any.whl"},
        {"requirements.txt": "wheels/opentelemetry_sdk-1.40.0-py3-none-any.whl"},
    ),
    Case(
        "azure-monitor-missing",
        {
            "requirements.txt": "funcscope",
            "settings": {"APPLICATIONINSIGHTS_CONNECTION_STRING": CONNECTION},
        },
        {"settings": {"APPLICATIONINSIGHTS_CONNECTION_STRING": CONNECTION, **OTLP}},
    ),
    Case(
        "telemetry-mode-misplaced",
        {"host.json": '{"version": "2.0",\n "logging": {"telemetryMode": "OpenTelemetry"}}'},
        {"host.json": '{"version": "2.0", "telemetryMode": "OpenTelemetry"}'},
    ),
    Case(
        "telemetry-mode-unknown",
        {"host.json": '{"telemetryMode": "otel"}'},
        {"host.json": '{"telemetryMode": "opentelemetry"}'},
    ),
    Case(
        "log-filter",
        {"host.json": '{"logging": {"logLevel": {"default": "None"}}}'},
        {"host.json": '{"logging": {"logLevel": {"default": "None", "Function": "Information"}}}'},
    ),
    Case(
        "log-filter",
        {"host.json": '{"logging": {"logLevel": {"Function.order.User": "Critical"}}}'},
        {"host.json": '{"logging": {"logLevel": {"Host.Results": "Critical"}}}'},
    ),
    Case(
        "log-filter",
        {"settings": {"AzureFunctionsJobHost__logging__logLevel__Function": "None"}},
        {"settings": {"AzureFunctionsJobHost__logging__logLevel__Function": "Debug"}},
    ),
    Case(
        "insights-settings-ignored",
        {
            "host.json": '{"telemetryMode": "OpenTelemetry", "logging": {"applicationInsights": '
            '{"samplingSettings": {"isEnabled": true}}}}'
        },
        {"host.json": '{"logging": {"applicationInsights": {"samplingSettings": {}}}}'},
    ),
    Case(
        "secret-in-file",
        {"host.json": '{"extensions": {"x": {"connection": "AccountKey=c2VjcmV0MTIz"}}}'},
        {"host.json": '{"extensions": {"x": {"connection": "%STORAGE%"}}}'},
    ),
    Case(
        "setting-unknown",
        {"settings": {"FUNCSCOPE_KEEP_RATE": "0.5"}},
        {"settings": {"FUNCSCOPE_KEEP_RATIO": "0.5"}},
    ),
    Case(
        "setting-unknown",
        {"settings": {"OTEL_EXPORTER_OTLP_ENDPOINTS": "http://localhost:4318"}},
        {"settings": {"OTEL_SOMETHING_OF_MINE": "1"}},
    ),
    Case(
        "setting-wrong",
        {"settings": {"FUNCSCOPE_KEEP_RATIO": "half"}},
        {"settings": {"FUNCSCOPE_KEEP_RATIO": "0.5"}},
    ),
    Case(
        "connection-string-wrong",
        {"settings": {"APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=abc"}},
        {"settings": {"APPLICATIONINSIGHTS_CONNECTION_STRING": "@Microsoft.KeyVault(SecretUri=x)"}},
    ),
    Case(
        "endpoint-with-signal",
        {"settings": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318/v1/traces/"}},
        {"settings": {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318/v1/traces"}},
    ),
    Case(
        "port-of-other-protocol",
        {"settings": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317"}},
        {
            "settings": {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            }
        },
    ),
    Case("nothing-exported", {"settings": {}}, {"settings": OTLP}),
    Case(
        "nothing-exported",
        {"settings": {"OTEL_SDK_DISABLED": "true"}},
        {"settings": {"APPLICATIONINSIGHTS_CONNECTION_STRING": CONNECTION}},
    ),
    Case(
        "logs-nowhere",
        {
            "host.json": '{"telemetryMode": "OpenTelemetry"}',
            "settings": {"PYTHON_ENABLE_OPENTELEMETRY": "true", "OTEL_TRACES_EXPORTER": "otlp"},
        },
        {"settings": {"PYTHON_ENABLE_OPENTELEMETRY": "true", **OTLP}},
    ),
    Case(
        "logs-twice",
        {
            "host.json": '{"telemetryMode": "OpenTelemetry"}',
            "settings": {**OTLP, "OTEL_LOGS_EXPORTER": "otlp"},
        },
        {"settings": OTLP},
    ),
    Case(
        "worker-fails",
        {
            "requirements.txt": "azure-functions-runtime==1.2.1",
            "settings": {"PYTHON_ENABLE_OPENTELEMETRY": "true"},
        },
        {"requirements.txt": "azure-functions-runtime>=1.2.1"},
    ),
)


def write(directory: Path, files: dict[str, Any]) -> None:
    """Write an app's files."""
    directory.mkdir()
    for name, content in {"function_app.py": AUTO, "settings": {}, **files}.items():
        if name == "settings":
            name, content = "local.settings.json", json.dumps({"Values": content})
        (directory / name).write_text(content, encoding="utf-8")


def found(
    directory: Path, capsys: pytest.CaptureFixture[str], *options: str
) -> list[dict[str, Any]]:
    """Return the findings of an app."""
    main(["doctor", str(directory), "--format", "json", *options])
    findings: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["findings"]
    return findings


@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{case.rule}" for n, case in enumerate(CASES)])
def test_rule_tells_sick_from_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: Case
) -> None:
    """A rule finds an app that has what it is about, and leaves the same app alone without it."""
    write(tmp_path / "sick", case.sick)
    write(tmp_path / "well", {**case.sick, **case.well})

    sick = [f["rule"] for f in found(tmp_path / "sick", capsys, "--python-version", case.python)]
    well = [f["rule"] for f in found(tmp_path / "well", capsys, "--python-version", case.python)]

    assert sick.count(case.rule) == 1
    assert case.rule not in well


def test_every_rule_has_a_case() -> None:
    """No rule is there that no app has been seen to break."""
    assert {rule.id for rule in RULES} == {case.rule for case in CASES}


def test_pages_of_rules_are_there() -> None:
    """Each rule names a page of the docs that exists."""
    docs = Path(__file__).parents[3] / "docs"

    assert [rule.page for rule in RULES if not (docs / rule.page).is_file()] == []


def test_finding_has_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A finding says in which line it is."""
    write(tmp_path / "app", {"host.json": '{"version": "2.0",\n"x": {"telemetryMode": 1}}'})

    (finding,) = [f for f in found(tmp_path / "app", capsys) if f["severity"] == "error"]

    assert (finding["file"], finding["line"]) == ("host.json", 2)


def test_exit_code_follows_fail_on(tmp_path: Path) -> None:
    """A finding fails the command where it is as bad as asked for, and not below that."""
    write(tmp_path / "app", {})  # it has a warning: nothing is exported

    assert main(["doctor", str(tmp_path / "app")]) == 0
    assert main(["doctor", str(tmp_path / "app"), "--fail-on", "warning"]) == 1


def test_well_app_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An app that nothing is wrong with gets one line."""
    write(tmp_path / "app", {"settings": OTLP})

    assert main(["doctor", str(tmp_path / "app"), "--fail-on", "note"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize(
    "settings",
    [
        [{"name": "FUNCSCOPE_FLUSHING", "value": "idle", "slotSetting": False}],
        {"FUNCSCOPE_FLUSHING": "idle"},
        {"Values": {"FUNCSCOPE_FLUSHING": "idle"}},
    ],
    ids=["list", "object", "file"],
)
def test_deployed_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: object
) -> None:
    """Deployed settings, as Azure's command line prints them, take the place of local ones."""
    write(tmp_path / "app", {"settings": {"FUNCSCOPE_METRIC": "x"}})
    file = tmp_path / "deployed.json"
    file.write_text(json.dumps(settings), encoding="utf-8")

    findings = found(tmp_path / "app", capsys, "--settings", str(file))

    (message,) = [f["message"] for f in findings if f["rule"] == "setting-unknown"]
    assert "FUNCSCOPE_FLUSHING" in message


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"function_app.py": None}, "no function app in"),
        ({"host.json": "{"}, "host.json is not valid JSON"),
        ({"local.settings.json": "[]"}, "local.settings.json holds list"),
    ],
    ids=["no-app", "host", "settings"],
)
def test_unusable_app_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str | None], says: str
) -> None:
    """What cannot be read is named, with an exit code of its own."""
    write(tmp_path / "app", {})
    for name, content in files.items():
        file = tmp_path / "app" / name
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_text(content, encoding="utf-8")

    assert main(["doctor", str(tmp_path / "app")]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_that_powershell_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    """What is redirected into a file on Windows, with a byte order mark, is read as by pip."""
    write(tmp_path / "app", {})
    (tmp_path / "app" / "requirements.txt").write_text("funcscope\nfun scope\n", encoding)
    settings = tmp_path / "deployed.json"
    settings.write_text('{"FUNCSCOPE_FLUSHING": "idle"}', encoding)

    findings = found(tmp_path / "app", capsys, "--settings", str(settings))

    rules = {finding["rule"] for finding in findings}
    assert {"requirement-unreadable", "setting-unknown"} <= rules
    assert "requirement-missing" not in rules


def test_settings_file_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of settings that is missing is named."""
    write(tmp_path / "app", {})

    assert main(["doctor", str(tmp_path / "app"), "--settings", str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err


def test_settings_file_without_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of deployed settings that has none is refused, without what it holds."""
    write(tmp_path / "app", {})
    file = tmp_path / "deployed.json"
    file.write_text('["topsecret"]', encoding="utf-8")

    assert main(["doctor", str(tmp_path / "app"), "--settings", str(file)]) == 2
    error = capsys.readouterr().err
    assert "appsettings list" in error
    assert "topsecret" not in error


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_no_secret_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """No report has a key, a password or a token of the app's files."""
    settings = {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=topsecret1;Other",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:topsecret2@localhost:port/v1/traces",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization: topsecret3",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://u:topsecret4@localhost:4317/?code=topsecret5",
        "FUNCSCOPE_TOKEN": "topsecret6",
    }
    host = '{"x": {"y": "AccountKey=topsecret7;", "telemetryMode": "AccountKey=topsecret8"}}'
    write(tmp_path / "app", {"settings": settings, "host.json": host})

    assert main(["doctor", str(tmp_path / "app"), "--format", form]) == 1

    output = capsys.readouterr().out
    assert "secret-in-file" in output
    assert re.findall("topsecret.", output) == []


def test_sarif_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A SARIF report has what its specification (2.1.0) requires of each part."""
    write(tmp_path / "app", {"host.json": '{"logging": {\n"telemetryMode": "OpenTelemetry"}}'})

    main(["doctor", str(tmp_path / "app"), "--format", "sarif"])

    report = json.loads(capsys.readouterr().out)
    (run,) = report["runs"]
    declared = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert report["version"] == "2.1.0"
    assert run["tool"]["driver"]["name"]
    assert len(declared) == len(set(declared)) == len(RULES)
    for result in run["results"]:
        assert declared[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in {"note", "warning", "error"}
        assert result["message"]["text"]
    (misplaced,) = [r for r in run["results"] if r["ruleId"] == "telemetry-mode-misplaced"]
    (location,) = misplaced["locations"]
    assert location["physicalLocation"]["artifactLocation"] == {
        "uri": "host.json",
        "uriBaseId": "APP",
    }
    assert location["physicalLocation"]["region"] == {"startLine": 2}


@pytest.mark.parametrize(
    "app", sorted(str(p.parent.relative_to(APPS)) for p in APPS.rglob("host.json"))
)
def test_working_apps_have_no_error(capsys: pytest.CaptureFixture[str], app: str) -> None:
    """No error is found in an app that is known to run and to be seen."""
    findings = found(APPS / app, capsys, "--python-version", "3.13")

    assert [finding for finding in findings if finding["severity"] == "error"] == []


def test_app_is_not_run(tmp_path: Path) -> None:
    """The doctor imports nothing of the app, and nothing of what it requires."""
    write(tmp_path / "app", {"function_app.py": f"{AUTO}raise SystemExit(3)\n"})
    command = [sys.executable, "-m", "funcscope.contrib.host.cli", "doctor", str(tmp_path / "app")]

    done = subprocess.run(command, capture_output=True, text=True, timeout=PROCESS_S, check=False)

    assert (done.returncode, done.stderr) == (0, "")
