"""What the tests of OpenCensus's bridge share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from funcscope.extensions import Function, Invocation

# utcnow(), which Python 3.12 deprecates.
FILTERS = [
    "ignore:datetime.datetime.utcnow:DeprecationWarning:opencensus.common.utils",
    "ignore:datetime.datetime.utcnow:DeprecationWarning:opencensus.trace.span",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let OpenCensus use what Python deprecates."""
    for item in items:
        if "contrib/opencensus" in item.path.as_posix():
            for entry in FILTERS:
                item.add_marker(pytest.mark.filterwarnings(entry))


class Recording:
    """A provider of one's own, and what it was given."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def tracer(self) -> trace.Tracer:
        """A tracer of OpenTelemetry's."""
        return self.provider.get_tracer("test")

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """The spans that have ended, in that order."""
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> ReadableSpan:
        """Return the one span of a name."""
        (span,) = (span for span in self.spans if span.name == name)
        return span

    def parents(self) -> dict[str, str | None]:
        """Tell each span's parent, by name."""
        names = {span.context.span_id: span.name for span in self.spans}
        return {s.name: names.get(s.parent.span_id) if s.parent else None for s in self.spans}


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Recording:
    """Record in memory what OpenTelemetry is told."""
    made = Recording()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", made.provider)
    return made


Traced = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def traced(recording: Recording) -> Traced:
    """Run a block as a function's body, in the span `function`; it gets the worker's context."""
    extension = import_module("funcscope.contrib.opencensus").OpenCensusExtension

    @contextmanager
    def block(name: str = "function", *, is_recorded: bool = True) -> Iterator[Any]:
        context: Any = SimpleNamespace(invocation_id="0f8e", trace_context=None, retry_context=None)
        function = Function(name, "/app", is_async=False, qualified_name=f"app.{name}")
        span = recording.tracer.start_as_current_span(name)
        with span if is_recorded else nullcontext():
            step = extension.around_invocation(Invocation("0f8e", function, {}, context))
            next(step)
            try:
                yield context
            except BaseException as error:
                with pytest.raises(type(error)):
                    step.throw(error)
                raise
            with pytest.raises(StopIteration):
                step.send(None)

    return block


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test in whose course the bridge said that it had failed."""
    monkeypatch.setattr("funcscope.contrib.opencensus._bridge.problems.logged", set())
    yield
    assert [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.ERROR] == []
