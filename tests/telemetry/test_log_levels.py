"""Which log records are exported."""

from __future__ import annotations

import logging

import pytest

from funcscope.telemetry._config.log_levels import LogLevels, parse_level, parse_levels

OFF = parse_level("OFF")


@pytest.mark.parametrize(
    ("logger", "lowest"),
    [
        ("app", None),
        ("azure", logging.WARNING),
        ("azure.core.pipeline.policies.http_logging_policy", logging.WARNING),
        ("azure.functions.mine", logging.WARNING),
        ("azure.functions", OFF),
        ("azure_functions_worker", OFF),
        ("azure_functions_worker.extension.Audit", None),
        ("azure_functions_runtime.handle_event", OFF),
        ("opentelemetry.exporter.otlp", OFF),
        ("opentelemetry_like", None),
        ("azure.monitor.opentelemetry.exporter.export", OFF),
        ("funcscope.telemetry", OFF),
        ("funcscope.extensions", None),
        ("urllib3.connectionpool", logging.WARNING),
        ("root", None),
    ],
)
def test_quiet_by_default(logger: str, lowest: int | None) -> None:
    """Unless told otherwise, SDKs are exported from WARNING, workers and exporters never."""
    assert LogLevels().own_of(logger) == lowest


def test_the_nearest_setting_counts() -> None:
    """A setting holds for a logger and what is below it, up to a nearer one."""
    levels = LogLevels(logging.WARNING, parse_levels(("azure=ERROR", "azure.core=DEBUG", "x=OFF")))

    assert levels.own_of("azure.identity") == logging.ERROR
    assert levels.own_of("azure.core.pipeline") == logging.DEBUG
    assert levels.own_of("x.y") == OFF
    assert levels.own_of("anything") is None
    assert levels.own_of("azure_functions_worker.extension.Audit") is None
    assert levels.lowest == logging.WARNING


def test_exporters_own_records_cannot_be_turned_on() -> None:
    """What exporting logs is never exported, whatever the settings say: it would not end."""
    assert LogLevels(0, {"opentelemetry": 0}).own_of("opentelemetry.sdk") == OFF


@pytest.mark.parametrize("name", ["warn", " WARNING ", "Warning"])
def test_levels_have_their_usual_names(name: str) -> None:
    """A level is read in any case."""
    assert parse_level(name) == logging.WARNING
