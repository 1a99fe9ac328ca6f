"""Log records that handlers of the app's own bring to the provider, too."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers
import queue
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import _logs
from opentelemetry._logs import LogRecord, NoOpLoggerProvider, SeverityNumber, _internal
from opentelemetry.instrumentation.logging import LoggingInstrumentor
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import LoggingHandler as SdkHandler
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from funcscope.extensions._invocation import entered
from funcscope.telemetry._annotations import suppress_export_while
from funcscope.telemetry._config.log_levels import LogLevels
from funcscope.telemetry._logs import capture as _log_export
from funcscope.telemetry._logs.capture import LogCapture
from funcscope.telemetry._logs.claims import _REMEMBERED, OneWay, RecordClaims
from funcscope.telemetry._logs.correlation import add_record_fields
from funcscope.telemetry._logs.processor import CorrelatingProcessor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from funcscope.extensions import Invocation

app = logging.getLogger("app")
shop = logging.getLogger("app.shop")


class Exported:
    """A provider as ours is made, what takes records to it, and what came out of it."""

    def __init__(self) -> None:
        self.exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        self.provider = LoggerProvider(shutdown_on_exit=False)
        claims = RecordClaims()
        processors = (CorrelatingProcessor(), SimpleLogRecordProcessor(self.exporter))
        self.provider.add_log_record_processor(OneWay(claims, processors))
        self.export = LogCapture(self.provider, LogLevels(), claims=claims)

    @property
    def records(self) -> list[Any]:
        """What the app logged, in order."""
        found = [f.log_record for f in self.exporter.get_finished_logs()]
        return [record for record in found if "OpenTelemetry" not in str(record.body)]

    @property
    def texts(self) -> list[object]:
        """What that says."""
        return [record.body for record in self.records]


@pytest.fixture(autouse=True)
def _own_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put logging back as it was, and have no logger provider set."""
    add_record_fields()
    for name in ("filter", "callHandlers"):
        monkeypatch.setattr(logging.Logger, name, vars(logging.Logger)[name])
    for name in ("basicConfig",):
        monkeypatch.setattr(logging, name, getattr(logging, name))
    for name in ("dictConfig", "fileConfig"):
        monkeypatch.setattr(logging.config, name, getattr(logging.config, name))
    monkeypatch.setattr(_log_export, "_active", _log_export._Active())
    monkeypatch.setattr(_internal, "_LOGGER_PROVIDER", None)
    root_handlers, root_level = logging.root.handlers[:], logging.root.level
    logging.root.setLevel(logging.INFO)
    yield
    logging.root.handlers[:] = root_handlers
    logging.root.setLevel(root_level)
    for logger in (app, shop):
        logger.handlers[:] = []
        logger.propagate = True
        logger.setLevel(logging.NOTSET)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Exported]:
    """Set the process's provider, as the first invocation does, and take records to it."""

    def make() -> Exported:
        made = Exported()
        monkeypatch.setattr(_internal, "_LOGGER_PROVIDER", made.provider)
        made.export.start()
        return made

    return make


class Translating(LoggingHandler):
    """A subclass that changes what is emitted: its text, its attributes."""

    def _translate(self, record: logging.LogRecord) -> Any:
        made = super()._translate(record)
        made.body = f"<{made.body!s}>"
        made.attributes = {}
        return made


class Own(logging.Handler):
    """A handler that asks nothing of OpenTelemetry's: it emits when and what it likes."""

    def emit(self, record: logging.LogRecord) -> None:
        body = f"own {self.format(record)}"
        emitted = LogRecord(timestamp=7, body=body, severity_number=SeverityNumber.INFO)
        _logs.get_logger("own").emit(emitted)


def sdk_handler() -> logging.Handler:
    """Make the SDK's, which is deprecated and much used."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SdkHandler(level=logging.INFO)


def filtered() -> logging.Handler:
    """Make one that lets some records pass."""
    handler = LoggingHandler()
    handler.addFilter(lambda record: "root" in record.getMessage())
    return handler


def by_dict_config() -> None:
    """Set logging up as frameworks do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "handlers": {"otel": {"class": "opentelemetry.sdk._logs.LoggingHandler"}},
                "root": {"handlers": ["otel"], "level": "INFO"},
            }
        )


