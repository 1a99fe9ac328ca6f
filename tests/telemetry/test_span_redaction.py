"""No secret leaves in a span or a log record, whoever made it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, Status, StatusCode
from tests.patience import PATIENCE_S
from tests.sdk_versions import INSTALLED

from funcscope.telemetry._logs.processor import CorrelatingProcessor
from funcscope.telemetry._pipeline.sdk_batches import ReadableSpanExporter
from funcscope.telemetry._redaction.names import SECRET_HEADERS, SECRET_PARAMETERS
from funcscope.telemetry._redaction.redactor import make_redactor
from funcscope.telemetry._spans.redaction import RedactingProcessor, rewrites_spans
from funcscope.telemetry._triggers.http import Headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Redaction = Callable[..., TracerProvider]

S3CRET = "s3cret-s3cret-s3cret"
URL = f"https://app.net/api/f?code={S3CRET}&x=1"
CLEAN = "https://app.net/api/f?code=REDACTED&x=1"


class Failing:
    """A redactor that fails."""

    def redact(self, text: str) -> str:
        """Fail."""
        raise ValueError(text)


def by_processor(exporter: SpanExporter, **options: Any) -> TracerProvider:
    """Redact in spans, after the processor that exports was added."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.add_span_processor(RedactingProcessor(**options))
    return provider


def by_exporter(exporter: SpanExporter, **options: Any) -> TracerProvider:
    """Redact around the exporter, as where a span's processors are not told that it ends."""
    provider = TracerProvider(shutdown_on_exit=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("funcscope.telemetry._pipeline.sdk_batches.rewrites_spans", lambda: False)
        redacting = ReadableSpanExporter(exporter, **options)
    provider.add_span_processor(SimpleSpanProcessor(redacting))
    return provider


@pytest.fixture(params=[by_processor, by_exporter], ids=lambda way: way.__name__)
def redaction(request: pytest.FixtureRequest) -> Redaction:
    """Make a provider that redacts, in each of both ways."""
    way: Redaction = request.param
    return way


@pytest.fixture
def server() -> Iterator[str]:
    """Serve 404 for everything, on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def everything(span: ReadableSpan) -> str:
    """Return all that is exported of a span."""
    return str(encode_spans([span]))


def test_every_part_of_a_span(redaction: Redaction) -> None:
    """Name, status, attributes, events and links are redacted; what is no secret is kept."""
    exporter = InMemorySpanExporter()
    tracer = redaction(exporter).get_tracer(__name__)
    link = Link(SpanContext(1, 2, is_remote=True), {"url": URL, "n": 1})
    span = tracer.start_span(f"GET {URL}", links=[link], attributes={"n": 1})
    span.set_attributes({"url.full": URL, "list": [URL, "b"], "http.request.header.cookie": ["a"]})
    span.add_event("exception", {"exception.message": f"cannot reach {URL}", "n": 1}, 7)
    span.add_event("plain", {"n": 2})
    span.set_status(Status(StatusCode.ERROR, URL))
    span.end()

    (done,) = exporter.get_finished_spans()
    assert S3CRET not in everything(done)
    assert done.name == f"GET {CLEAN}"
    assert done.status.description == CLEAN
    assert done.status.status_code is StatusCode.ERROR
    assert dict(done.attributes or {}) == {
        "n": 1,
        "url.full": CLEAN,
        "list": (CLEAN, "b"),
        "http.request.header.cookie": ("REDACTED",),
    }
    event, plain = done.events
    assert (event.name, event.timestamp) == ("exception", 7)
    assert dict(event.attributes or {}) == {"exception.message": f"cannot reach {CLEAN}", "n": 1}
    assert dict(plain.attributes or {}) == {"n": 2}
    assert done.links[0].context.span_id == 2
    assert dict(done.links[0].attributes or {}) == {"url": CLEAN, "n": 1}
    assert done.end_time
    assert done.start_time


def test_an_exception_in_a_users_span(redaction: Redaction) -> None:
    """The message, the stack trace and the status of what was raised are redacted."""
    exporter = InMemorySpanExporter()
    tracer = redaction(exporter).get_tracer(__name__)
    with pytest.raises(ValueError, match="s3cret"), tracer.start_as_current_span("mine"):
        raise ValueError(f"cannot reach {URL}")

    (done,) = exporter.get_finished_spans()
    assert S3CRET not in everything(done)
    assert CLEAN in str((done.events[0].attributes or {})["exception.stacktrace"])


def test_what_limits_dropped_is_still_counted(
    redaction: Redaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redacted span says how many attributes and events it lost."""
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1")
    monkeypatch.setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "1")
    exporter = InMemorySpanExporter()
    span = redaction(exporter).get_tracer(__name__).start_span("s")
    span.set_attributes({"a": 1, "url": URL})
    span.add_event("one")
    span.add_event("two", {"url": URL})
    span.end()

    (done,) = exporter.get_finished_spans()
    assert (done.dropped_attributes, done.dropped_events) == (1, 1)
    assert dict(done.attributes or {}) == {"url": CLEAN}


