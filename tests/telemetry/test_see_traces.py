"""Where the settings of `docs/how-to/see-traces.md` send, and with what."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from funcscope.telemetry.integration import read_target

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "see-traces.md"
SECTION = re.compile(r"^### (.+?)\n(.*?)```ini\n(OTEL.*?)```", re.MULTILINE | re.DOTALL)
LOCAL = {signal: f"http://localhost:4318/v1/{signal}" for signal in ("traces", "logs", "metrics")}
TEAM = {"x-honeycomb-team": "YOUR_KEY"}


def settings() -> dict[str, dict[str, str]]:
    """Return the page's settings by the destination."""
    return {
        name: dict(line.split("=", 1) for line in block.splitlines())
        for name, _, block in SECTION.findall(PAGE.read_text())
    }


def test_each_destination_is_tried() -> None:
    """The page's destinations over OTLP are those that are tried here."""
    assert sorted(settings()) == sorted(
        ["Aspire's dashboard", "Grafana Cloud", "Grafana with Tempo, Loki and Prometheus",
         "Honeycomb", "Jaeger"]
    )  # fmt: skip


@pytest.mark.parametrize("signal", LOCAL)
@pytest.mark.parametrize("name", settings())
def test_settings_lead_to_the_destination(name: str, signal: str) -> None:
    """Each block of settings sends each signal where its destination takes it, without a fault."""
    problems: list[str] = []
    target = read_target(signal, settings()[name], problems)
    url = {
        "Grafana Cloud": f"https://otlp-gateway-prod-eu-west-2.grafana.net/otlp/v1/{signal}",
        "Honeycomb": f"https://api.honeycomb.io/v1/{signal}",
    }.get(name, LOCAL[signal])
    headers = {
        "Grafana Cloud": {"authorization": "Basic MTIzNDU2OmdsY190b2tlbg=="},
        "Honeycomb": TEAM
        | ({"x-honeycomb-dataset": "shop-metrics"} if signal == "metrics" else {}),
    }.get(name, {})

    assert target.endpoint == url
    assert dict(target.headers) == headers
    assert problems == []