HANDLERS: dict[str, Callable[[], object]] = {
    "sdk": lambda: logging.root.addHandler(sdk_handler()),
    "contrib": lambda: logging.root.addHandler(LoggingHandler()),
    "named": lambda: app.addHandler(LoggingHandler()),
    "on a child": lambda: shop.addHandler(LoggingHandler()),
    "two of them": lambda: list(map(app.addHandler, (LoggingHandler(), sdk_handler()))),
    "dictConfig": by_dict_config,
    "basicConfig": lambda: logging.basicConfig(
        level=logging.INFO, handlers=[LoggingHandler()], force=True
    ),
    "subclass": lambda: logging.root.addHandler(Translating()),
    "of errors alone": lambda: logging.root.addHandler(LoggingHandler(level=logging.ERROR)),
    "with a filter": lambda: logging.root.addHandler(filtered()),
    "without OpenTelemetry's handler": lambda: logging.root.addHandler(Own()),
    "on a memory": lambda: logging.root.addHandler(
        logging.handlers.MemoryHandler(100, target=LoggingHandler())
    ),
}
"""How an app adds one."""


def log() -> None:
    """Log three records."""
    app.info("root %d", 1)
    shop.info("shop %s", "x")
    shop.error("failed")


@pytest.mark.parametrize("when", ["before the provider", "in a function"])
@pytest.mark.parametrize("name", HANDLERS)
def test_each_record_is_exported_once(
    start: Callable[[], Exported], invocation: Callable[..., Invocation], name: str, when: str
) -> None:
    """However a handler of the app's own gets records to the provider, each arrives once."""
    if when == "before the provider":
        HANDLERS[name]()
    exported = start()
    with entered(invocation()):
        if when == "in a function":
            HANDLERS[name]()
        log()
    for handler in logging.root.handlers:
        handler.flush()

    texts = [str(text).removeprefix("own ").strip("<>") for text in exported.texts]
    assert sorted(text.split(":")[-1] for text in texts) == ["failed", "root 1", "shop x"]
    for record in exported.records:
        assert record.attributes["faas.invocation_id"] == "0f8e"


