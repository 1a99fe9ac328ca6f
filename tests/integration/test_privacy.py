"""What leaves: headers that are named, calls of instrumented clients, and no secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Runner = Callable[..., Any]
Caller = Callable[..., Any]

CLIENTS = {
    "FUNCSCOPE_INSTRUMENT": "requests",
    "FUNCSCOPE_CAPTURE_REQUEST_HEADERS": "X-Request-Id,Authorization",
    "FUNCSCOPE_CAPTURE_RESPONSE_HEADERS": "x-cost,set-cookie",
}


def test_instrumented_client(run: Runner, call: Caller, path: str) -> None:
    """A request of an instrumented client is a span below its invocation's, without its key."""
    result = run("v2_clients", [call("fetch")], path=path, env=CLIENTS)
    invocation = result.span()
    (client,) = (span for span in result.spans if span.kind == "CLIENT")

    assert (client.trace_id, client.parent_id) == (invocation.trace_id, invocation.span_id)
    assert "code=REDACTED&x=1" in repr(client.attributes)
    assert "s3cret" not in repr(result.spans)


def test_headers_that_are_named(run: Runner, call: Caller, path: str) -> None:
    """Headers of requests and responses are recorded where they are named, without secrets."""
    headers = {"x-request-id": "7", "authorization": "s3cretToken", "x-other": "no"}
    result = run("v2_clients", [call("fetch", headers=headers)], path=path, env=CLIENTS)
    attributes = result.span().attributes
    recorded = {key: list(value) for key, value in attributes.items() if ".header." in key}

    assert recorded == {
        "http.request.header.x-request-id": ["7"],
        "http.request.header.authorization": ["REDACTED"],
        "http.response.header.x-cost": ["3"],
        "http.response.header.set-cookie": ["REDACTED"],
    }


@pytest.mark.parametrize("name", ["hello", "boom"])
def test_secret_names_of_ones_own(run: Runner, call: Caller, name: str, path: str) -> None:
    """Names in FUNCSCOPE_REDACT are secret in spans, logs and exceptions, beside the built-in."""
    url = f"https://app.net/v2/{name}?session=s3cretSession&code=s3cretKey&x=1"
    result = run("v2", [call(name, url=url)], path=path, env={"FUNCSCOPE_REDACT": "session"})

    assert "s3cret" not in repr(result.spans) + repr(result.logs)
    assert result.span().attributes["url.query"] == "session=REDACTED&code=REDACTED&x=1"


def test_provider_of_the_app(run: Runner, call: Caller, path: str) -> None:
    """Under a provider that the app made a request's URL and headers are said without secrets."""
    url = "https://app.net/api/hello?session=s3cretSession&code=s3cretKey&x=1"
    made = call("hello", url=url, headers={"session": "s3cretSession"})
    env = {"FUNCSCOPE_REDACT": "session", "FUNCSCOPE_CAPTURE_REQUEST_HEADERS": "session"}
    result = run("v2_own_provider", [made], path=path, env=env, keeps_opentelemetry=True)
    attributes = result.span().attributes

    assert len(result.spans) == 1
    assert attributes["url.query"] == "session=REDACTED&code=REDACTED&x=1"
    assert list(attributes["http.request.header.session"]) == ["REDACTED"]


@pytest.mark.parametrize("setting", ["off", "on"])
def test_what_the_worker_sends_to_its_host(
    run: Runner, call: Caller, path: str, setting: str
) -> None:
    """The worker's own stream is redacted where that is asked for; what we export, always."""
    env = {"FUNCSCOPE_REDACT_STREAM": setting}
    result = run("v2_stream", [call("fetch")], path=path, env=env, host_stream=True)
    key = "REDACTED" if setting == "on" else "s3cretKey"
    streamed = [message for message, _ in result.host_stream]
    url = f"https://app.net/api/f?code={key}&x=1"

    assert f'HTTP Request: GET {url} "HTTP/1.1 200 OK"' in streamed
    assert "took 4 ms" in streamed
    assert ("s3cret" in "".join(streamed)) is (setting == "off")
    assert len(result.logs) >= 3
    assert "s3cret" not in repr(result.logs) + repr(result.spans)
    assert "ConnectionError: cannot reach" in repr(result.logs)


def test_measurements_of_an_instrumented_client(run: Runner, call: Caller, path: str) -> None:
    """What an instrumentation measures of a call has its URL without its key."""
    env = {"FUNCSCOPE_INSTRUMENT": "urllib"}
    result = run("v2_stream", [call("measured")], path=path, env=env)
    urls = [url for p in result.points if (url := p.attributes.get("http.url")) is not None]

    assert urls
    assert all(str(url).endswith("/absent?code=REDACTED&x=1") for url in urls)
    assert "s3cret" not in repr(result.points) + repr(result.spans)


@pytest.mark.library_worker
@pytest.mark.parametrize("length", [40, 60])
def test_secrets_that_a_limit_of_the_sdk_cuts(run: Runner, call: Caller, length: int) -> None:
    """A secret is told before a limit of the SDK cuts it in two; the limit holds all the same."""
    limit = {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": str(length)}
    url = "https://app.net/api/secrets?code=S3cretS3cretS3cretS3cretS3cretS3cret"
    result = run("v2_large", [call("secrets", url=url)], path="protobuf", env=limit)
    invocation = result.span()
    (child,) = (span for span in result.spans if span.name == "child")
    (log,) = (log for log in result.logs if log.body == "read GET")

    assert "S3cret" not in repr(result.spans)
    assert "S3cret" not in repr(result.logs)
    for attributes in (child.attributes, invocation.attributes):
        assert {"key", "pair", "user", "texts"} <= attributes.keys()
        assert all(len(text) <= length for text in attributes.values() if isinstance(text, str))
        assert all(len(text) <= length for text in attributes["texts"])
    assert child.attributes["key"] == "it is REDACTED"
    assert len(log.attributes["pair"]) <= length
