"""`OTEL_CONFIG_FILE` is used, or refused by name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from funcscope.telemetry._config.settings import Settings, read_settings

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
    settings = read(path, TRACES % "")

    assert [name for name, signal in settings.signals.items() if signal.exporters] == ["traces"]
    assert settings.problems == ()
    assert "hush" not in repr(settings)


def test_what_does_not_apply_is_named(path: Path) -> None:
    """A setting of how we send changes nothing beside a file, and that is said."""
    settings = read(path, TRACES % "", FUNCSCOPE_KEEP_RATIO="0.1", FUNCSCOPE_MAX_LINKS="7")

    assert settings.problems == (
        "FUNCSCOPE_KEEP_RATIO changes nothing, as OTEL_CONFIG_FILE says how telemetry is sent",
    )
    assert (settings.keep_ratio, settings.max_links) == (1.0, 7)


def test_disabled(path: Path) -> None:
    """A file that disables everything is one line."""
    settings = read(path, TRACES % "" + "disabled: true")

    assert settings.exports_nothing
    assert settings.problems == (
        f"nothing is recorded: OTEL_CONFIG_FILE={str(path)!r} says disabled",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Configuration file not found"),
        ("resource: [", "Failed to parse YAML"),
        (TRACES % ", timeout: soon", "tracer_provider.processors.0.batch.exporter.otlp_http"),
    ],
    ids=["missing", "no YAML", "no configuration"],
)
def test_a_file_that_cannot_be_used(path: Path, text: str, reason: str) -> None:
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


def test_without_the_package(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can read the file the extra is named."""
    monkeypatch.setitem(sys.modules, "opentelemetry.configuration.file", None)
    (problem,) = read(path, TRACES % "").problems

    assert 'pip install "funcscope[configuration]"' in problem
