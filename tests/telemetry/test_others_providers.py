"""Providers that others have set: whose they are, and where they send to."""

from __future__ import annotations

import logging
from logging.handlers import MemoryHandler, QueueHandler
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest
from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter
from opentelemetry import _logs, metrics, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
    SpanExporter,
)

from funcscope.telemetry._logs.filters import has_handler_of_others
from funcscope.telemetry._providers import Exporter, describe
from funcscope.telemetry._scope import is_provider_set

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = "00000000-0000-0000-0000-000000000000"
ENDPOINT = "http://127.0.0.1:9/v1/traces"
AZURE = Exporter("AzureMonitorTraceExporter", "azuremonitor", KEY)
OTLP = Exporter("OTLPSpanExporter", "otlp", ENDPOINT)


@pytest.fixture
def azure_exporter(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make Azure Monitor's own exporter, which sends nothing of itself."""
    for name in ("STATSBEAT_DISABLED_ALL", "SDKSTATS_DISABLED", "CONTROLPLANE_DISABLED"):
        monkeypatch.setenv(f"APPLICATIONINSIGHTS_{name}", "true")
    return AzureMonitorTraceExporter(
        connection_string=f"InstrumentationKey={KEY};IngestionEndpoint=http://127.0.0.1:9/",
        disable_offline_storage=True,
    )


def with_processors(*processors: Any) -> TracerProvider:
    """Make a tracer provider as an app does."""
    provider = TracerProvider(shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    return provider


class Wrapping(SpanExporter):
    """An exporter that has another one send, as Logfire's."""

    def __init__(self, exporter: SpanExporter) -> None:
        self.wrapped_exporter = exporter


class Own(OTLPSpanExporter):
    """An exporter of the app's, of a kind that is known."""


def test_exporters_of_spans(azure_exporter: Any) -> None:
    """All exporters of a provider are found, with where they send to, however they are batched."""
    batches: Any = BatchSpanProcessor(OTLPSpanExporter(endpoint=ENDPOINT))
    wrapped = SimpleSpanProcessor(Wrapping(Own(endpoint=ENDPOINT)))
    found = describe(
        with_processors(batches, SimpleSpanProcessor(azure_exporter), wrapped), "tracer"
    )
    batches.shutdown()

    assert sorted(found.exporters) == [AZURE, OTLP, OTLP._replace(name="Own")]
    assert found.of_kind("azuremonitor") == [AZURE]
    # Of a name that is not known, it may be any of them.
    wanted = ("otlp", "azuremonitor", "console", "somebodys")
    assert [name for name in wanted if not found.has(name)] == ["console"]
    assert found.name == (
        "the app's own tracer provider with AzureMonitorTraceExporter, OTLPSpanExporter, Own"
    )
    assert found.takes_processors


def test_exporters_of_the_other_signals() -> None:
    """The same of log records and of metrics."""
    loggers = LoggerProvider(shutdown_on_exit=False)
    exporter = OTLPLogExporter(endpoint="http://127.0.0.1:9/v1/logs")
    loggers.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    batches: Any = BatchLogRecordProcessor(exporter)
    loggers.add_log_record_processor(batches)
    reader = PeriodicExportingMetricReader(ConsoleMetricExporter(), export_interval_millis=1e9)
    meters = MeterProvider([reader], shutdown_on_exit=False)
    found = describe(loggers, "logger"), describe(meters, "meter")
    batches.shutdown()
    meters.shutdown()

    assert [each.exporters for each in found] == [
        (Exporter("OTLPLogExporter", "otlp", "http://127.0.0.1:9/v1/logs"),),
        (Exporter("ConsoleMetricExporter", "console", ""),),
    ]


class Odd:
    """A provider whose parts cannot be looked at."""

    @property
    def provider(self) -> object:
        raise RuntimeError("odd")


class Endless:
    """A provider that holds another one, and so on."""

    @property
    def provider(self) -> object:
        return Endless()


@pytest.mark.parametrize("provider", [Odd(), Endless()], ids=["raises", "has no end"])
def test_objects_that_cannot_be_asked(provider: object) -> None:
    """A provider that raises, or has no end, is named by its class, and nothing else is known."""
    found = describe(provider, "tracer")

    assert found.name == f"{__name__}.{type(provider).__name__}"
    assert found.exporters == ()


def test_a_processor_of_an_instrumentation_is_no_owner() -> None:
    """Whose a provider is, its exporters do not tell: they go where anybody sends to."""
    provider = with_processors(SimpleSpanProcessor(ConsoleSpanExporter()))

    assert describe(provider, "tracer").owner == "the app's own tracer provider"


def test_a_proxy_of_others_is_a_provider() -> None:
    """The API's stand-ins are no providers; what others call a proxy, as Logfire does, is one."""
    proxy = type("ProxyTracerProvider", (trace.TracerProvider,), {"get_tracer": None})
    stand_ins = (
        trace.ProxyTracerProvider(),
        metrics._internal._ProxyMeterProvider(),
        _logs._internal.ProxyLoggerProvider(),
    )

    assert is_provider_set(proxy())
    assert [is_provider_set(each) for each in stand_ins] == [False] * 3


@pytest.fixture
def add(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, logging.Handler], None]]:
    """Give a logger a handler, in a process where no other logger has one."""
    loggers = [each for each in logging.root.manager.loggerDict.values() if hasattr(each, "level")]
    for logger in (logging.root, *loggers):
        monkeypatch.setattr(logger, "handlers", [])
    added: list[tuple[logging.Logger, logging.Handler]] = []

    def add(name: str, handler: logging.Handler) -> None:
        added.append((logging.getLogger(name), handler))
        logging.getLogger(name).addHandler(handler)

    yield add
    for logger, handler in added:
        logger.removeHandler(handler)


@pytest.mark.parametrize(
    ("handler", "brings"),
    [
        (logging.NullHandler(), False),
        (LoggingHandler(logger_provider=LoggerProvider(shutdown_on_exit=False)), True),
        (QueueHandler(SimpleQueue()), True),
        (MemoryHandler(1), True),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("logger", ["", "of.some.library"])
def test_handlers_that_bring_records(
    add: Callable[[str, logging.Handler], None], logger: str, handler: logging.Handler, brings: bool
) -> None:
    """A handler on any logger, or behind a queue, may bring a provider what is logged."""
    add(logger, handler)

    assert has_handler_of_others() is brings
