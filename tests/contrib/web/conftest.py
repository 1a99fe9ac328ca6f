"""What the tests of web frameworks share."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import azure.functions as func
import pytest
from opentelemetry.context import attach, detach
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Span, Tracer, set_span_in_context

from funcscope.contrib.web import install
from funcscope.extensions import Binding, Function, Invocation
from funcscope.extensions._invocation import PartialContext, entered
from funcscope.telemetry._annotations import ROUTE
from funcscope.telemetry._context import set_invocation_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Served = tuple[Invocation, Span]


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """Keep the spans that have ended."""
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> Tracer:
    """Make spans."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("tests")


@pytest.fixture
def invoked(tracer: Tracer) -> Callable[..., Any]:
    """Make invocations with a span to run in; each is used as a context manager."""
    install()

    @contextmanager
    def run(trigger: str = "httpTrigger") -> Iterator[Served]:
        bindings = (Binding("req", trigger, "in", {}),)
        function = Function("app", "/app", is_async=True, qualified_name="app", bindings=bindings)
        context = PartialContext("0f8e", "app", "/app", thread_local_storage=None)
        made = Invocation("0f8e", function, {}, context)
        span = tracer.start_span("GET /{*route}")
        set_invocation_span(made, span)
        token = attach(set_span_in_context(span))
        try:
            with entered(made):
                yield made, span
        finally:
            detach(token)

    return run


@pytest.fixture
def route_of(invoked: Callable[[], Any]) -> Callable[..., object]:
    """Have an ASGI app serve a path in an invocation, and return the route that was recorded."""

    def serve(app: Any, path: str, method: str = "GET") -> object:
        request = func.HttpRequest(method=method, url=f"https://app.net{path}", body=b"")
        with invoked() as (made, _):
            middleware = func.AsgiMiddleware(app)  # type: ignore[no-untyped-call]
            asyncio.run(middleware.handle_async(request, None))
        return made.state.get(ROUTE)

    return serve