def test_names_of_ones_own(redaction: Redaction) -> None:
    """A user's names count in spans."""
    exporter = InMemorySpanExporter()
    tracer = redaction(exporter, redactor=make_redactor(["clientId"])).get_tracer(__name__)
    tracer.start_span("s", attributes={"url": "/f?clientid=a", "clientId": "a"}).end()

    (done,) = exporter.get_finished_spans()
    assert dict(done.attributes or {}) == {"url": "/f?clientid=REDACTED", "clientId": "REDACTED"}


def test_a_span_that_cannot_be_redacted_is_emptied(caplog: pytest.LogCaptureFixture) -> None:
    """A fault costs the span what it says, never a secret or the app, and is logged once."""
    exporter = InMemorySpanExporter()
    tracer = by_processor(exporter, redactor=Failing()).get_tracer(__name__)
    for _ in range(2):
        span = tracer.start_span(URL, attributes={"url": URL})
        span.add_event(URL)
        span.end()

    for done in exporter.get_finished_spans():
        assert S3CRET not in everything(done)
        assert (done.dropped_attributes, done.dropped_events) == (1, 1)
    assert [r.levelname for r in caplog.records] == ["ERROR"]


def test_the_installed_sdk_lets_spans_be_rewritten() -> None:
    """With the SDK that is installed, what is exported is the spans as they are."""
    exporter = InMemorySpanExporter()
    span = ReadableSpan("x")
    ReadableSpanExporter(exporter).export([span])

    assert rewrites_spans()
    assert exporter.get_finished_spans()[0] is span


def test_an_sdk_that_does_not_has_secrets_taken_out_of_copies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a span's processors are not told that it ends, the exporter redacts."""
    monkeypatch.setattr(RedactingProcessor, "_on_ending", lambda self, span: None)
    rewrites_spans.cache_clear()
    exporter = InMemorySpanExporter()
    try:
        ReadableSpanExporter(exporter).export([ReadableSpan("x", attributes={"password": S3CRET})])
    finally:
        rewrites_spans.cache_clear()

    attributes = exporter.get_finished_spans()[0].attributes
    assert attributes is not None
    assert "password" in attributes
    assert S3CRET not in str(dict(attributes))


