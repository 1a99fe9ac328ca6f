"""A handler of OpenTelemetry's that comes when funcscope takes log records already."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from funcscope.extensions.integration import entered
from funcscope.telemetry._config.settings import read_settings
from funcscope.telemetry._logs.capture import LogCapture
from funcscope.telemetry._logs.claims import RecordClaims
from funcscope.telemetry._logs.correlation import add_record_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from funcscope.extensions import Invocation

KEY = "00000000-0000-0000-0000-000000000000"
OTHER_KEY = KEY.replace("0000-", "1111-")
SETTINGS = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey={KEY}",
    "OTEL_LOGS_EXPORTER": "otlp,azuremonitor",
}
app = logging.getLogger("app")


class OTLPLogExporter(InMemoryLogRecordExporter):
    """Keeps what the SDK's would send."""

    def __init__(self, endpoint: str = "http://127.0.0.1:9/v1/logs") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._endpoint = endpoint


class AzureMonitorLogExporter(InMemoryLogRecordExporter):
    """Keeps what Microsoft's would send."""

    def __init__(self, key: str = KEY) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._instrumentation_key = key


class Late:
    """A handler with a provider of its own, and what that exports."""

    def __init__(self, *exporters: Any) -> None:
        self._exporters = exporters
        provider = LoggerProvider(shutdown_on_exit=False)
        for exporter in exporters:
            provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        self.handler = LoggingHandler(logger_provider=provider)

    def of(self, logger: str) -> list[Any]:
        """Return the records of a logger that came to the first exporter."""
        made = self._exporters[0].get_finished_logs()
        return [each.log_record for each in made if each.instrumentation_scope.name == logger]


@pytest.fixture
def capture() -> Iterator[list[Any]]:
    """Take log records as ours; return what was taken."""
    add_record_fields()
    taken: list[Any] = []
    settings = read_settings({**SETTINGS, "FUNCSCOPE_LOG_LEVELS": "quiet=ERROR"})
    provider = LoggerProvider(shutdown_on_exit=False)
    handlers, level = logging.root.handlers[:], logging.root.level
    logging.root.setLevel(logging.INFO)
    capture = LogCapture.of(
        provider, settings, SETTINGS, RecordClaims(), lambda item, _: taken.append(item)
    )
    capture.start()
    yield taken
    capture.stop()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def said(records: list[logging.LogRecord]) -> list[tuple[int, str]]:
    """Return what funcscope says of providers that come late."""
    return [(r.levelno, r.getMessage()) for r in records if "was set up after" in r.getMessage()]


@pytest.mark.parametrize(
    ("exporters", "passes", "level", "words"),
    [
        ([OTLPLogExporter()], False, "WARNING", "left to that, and come once"),
        ([AzureMonitorLogExporter()], False, "WARNING", "left to that, and come once"),
        ([OTLPLogExporter("localhost:4317")], True, "INFO", "log records alone"),
        ([AzureMonitorLogExporter(OTHER_KEY)], True, "INFO", "log records alone"),
        (
            [AzureMonitorLogExporter(OTHER_KEY), OTLPLogExporter()],
            True,
            "WARNING",
            "arrive twice where OTLPLogExporter sends them",
        ),
        ([InMemoryLogRecordExporter()], True, "INFO", "log records alone"),  # type: ignore[no-untyped-call]
    ],
    ids=["otlp", "azure", "another collector", "another resource", "a part", "unknown"],
)
def test_what_comes_late(
    capture: list[Any],
    caplog: pytest.LogCaptureFixture,
    exporters: list[Any],
    passes: bool,
    level: str,
    words: str,
) -> None:
    """What sends to the same places gets no record that ours take, and one line says what to do."""
    caplog.set_level(logging.INFO)
    late = Late(*exporters)
    logging.getLogger().addHandler(late.handler)
    app.warning("first")
    app.warning("second")
    logging.getLogger("quiet").warning("of a level that ours leave out")

    texts = [record.body for record in late.of("app")]
    assert texts == (["first", "second"] if passes else [])
    assert len(late.of("quiet")) == 1
    assert [item.body for item in capture if item.logger == "app"] == ["first", "second"]
    ((number, sentence),) = said(caplog.records)
    assert logging.getLevelName(number) == level
    assert words in sentence
    assert "above funcscope.telemetry.start()" in sentence


def test_records_name_their_invocation(
    capture: list[Any], invocation: Callable[..., Invocation]
) -> None:
    """A record that goes by a late handler as well has the id by which Azure's portal finds it."""
    late = Late(AzureMonitorLogExporter(OTHER_KEY))
    logging.getLogger().addHandler(late.handler)
    with entered(invocation()) as running:
        app.warning("inside")
    app.warning("outside")
    inside, outside = late.of("app")

    assert len(capture) >= 2
    assert inside.attributes["InvocationId"] == running.id
    assert inside.attributes["faas.name"] == running.function.name
    assert "InvocationId" not in outside.attributes


def test_a_provider_that_raises(capture: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a handler's provider is, the record that came with it is exported."""

    class Odd(LoggerProvider):
        def add_log_record_processor(self, log_record_processor: object) -> None:
            raise LookupError("odd")

    logging.getLogger().addHandler(LoggingHandler(logger_provider=Odd(shutdown_on_exit=False)))
    app.warning("first")

    assert [item.body for item in capture if item.logger == "app"] == ["first"]
    assert "a handler that came late is left as it is" in caplog.text


def test_ours_again(capture: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    """A handler that another takes the place of, and one of the same provider, change nothing."""
    late = Late(OTLPLogExporter())
    logging.getLogger().addHandler(late.handler)
    app.warning("first")
    logging.getLogger().addHandler(logging.NullHandler())
    app.warning("second")

    assert late.of("app") == []
    assert len(said(caplog.records)) == 1
    assert len([item for item in capture if item.logger == "app"]) == 2