@pytest.mark.parametrize("variable", ["", "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION"])
def test_opentelemetrys_instrumentation_of_logging(
    start: Callable[[], Exported], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """`LoggingInstrumentor` adds a handler of its own, and each record arrives once."""
    if variable:
        monkeypatch.setenv(variable, "true")
    LoggingInstrumentor().instrument()
    try:
        exported = start()
        log()
    finally:
        LoggingInstrumentor().uninstrument()

    assert exported.texts == ["root 1", "shop x", "failed"]


@pytest.mark.parametrize("name", ["contrib", "of errors alone", "on a child"])
def test_it_is_said_which_way_records_go(
    start: Callable[[], Exported], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """One line in a process says that there are two ways, and which records go by which."""
    HANDLERS[name]()
    start()
    log()
    log()

    said = [r.getMessage() for r in caplog.records if r.name == "funcscope.telemetry"]
    (line,) = said
    assert "a handler of the app's own" in line
    assert "logger app" in line


def test_what_a_handler_does_not_give(start: Callable[[], Exported]) -> None:
    """A record that the app's handler refuses is exported by funcscope, with all that it has."""
    HANDLERS["of errors alone"]()
    exported = start()
    shop.info("shop", extra={"order": {"id": 7}})
    (record,) = exported.records

    assert record.attributes == {"order.id": 7}


def test_a_handler_behind_a_queue(
    start: Callable[[], Exported],
    invocation: Callable[..., Invocation],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What a queue's thread brings later was exported by then, with its invocation."""
    waiting: queue.Queue[Any] = queue.Queue()
    logging.root.addHandler(logging.handlers.QueueHandler(waiting))
    exported = start()
    with entered(invocation()):
        log()
    listener = logging.handlers.QueueListener(waiting, LoggingHandler())
    listener.start()
    listener.stop()
    app.info("after")

    assert exported.texts == ["root 1", "shop x", "failed", "after"]
    for record in exported.records[:3]:
        assert record.attributes["faas.invocation_id"] == "0f8e"
    said = [r.getMessage() for r in caplog.records if r.name == "funcscope.telemetry"]
    (line,) = said
    assert "QueueHandler" in line


def test_a_queue_that_alone_is_asked(start: Callable[[], Exported]) -> None:
    """What reaches a queue's handler and not the root logger is exported as that brings it."""
    waiting: queue.Queue[Any] = queue.Queue()
    app.propagate = False
    app.addHandler(logging.handlers.QueueHandler(waiting))
    exported = start()
    app.info("queued")
    listener = logging.handlers.QueueListener(waiting, LoggingHandler())
    listener.start()
    listener.stop()

    assert exported.texts == ["queued"]


def test_a_memory_that_is_flushed_by_an_error(start: Callable[[], Exported]) -> None:
    """What a handler has kept for a while comes out in the midst of another record's handling."""
    logging.root.addHandler(logging.handlers.MemoryHandler(100, target=LoggingHandler()))
    exported = start()
    log()

    assert sorted(map(str, exported.texts)) == ["failed", "root 1", "shop x"]


def test_an_event_that_a_handler_emits(start: Callable[[], Exported]) -> None:
    """An event about a record, emitted by a handler, does not cost the record."""

    class Auditing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            _logs.get_logger("audit").emit(LogRecord(timestamp=7, body="an audit"))

    logging.root.addHandler(Auditing())
    exported = start()
    app.info("ordered")

    assert exported.texts == ["an audit", "ordered"]


def test_events_of_the_app(start: Callable[[], Exported]) -> None:
    """What an app emits by OpenTelemetry's logs API is exported, and so is a record alike."""
    exported = start()
    emitted = LogRecord(timestamp=7, body="ordered")
    _logs.get_logger("events").emit(emitted)
    _logs.get_logger("events").emit(emitted)
    app.info("ordered")

    assert exported.texts == ["ordered", "ordered", "ordered"]


def test_a_clock_that_stands(
    start: Callable[[], Exported], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where tests have the clock stand, a handler's records are not taken for one another."""
    app.addHandler(LoggingHandler())
    exported = start()
    monkeypatch.setattr("time.time_ns", lambda: 10**18)
    monkeypatch.setattr("time.time", lambda: 1e9)
    monkeypatch.setattr("funcscope.telemetry._logs.claims.time_ns", lambda: 10**18)
    log()

    assert exported.texts == ["root 1", "shop x", "failed"]


def test_many_records(start: Callable[[], Exported]) -> None:
    """However many there are, what is remembered of them stays within its bound."""
    app.addHandler(LoggingHandler())
    exported = start()
    for index in range(2 * _REMEMBERED + 10):
        (app if index % 2 else logging.getLogger("other")).info("%d", index)

    assert exported.texts == [str(index) for index in range(2 * _REMEMBERED + 10)]
    claims = exported.export._claims
    assert len(claims._recent) + len(claims._older) <= 2 * _REMEMBERED


def test_a_handler_while_logs_are_muted(
    start: Callable[[], Exported], invocation: Callable[..., Invocation]
) -> None:
    """What is not to be exported, as an orchestrator's replay, is not by any way."""
    logging.root.addHandler(LoggingHandler())
    exported = start()
    made = invocation()
    with entered(made):
        suppress_export_while(made, lambda: True)
        log()
    log()

    assert exported.texts == ["root 1", "shop x", "failed"]


def test_a_queue_while_logs_are_muted(
    start: Callable[[], Exported], invocation: Callable[..., Invocation]
) -> None:
    """What is not to be exported does not come by a queue when it is no longer muted."""
    waiting: queue.Queue[Any] = queue.Queue()
    logging.root.addHandler(logging.handlers.QueueHandler(waiting))
    exported = start()
    made = invocation()
    with entered(made):
        suppress_export_while(made, lambda: True)
        log()
    listener = logging.handlers.QueueListener(waiting, LoggingHandler())
    listener.start()
    listener.stop()

    assert exported.texts == []


def test_a_handler_of_another_provider(start: Callable[[], Exported]) -> None:
    """A handler that ends elsewhere changes nothing here."""
    logging.root.addHandler(LoggingHandler(logger_provider=NoOpLoggerProvider()))
    exported = start()
    log()

    assert exported.texts == ["root 1", "shop x", "failed"]
