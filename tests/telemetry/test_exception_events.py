"""Exceptions of invocations as log events, where somebody else's provider takes them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from funcscope.extensions import Function, Invocation
from funcscope.extensions.integration import entered
from funcscope.telemetry import bind
from funcscope.telemetry._logs.capture import bound_attributes
from funcscope.telemetry._spans.attributes import ExceptionEvents
from funcscope.telemetry._values.exceptions import ExceptionText


def test_event_has_its_invocation() -> None:
    """
    Whoever exports it, an event tells of its invocation by each name of the id, and what was bound.

    What is bound is plain and without secrets, and hides nothing of the exception.
    """
    exporter: Any = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    ids = ("faas.invocation_id", "InvocationId")
    events = ExceptionEvents(provider.get_logger("test"), id_names=ids, bound=bound_attributes)
    context: Any = SimpleNamespace(trace_context=None, retry_context=None)
    function = Function("hello", "/app", is_async=False, qualified_name="app.hello")
    with entered(Invocation("0f8e", function, {}, context)):
        order = {"id": 17, "of": "https://app.net/?code=s3cret1"}
        bind(order=order, password="s3cret2", **{"exception.type": "KeyError"})
        events.emit(ExceptionText("ValueError", "no", "ValueError: no"))
    (exported,) = exporter.get_finished_logs()
    attributes = dict(exported.log_record.attributes or {})

    assert {name: attributes.get(name) for name in (*ids, "faas.name", "exception.type")} == {
        **dict.fromkeys(ids, "0f8e"),
        "faas.name": "hello",
        "exception.type": "ValueError",
    }
    assert attributes["order.id"] == 17
    assert str(attributes["order.of"]).startswith("https://app.net/?code=")
    assert "s3cret" not in str(attributes)
