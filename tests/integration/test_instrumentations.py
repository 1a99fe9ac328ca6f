"""Instrumentations are on before the app makes its clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.library_worker

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

NAMED = {"FUNCSCOPE_INSTRUMENT": "sqlalchemy, requests,httpx,urllib"}
CLIENTS = {
    "sql": "sqlalchemy",
    "by_session": "requests",
    "by_client": "httpx",
    "by_aclient": "httpx",
    "by_opener": "urllib",
}


def test_clients_made_at_import(run: Runner, call: Caller, path: str) -> None:
    """What a client does that was made when the app was imported is below its invocation."""
    env = {"FUNCSCOPE_INSTRUMENT": "auto"}
    result = run("v2_instrumented", [call(name) for name in CLIENTS], path=path, env=env)

    for index, library in enumerate(CLIENTS.values()):
        invocation = result.span(index)
        scopes = {s.scope for s in result.spans if s.parent_id == invocation.span_id}
        assert scopes == {f"opentelemetry.instrumentation.{library}"}
    assert "select" in {span.name for span in result.spans}  # else an engine's connection alone


@pytest.mark.parametrize(
    ("opt_in", "attribute", "metric"),
    [
        ("", "http.method", "http.client.duration"),
        ("http", "http.request.method", "http.client.request.duration"),
    ],
    ids=["default", "http"],
)
def test_measurements_and_conventions(
    run: Runner, call: Caller, path: str, opt_in: str, attribute: str, metric: str
) -> None:
    """Meters made before there is a provider measure, by the conventions that are asked for."""
    env = {**NAMED, "OTEL_SEMCONV_STABILITY_OPT_IN": opt_in}
    result = run("v2_instrumented", [call("by_session")], path=path, env=env)
    (client,) = (span for span in result.spans if span.kind == "CLIENT")

    assert client.attributes[attribute] == "GET"
    assert metric in result.metrics


def test_the_apps_own_word_counts(run: Runner, call: Caller, path: str) -> None:
    """What an app turns on in code has its hooks and one span; what it turns off is off."""
    env = {**NAMED, "OWN": "1", "OFF": "1"}
    result = run("v2_instrumented", [call("by_session"), call("sql")], path=path, env=env)
    (client,) = (span for span in result.spans if span.kind == "CLIENT")

    assert client.attributes["hooked"] == "GET"
    assert "already instrumented" not in result.stderr
