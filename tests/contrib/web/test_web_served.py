"""A framework's server span is the invocation's, as far as that can be told apart."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import azure.functions as func
import pytest
from opentelemetry.trace import (
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    use_span,
)

from funcscope.contrib.web import install, set_route
from funcscope.contrib.web._apps import watch_apps
from funcscope.telemetry._annotations import ROUTE

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

Act = Callable[[Span], object]
Invoked = Callable[..., Any]


@pytest.fixture(params=["opentelemetry.instrumentation.asgi", "opentelemetry.instrumentation.wsgi"])
def start(request: pytest.FixtureRequest) -> Any:
    """Give what instrumentations start their spans with, as each of them imports it."""
    install()
    module: Any = pytest.importorskip(request.param)
    return module._start_internal_or_server_span


def server_span(start: Any, tracer: Tracer) -> Span:
    """Start a server span as instrumentations do."""
    span, _ = start(
        tracer=tracer,
        span_name="GET /items/{item}",
        start_time=None,
        context_carrier={},
        context_getter=None,
        attributes={"http.url": "https://app.net/?code=secret"},
    )
    return span  # type: ignore[no-any-return]


def serve(invoked: Invoked, act: Act, start: Any, tracer: Tracer, error: Any = None) -> Any:
    """Serve a request with an app that has a server span, and return the invocation's span."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with use_span(server_span(start, tracer), end_on_exit=True) as span:
            act(span)
            if error is not None:
                raise error
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    request = func.HttpRequest(method="GET", url="https://app.net/items/1", body=b"")
    with invoked() as (_, span):
        try:
            middleware = func.AsgiMiddleware(app)  # type: ignore[no-untyped-call]
            asyncio.run(middleware.handle_async(request, None))
        except KeyError:
            pass
        return span


def test_what_is_set_on_it(
    invoked: Invoked, start: Any, tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    """What hooks set is on the invocation's span, but for what a server span says anyway."""

    def act(span: Any) -> None:
        assert span.is_recording()
        assert span.kind is SpanKind.SERVER
        span.set_attributes({"http.request.header.x": ("1",), "http.target": "/items/1"})
        span.set_attribute("url.query", "code=secret")
        span.add_event("seen")
        span.add_link(span.get_span_context())
        span.update_name("GET /items/{item}")
        assert span.attributes == {"http.request.header.x": ("1",)}

    span = serve(invoked, act, start, tracer)

    assert exporter.get_finished_spans() == ()  # it is the invocation's to end
    assert span.name == "GET /{*route}"
    assert dict(span.attributes) == {"http.request.header.x": ("1",)}
    assert [event.name for event in span.events] == ["seen"]
    assert len(span.links) == 1


def test_a_name_of_ones_own(invoked: Invoked, start: Any, tracer: Tracer) -> None:
    """A name that is no method and route is the app's."""
    assert serve(invoked, lambda span: span.update_name("checkout"), start, tracer).name == (
        "checkout"
    )


def test_an_exception_that_leaves_the_app(invoked: Invoked, start: Any, tracer: Tracer) -> None:
    """It is left to the invocation to record; its status is an error's."""
    span = serve(invoked, lambda _: None, start, tracer, error=KeyError("x"))

    assert span.events == ()
    assert span.status.status_code is StatusCode.ERROR


def test_an_exception_that_stays(invoked: Invoked, start: Any, tracer: Tracer) -> None:
    """What the app records and deals with is on the invocation's span, once."""
    error = ValueError("dealt with")

    def act(span: Span) -> None:
        span.record_exception(error)
        span.record_exception(error)

    span = serve(invoked, act, start, tracer)

    assert [event.attributes["exception.message"] for event in span.events] == ["dealt with"]


def test_a_span_in_between(
    invoked: Invoked, start: Any, tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    """A request within the app's own span is not the invocation's."""

    def act(span: Span) -> None:
        with tracer.start_as_current_span("call"):
            server_span(start, tracer).end()

    serve(invoked, act, start, tracer)
    inner, call = exporter.get_finished_spans()

    assert (inner.name, inner.kind) == ("GET /items/{item}", SpanKind.INTERNAL)
    assert inner.parent == call.get_span_context()


def test_outside_any_app(start: Any, tracer: Tracer, exporter: InMemorySpanExporter) -> None:
    """Without an invocation instrumentations do what they did."""
    span, token = start(
        tracer=tracer,
        span_name="GET",
        start_time=None,
        context_carrier={},
        context_getter=_Getter(),
    )
    span.end()

    assert exporter.get_finished_spans()[0].kind is SpanKind.SERVER
    assert token is not None


class _Getter:
    def get(self, carrier: Any, key: str) -> None:
        return None

    def keys(self, carrier: Any) -> list[str]:
        return []


def test_set_route(invoked: Invoked) -> None:
    """An app on another framework says its own route; where there is no request that is nothing."""
    set_route("/nowhere")
    with invoked() as (made, _):
        set_route("/mine/{id}")
    with invoked("timerTrigger") as (timed, _):
        set_route("/mine/{id}")

    assert made.state[ROUTE] == "/mine/{id}"
    assert ROUTE not in timed.state


def test_another_azure_functions(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where apps are called otherwise, one line says so, and they run."""

    class AsgiResponse:
        @classmethod
        def from_app(cls, app: Any, request: Any) -> str:
            return "served"

    module: Any = sys.modules["azure.functions._http_asgi"]
    other: Any = sys.modules["azure.functions._http_wsgi"]
    monkeypatch.setattr(module, "AsgiResponse", AsgiResponse)
    monkeypatch.setattr(other, "WsgiResponse", other.WsgiResponse)
    monkeypatch.setattr(other.WsgiResponse, "from_app", other.WsgiResponse.from_app)
    with caplog.at_level(logging.WARNING, "funcscope.telemetry"):
        watch_apps()

    assert AsgiResponse.from_app(None, None) == "served"
    assert ["AsgiResponse.from_app" in record.message for record in caplog.records] == [True]


def test_installed_once() -> None:
    """Calling `install` again changes nothing."""
    install()
    module: Any = sys.modules["azure.functions._http_asgi"]
    before = module.AsgiResponse.__dict__["from_app"]
    install()

    assert module.AsgiResponse.__dict__["from_app"] is before


def test_an_app_without_a_framework_loads_nothing() -> None:
    """`funcscope.auto` loads this with the first framework that is imported, and not before."""
    code = (
        "import sys, funcscope.auto; name = 'funcscope.contrib.web';"
        "before = name in sys.modules; import starlette.routing; print(before, name in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False True"
