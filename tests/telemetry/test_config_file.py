"""`OTEL_CONFIG_FILE` is used, or refused by name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from scripts.snippets import snippets_of

from funcscope.telemetry._config.settings import Settings, read_settings
from funcscope.telemetry._config_file import leaves_out

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("opentelemetry.configuration")

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
TRACES = """
tracer_provider:
  processors:
    - batch: {exporter: {otlp_http: {headers: [{name: api-key, value: hush}]%s}}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "otel.yaml"


def read(path: Path, text: str = "", **more: str) -> Settings:
    """Read the settings with a configuration file, and an endpoint beside it."""
    if text:
        path.write_text(f'file_format: "1.0"\n{text}')
    return read_settings({**ENDPOINT, "OTEL_CONFIG_FILE": str(path), **more})


def test_signals_are_the_files(path: Path) -> None:
    """What the file has no provider for is not exported, whatever the other settings say."""
    settings = read(path, TRACES % "" + f"# {ENDPOINT}")

    assert [name for name, signal in settings.signals.items() if signal.exporters] == ["traces"]
    assert settings.problems == ()
    assert "hush" not in repr(settings)


def test_file_of_the_how_to(tmp_path: Path) -> None:
    """What the how-to shows is read whole, with nothing wrong in it."""
    shown = next(s for s in snippets_of("docs/how-to/plug-points.md") if s.language == "yaml")
    file = tmp_path / "otel.yaml"
    file.write_text(shown.text)
    collector = {"COLLECTOR": "http://localhost:4318"}
    settings = read_settings({**collector, "OTEL_CONFIG_FILE": str(file)})

    assert settings.problems == ()
    assert all(signal.exporters for signal in settings.signals.values())


def test_what_does_not_apply_is_named(path: Path) -> None:
    """Settings of how we send, beside a file that takes none of them, are named in one line."""
    more = {
        "FUNCSCOPE_KEEP_RATIO": "0.1",
        "FUNCSCOPE_SPOOL_MAX_MB": "5",
        "FUNCSCOPE_MAX_LINKS": "7",
    }
    settings = read(path, TRACES % "", **more)

    assert settings.problems == (
        (
            "not read, as OTEL_CONFIG_FILE takes their place: "
            "FUNCSCOPE_KEEP_RATIO, FUNCSCOPE_SPOOL_MAX_MB, OTEL_EXPORTER_OTLP_ENDPOINT"
        ),
    )
    assert (settings.keep_ratio, settings.max_links) == (1.0, 7)


NOT_READ = (
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_BLRP_SCHEDULE_DELAY",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_METRICS_EXEMPLAR_FILTER",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_METRIC_EXPORT_TIMEOUT",
    "OTEL_PROPAGATORS",
    "OTEL_PYTHON_ID_GENERATOR",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
)


@pytest.mark.parametrize("name", NOT_READ)
def test_each_that_does_not_apply_is_named(path: Path, name: str) -> None:
    """Settings of OpenTelemetry's that the file is in the place of are named, one and all."""
    (problem,) = read(path, TRACES % "" + f"# {ENDPOINT}", **{name: "1"}).problems

    assert problem == f"not read, as OTEL_CONFIG_FILE takes their place: {name}"


@pytest.mark.parametrize(
    "name",
    [
        "OTEL_BSP_SCHEDULE_DELAY",  # holds for what a batch of spans leaves open
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_SERVICE_NAME",
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
        "OTEL_SEMCONV_STABILITY_OPT_IN",
    ],
)
def test_what_applies_beside_a_file_is_not_named(path: Path, name: str) -> None:
    """Settings that hold with a file, too, are no problem."""
    assert read(path, TRACES % "" + f"# {ENDPOINT}", **{name: "1"}).problems == ()


def test_disabled(path: Path) -> None:
    """A file that disables everything is one line."""
    settings = read(path, TRACES % "" + f"disabled: true # {ENDPOINT}")

    assert settings.exports_nothing
    assert settings.problems == (
        f"nothing is recorded: OTEL_CONFIG_FILE={str(path)!r} says disabled",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Configuration file not found"),
        ("resource: [hush, key: hush", "Failed to parse YAML"),
        (TRACES % ", timeout: soon", "tracer_provider.processors.0.batch.exporter.otlp_http"),
    ],
    ids=["missing", "no YAML", "no configuration"],
)
def test_a_file_that_cannot_be_used(
    path: Path, text: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is refused by name, with its fault and none of its values, and other settings hold."""
    settings = read(path, text)
    (problem,) = settings.problems

    assert problem.startswith(
        f"OTEL_CONFIG_FILE={str(path)!r} is not used, and other OTEL_* settings hold: "
    )
    assert reason in problem
    assert "\n" not in problem
    assert "hush" not in problem
    assert settings.logs.exporters == ("otlp",)
    assert caplog.text == ""


def test_a_file_without_providers(path: Path) -> None:
    """That nothing is exported then is one line."""
    settings = read(path, f"# {ENDPOINT}")

    assert settings.problems == (
        f"nothing is exported: OTEL_CONFIG_FILE={str(path)!r} has no provider",
    )


def test_without_the_package(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can read the file the extra is named."""
    monkeypatch.setitem(sys.modules, "opentelemetry.configuration.file", None)
    (problem,) = read(path, TRACES % "").problems

    assert 'pip install "funcscope[configuration]"' in problem


@pytest.mark.parametrize("enabled", [True, False])
def test_instrumentation_that_is_switched_off(path: Path, enabled: bool) -> None:
    """The file's `enabled: false` is heeded for us as for other instrumentations."""
    options = "{}" if enabled else "{enabled: false}"
    text = f"instrumentation/development: {{python: {{azure_functions: {options}}}}}"
    environ = {"OTEL_CONFIG_FILE": str(path)}
    read(path, text)

    assert leaves_out(environ, "azure_functions") is not enabled
    assert not leaves_out(environ, "requests")
    assert not leaves_out({}, "azure_functions")