@pytest.mark.parametrize("conventions", ["", "http", "http/dup"])
def test_client_spans_of_requests(
    conventions: str, redaction: Redaction, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the instrumentation of requests records of a call holds no secret."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", conventions)
    exporter = InMemorySpanExporter()
    RequestsInstrumentor().instrument(tracer_provider=redaction(exporter))
    try:
        query = f"Code={S3CRET}&next={quote(URL, safe='')}&x=11"
        assert (
            requests.get(f"http://me:{S3CRET}@{server}/api?{query}", timeout=PATIENCE_S).status_code
            == 404
        )
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:1/api?sig={S3CRET}", timeout=PATIENCE_S)
    finally:
        RequestsInstrumentor().uninstrument()

    first, second = exporter.get_finished_spans()
    assert S3CRET not in everything(first) + everything(second)
    url = str((first.attributes or {}).get("url.full") or (first.attributes or {})["http.url"])
    assert "Code=REDACTED" in url
    assert url.endswith("&x=11")
    assert "sig=REDACTED" in str(second.status.description)


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "encoded": lambda text: quote(text, safe=""),
    "encoded twice": lambda text: quote(quote(text, safe=""), safe=""),
    "json": json.dumps,
}
SAFE = st.text("ghijkmpqvwxyzGHIJKLMNOPQ0123456789", min_size=16, max_size=40)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(
    secret=SAFE,
    key=st.sampled_from(SECRET_PARAMETERS),
    header=st.sampled_from([name.replace("*", "x") for name in SECRET_HEADERS]),
    upper=st.integers(0, 2**20),
)
def test_no_exported_byte(encoding: str, secret: str, key: str, header: str, upper: int) -> None:
    """Of a secret in any place, name and encoding, no byte is in what OTLP sends."""
    key, header = (
        "".join(c.upper() if upper >> i & 1 else c for i, c in enumerate(n)) for n in (key, header)
    )
    encode = ENCODINGS[encoding]
    url = encode(f"https://me:{secret}@app.net/f?x=1&{key}={secret}")
    texts = [url, encode(f'{{"{header}": "{secret}"}}'), f"{header}: {secret}"]
    attributes = {
        "url.full": url,
        "url.query": f"{key}={secret}",
        "x-original-url": f"/f?{key}={secret}",
        f"http.request.header.{header.lower()}": [secret],
        "texts": texts,
    }
    sent = exported_span(texts, attributes) + exported_log(texts, attributes)

    assert secret.encode() not in sent
    assert sent.count(b"REDACTED") > 10


def exported_span(texts: list[str], attributes: dict[str, Any]) -> bytes:
    """Return what OTLP sends of a span that says all this."""
    exporter = InMemorySpanExporter()
    with by_processor(exporter).get_tracer(__name__).start_as_current_span(texts[0]) as span:
        span.set_attributes(attributes)
        span.set_status(StatusCode.ERROR, texts[1])
        for text in texts:
            span.add_event(text, attributes)
            span.record_exception(ValueError(text))
    return encode_spans(exporter.get_finished_spans()).SerializeToString()


def exported_log(texts: list[str], attributes: dict[str, Any]) -> bytes:
    """Return what OTLP sends of log records that say all this."""
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # the SDK's
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(CorrelatingProcessor())
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger(__name__)
    for text in texts:
        raised: Any = {"exception": ValueError(text)} if INSTALLED >= 42 else {}
        logger.emit(body=text, attributes=attributes, **raised)
    logger.emit(body={"texts": texts, **attributes})
    return encode_logs(exporter.get_finished_logs()).SerializeToString()


def test_headers_are_captured_by_list() -> None:
    """Named headers that are there become attributes, in any case, all values, redacted."""
    names = ("x-request-id", "referer", "x-absent", "authorization", "accept")
    headers = [
        ("x-request-id", "1"),
        ("Referer", URL),
        ("Authorization", "Bearer x"),
        ("Accept", "a"),
        ("accept", "b"),
        ("X-Other", "c"),
    ]

    assert Headers(request=names).of_request(headers) == {
        "http.request.header.x-request-id": ("1",),
        "http.request.header.referer": (CLEAN,),
        "http.request.header.authorization": ("REDACTED",),
        "http.request.header.accept": ("a", "b"),
    }
    assert Headers(response=("set-cookie",)).of_response({"Set-Cookie": "a=b"}) == {
        "http.response.header.set-cookie": ("REDACTED",)
    }
    assert Headers().of_request(headers) == {}
