"""Settings on the pages: known names, and values that are accepted."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from opentelemetry import environment_variables as of_api
from opentelemetry.sdk import environment_variables as of_sdk
from scripts.snippets import ROOT, Snippet, pages, snippets
from tests.test_collector_docs import braced

from funcscope.contrib._local.function_json import declaration_of
from funcscope.contrib._local.settings import read_local_settings
from funcscope.contrib.host.cli import main

if TYPE_CHECKING:
    from pathlib import Path

OF_AZURE = {
    "AzureWebJobsStorage",
}
"""App settings of Azure Functions on the pages that are nobody else's; each is in Microsoft's
https://learn.microsoft.com/azure/azure-functions/functions-app-settings."""
NOT_WHOLE = re.compile(r".*…|/home/site/")
"""Values that are not shown in full, and files that are in Azure alone."""
NO_SETTINGS = {
    "FUNCSCOPE_FUNCTION_NAME": "what a child process is given",
    "FUNCSCOPE_INVOCATION_ID": "what a child process is given",
    "FUNCSCOPE_KEEP_RATE": "a mistake that the doctor finds",
    "FUNCSCOPE_LOCAL_HOST": "what the local host tells its app",
    "FUNCSCOPE_SHARES": "what asks for tests on network shares",
}
"""Names on the pages that nobody sets for an app."""
OF_ANY = re.compile(r"AzureFunctionsJobHost__\w+")
"""Settings whose names are made: a place in host.json."""

FILES = {
    "function.json": {"bindings", "entryPoint", "retry", "scriptFile"},
    "host.json": {
        "extensionBundle", "extensions", "functionTimeout", "logging", "telemetryMode", "version",
    },
    "local.settings.json": {"ConnectionStrings", "Host", "IsEncrypted", "Values"},
}  # fmt: skip
"""The files that blocks of JSON show, told by their keys."""
DESTINATION = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}
"""Without one, the doctor warns that nothing is exported."""

SHOWN = [each for each in snippets() if each.is_run]
INI = [each for each in SHOWN if each.language == "ini"]
JSON = [each for each in SHOWN if each.language == "json"]


def known_settings() -> set[str]:
    """List the settings of the reference, of OpenTelemetry and of Azure."""
    reference = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    ours = {name for cell in re.findall(r"`([A-Z0-9_{},*]+)`", reference) for name in braced(cell)}
    theirs = {name for module in (of_api, of_sdk) for name in vars(module) if name.isupper()}
    return ours | theirs | OF_AZURE


def settings_of(snippet: Snippet) -> dict[str, str]:
    """Return the settings that a block shows, one in each line that is no comment."""
    lines = (line for line in snippet.text.splitlines() if line.strip() and line[0] not in "#;")
    return dict(line.split("=", 1) for line in lines)


def findings(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what `funcscope doctor` warns of in an app."""
    (folder / "function_app.py").write_text("import funcscope.auto\n")
    main(["doctor", str(folder), "--format", "json"])
    found = json.loads(capsys.readouterr().out)["findings"]
    return [each["message"] for each in found if each["severity"] != "note"]


def check(settings: dict[str, str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Check that names are known, and that values are none that the doctor warns of."""
    unknown = settings.keys() - known_settings()
    whole = {name: value for name, value in settings.items() if not NOT_WHOLE.match(value)}
    (folder / "local.settings.json").write_text(json.dumps({"Values": {**DESTINATION, **whole}}))

    assert {name for name in unknown if not OF_ANY.fullmatch(name)} == set()
    assert findings(folder, capsys) == []


@pytest.mark.parametrize("snippet", INI, ids=lambda each: each.place)
def test_settings(snippet: Snippet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Settings on a page are known, and nothing is wrong with them."""
    check(settings_of(snippet), tmp_path, capsys)


@pytest.mark.parametrize("snippet", JSON, ids=lambda each: each.place)
def test_json(snippet: Snippet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A host.json, local.settings.json or function.json is taken by what reads it in an app."""
    content = json.loads(snippet.text)
    name = next(name for name, keys in FILES.items() if content.keys() <= keys)
    (tmp_path / name).write_text(snippet.text)

    if name == "function.json":
        function = tmp_path / "shown"
        function.mkdir()
        (function / "__init__.py").touch()
        declaration_of(function / name, content)
    elif name == "local.settings.json":
        read_local_settings(tmp_path)
        check(content.get("Values", {}), tmp_path, capsys)
    else:
        (tmp_path / "local.settings.json").write_text(json.dumps({"Values": DESTINATION}))
        assert findings(tmp_path, capsys) == []


def test_settings_that_pages_name_are_ours() -> None:
    """Wherever a page names a setting of funcscope, there is one of that name."""
    known = known_settings() | NO_SETTINGS.keys()
    unknown = [
        f"{page}: {name}"
        for page in pages()
        for name in re.findall(r"\bFUNCSCOPE_[A-Z_]+[A-Z]\b", (ROOT / page).read_text("utf-8"))
        if name not in known
    ]

    assert unknown == []
