"""Log records on their way out."""

from __future__ import annotations

import io
import logging
import logging.config
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.context import attach, detach, set_value
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    InMemoryLogRecordExporter,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, use_span
from tests.patience import PATIENCE_S
from tests.sdk_versions import since

from funcscope.extensions import Invocation
from funcscope.extensions._invocation import entered
from funcscope.telemetry import TelemetryError, configure
from funcscope.telemetry._annotations import suppress_export_while
from funcscope.telemetry._config.log_levels import LogLevels
from funcscope.telemetry._config.otlp_target import read_target
from funcscope.telemetry._context import set_invocation_span
from funcscope.telemetry._delivery.batcher import ExportOptions
from funcscope.telemetry._delivery.delivery import Delivery
from funcscope.telemetry._logs import buffer as _log_buffer
from funcscope.telemetry._logs import capture as _log_export
from funcscope.telemetry._logs.buffer import release
from funcscope.telemetry._logs.capture import LogCapture
from funcscope.telemetry._logs.correlation import add_record_fields
from funcscope.telemetry._logs.filters import LogFilters
from funcscope.telemetry._logs.processor import CorrelatingProcessor, RecordTranslator
from funcscope.telemetry._pipeline.logs import QueueLogProcessor
from funcscope.telemetry._recording.session import Session

if TYPE_CHECKING:
    from funcscope.telemetry._logs.records import LogSnapshot

Make = Callable[..., Invocation]
Start = Callable[..., "Exported"]

app = logging.getLogger("app")


class Exported:
    """What was exported."""

    def __init__(self, provider: LoggerProvider, exporter: InMemoryLogRecordExporter) -> None:
        self.provider = provider
        self._exporter = exporter

    @property
    def records(self) -> list[Any]:
        """The records, in order."""
        return [found.log_record for found in self._exporter.get_finished_logs()]

    @property
    def texts(self) -> list[object]:
        """What they say."""
        return [record.body for record in self.records]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start an export: `start(levels=…, buffer=…)`; `Logger` and its tree are put back after."""
    add_record_fields()
    for name in ("filter", "callHandlers", "isEnabledFor"):
        monkeypatch.setattr(logging.Logger, name, vars(logging.Logger)[name])
    monkeypatch.setattr(_log_export, "_active", _log_export._Active())
    root_handlers, root_level = logging.root.handlers[:], logging.root.level

    def make(levels: LogLevels | None = None, **options: Any) -> Exported:
        exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(CorrelatingProcessor())
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        LogCapture(provider, levels or LogLevels(), **options).start()
        return Exported(provider, exporter)

    yield make
    logging.root.handlers[:] = root_handlers
    logging.root.setLevel(root_level)
    app.disabled = False
    app.propagate = True
    app.setLevel(logging.NOTSET)
    for handler in app.handlers[:]:
        app.removeHandler(handler)


def test_record_of_an_invocation(start: Start, invocation: Make) -> None:
    """A record tells its invocation and its span, as attributes and in the trace's own fields."""
    exported = start()
    with entered(invocation()), use_span(NonRecordingSpan(SpanContext(0xA, 0xB, False))):
        app.warning("order %d", 7)
    (record,) = exported.records

    assert record.body == "order 7"
    assert (record.trace_id, record.span_id) == (0xA, 0xB)
    assert record.attributes == {
        "faas.invocation_id": "0f8e",
        "InvocationId": "0f8e",
        "faas.name": "hello",
    }


def test_record_outside_every_span(start: Start, invocation: Make) -> None:
    """A record of an invocation that was made in no span belongs to the invocation's span."""
    exported = start()
    call = invocation()
    set_invocation_span(call, NonRecordingSpan(SpanContext(0xA, 0xB, is_remote=False)))
    with entered(call):
        app.warning("x")
    (record,) = exported.records

    assert (record.trace_id, record.span_id) == (0xA, 0xB)


@pytest.mark.parametrize(
    "set_up",
    [
        lambda: logging.config.dictConfig(
            {"version": 1, "root": {"level": "INFO"}, "disable_existing_loggers": False}
        ),
        lambda: logging.basicConfig(force=True),
        lambda: logging.root.handlers.clear(),
    ],
    ids=["dictConfig", "basicConfig", "clear"],
)
def test_logging_set_up_after_us(start: Start, set_up: Callable[[], None]) -> None:
    """However an app sets logging up afterwards, its records are exported once."""
    exported = start()
    app.warning("before")
    set_up()
    app.warning("after")

    assert exported.texts == ["before", "after"]


def test_basic_config_after_us_has_its_effect(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`basicConfig` sets up a root logger without handlers, as it does without us."""
    monkeypatch.setattr(logging.root, "handlers", [])
    stream = io.StringIO()
    start()
    logging.basicConfig(format="%(invocation_id)s|%(message)s", stream=stream)
    app.warning("x")

    assert stream.getvalue() == "|x\n"


def test_last_resort_stays(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without any handler, warnings appear on standard error, as they do without us."""
    monkeypatch.setattr(logging.root, "handlers", [])
    start()
    app.warning("on standard error")

    assert "on standard error" in capsys.readouterr().err


def test_only_what_reaches_the_root_logger(start: Start) -> None:
    """A logger that keeps its records from the root logger's handlers keeps them from us."""
    exported = start()
    app.propagate = False
    app.addHandler(logging.NullHandler())
    app.warning("x")
    app.getChild("child").warning("y")

    assert exported.texts == []


def test_what_a_logger_drops_is_not_exported(start: Start) -> None:
    """What a logger's level or filter drops is not exported."""
    exported = start()
    app.setLevel(logging.ERROR)
    app.warning("below")
    app.addFilter(lambda record: "secret" not in record.getMessage())
    with suppress(Exception):
        app.error("secret")
    app.error("kept")
    app.filters.clear()

    assert exported.texts == ["kept"]


def test_levels_of_settings(start: Start) -> None:
    """Settings say what is exported of each logger; other handlers are not asked."""
    exported = start(LogLevels(logging.INFO, {"app.sql": logging.ERROR}))
    stream = io.StringIO()
    logging.root.addHandler(logging.StreamHandler(stream))
    logging.root.setLevel(logging.DEBUG)
    app.debug("debug")
    app.info("info")
    logging.getLogger("app.sql").warning("sql")
    logging.getLogger("azure.core").info("headers")

    assert exported.texts == ["info"]
    assert stream.getvalue().split() == ["debug", "info", "sql", "headers"]


def test_no_feedback(start: Start) -> None:
    """What is logged while exporting is not exported."""
    exported = start()
    token = attach(set_value("suppress_instrumentation", True))
    app.warning("while exporting")
    detach(token)
    logging.getLogger("opentelemetry.sdk").warning("of the exporter")
    logging.getLogger("funcscope.telemetry").warning("of ours")

    assert exported.texts == []


class Chatty(InMemoryLogRecordExporter):
    """An exporter that tells of each of its calls, as Azure Monitor's does."""

    def export(self, batch: Any) -> Any:
        app.warning("exporting %d", len(batch))
        return super().export(batch)


@pytest.mark.parametrize("by_handler", [False, True])
def test_what_the_sdk_exports_with_is_not_exported(start: Start, by_handler: bool) -> None:
    """What is logged while the SDK exports goes to handlers, but not to be exported in turn."""
    provider = LoggerProvider(shutdown_on_exit=False)
    exporter = Chatty()  # type: ignore[no-untyped-call]
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    stream = io.StringIO()
    logging.root.addHandler(logging.StreamHandler(stream))
    logging.root.setLevel(logging.WARNING)  # or the line that tells of the handler is a record, too
    if by_handler:  # the app's own
        start()
        logging.root.addHandler(LoggingHandler(logger_provider=provider))
        # As when a function is loaded: an instance may wait long for its first invocation.
        quiet = {"FUNCSCOPE_PROPAGATE": "off", "FUNCSCOPE_SHUTDOWN_BUDGET_MS": "0"}
        Session(environ=quiet).prepare("/app")
    else:
        LogCapture(provider, LogLevels()).start()
    app.warning("first")
    provider.force_flush()
    provider.force_flush()
    provider.shutdown()

    texts = [found.log_record.body for found in exporter.get_finished_logs()]
    assert texts == ["first"]
    assert stream.getvalue().splitlines() == ["first", "exporting 1"]


def test_code_attributes_as_the_handler_has_them(start: Start) -> None:
    """`OTEL_PYTHON_LOG_CODE_ATTRIBUTES` adds where the record was made."""
    exported = start(environ={"OTEL_PYTHON_LOG_CODE_ATTRIBUTES": "true"})
    app.warning("x")
    (record,) = exported.records

    assert record.attributes["code.function.name"] == "test_code_attributes_as_the_handler_has_them"


def test_secrets_are_redacted(start: Start) -> None:
    """Secrets in messages, extras and exceptions are taken out."""
    exported = start()
    try:
        raise ValueError("https://app.net/x?code=SECRET")
    except ValueError:
        app.exception("call of %s", "https://app.net/y?sig=SECRET", extra={"password": "SECRET"})
    (record,) = exported.records

    assert "SECRET" not in record.body
    assert "SECRET" not in str(record.attributes)
    assert record.attributes["exception.type"] == "ValueError"
    assert record.attributes["exception.message"] == "https://app.net/x?code=REDACTED"
    assert "test_secrets_are_redacted" in record.attributes["exception.stacktrace"]


def test_a_provider_that_fails(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """An exporter that raises costs what `logging` says on standard error, not the app."""
    exported = start()

    class Failing(CorrelatingProcessor):
        def on_emit(self, log_record: Any) -> None:
            raise RuntimeError("broken exporter")

    exported.provider.add_log_record_processor(Failing())
    app.warning("x")

    assert "broken exporter" in capsys.readouterr().err


def test_records_may_be_looked_at_later(start: Start, invocation: Make) -> None:
    """A record that is looked at on another thread says what it said when it was made."""
    pending: list[tuple[LogSnapshot, bool]] = []
    exported = start()
    exported.provider.add_log_record_processor(
        QueueLogProcessor(
            lambda record, is_error: None,
            Delivery([ExportOptions(read_target("logs", {}, []))]),
            "logs",
        )
    )

    def put(record: LogSnapshot, is_error: bool) -> None:
        pending.append((record, is_error))

    export = LogCapture(exported.provider, LogLevels(), put=put)
    export.start()
    items = [1]
    with entered(invocation()), use_span(NonRecordingSpan(SpanContext(0xA, 0xB, False))):
        app.warning("items %s", items, extra={"order": {"ids": items}})
        try:
            raise ValueError("x")
        except ValueError:
            app.exception("failed")
    items.append(2)
    assert exported.texts == []
    translate = RecordTranslator(Resource.get_empty()).translate
    with ThreadPoolExecutor(1) as pool:
        first, second = (
            pool.submit(translate, record).result().log_record for record, _ in pending
        )

    assert [is_error for _, is_error in pending] == [False, True]
    assert (first.body, first.trace_id, first.span_id) == ("items [1]", 0xA, 0xB)
    assert first.attributes is not None
    assert first.attributes["order.ids"] == [1]
    assert first.attributes["faas.invocation_id"] == "0f8e"
    assert second.attributes is not None
    assert second.attributes["exception.type"] == "ValueError"
    assert first.observed_timestamp <= second.observed_timestamp


def test_a_processor_of_the_app_sees_records_as_they_are_made(start: Start) -> None:
    """Where the app has added a processor, each record is looked at when it is made."""
    pending: list[object] = []
    exported = start(put=lambda record, is_error: pending.append(record))
    seen: list[object] = []

    class Seeing(CorrelatingProcessor):
        def on_emit(self, log_record: Any) -> None:
            seen.append((log_record.log_record.body, threading.get_ident()))

    exported.provider.add_log_record_processor(Seeing())
    app.warning("x")

    assert (pending, seen) == ([], [("x", threading.get_ident())])
    assert exported.texts == ["x"]


BUFFER = 3


@pytest.fixture
def host_stream() -> Iterator[io.StringIO]:
    """Stand for the worker's handler on the root logger, at INFO as in a deployed worker."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.root.addHandler(handler)
    level = logging.root.level
    logging.root.setLevel(logging.INFO)
    yield stream
    logging.root.setLevel(level)
    logging.root.removeHandler(handler)


def test_buffer_of_a_failed_invocation(
    start: Start, invocation: Make, host_stream: io.StringIO
) -> None:
    """DEBUG records of an invocation that fails are exported, where and when they were made."""
    exported = start(buffer=BUFFER)
    call = invocation()
    with entered(call):
        app.info("info")
        with use_span(NonRecordingSpan(SpanContext(0xA, 0xB, is_remote=False))):
            app.debug("debug %d", 1, extra={"order": 7})
        app.error("error")
        assert exported.texts == ["info", "error"]
        release(call, has_failed=True)
    kept = exported.records[2]

    assert exported.texts == ["info", "error", "debug 1"]
    assert (kept.trace_id, kept.attributes["order"]) == (0xA, 7)
    assert kept.attributes["faas.invocation_id"] == "0f8e"
    assert exported.records[0].timestamp <= kept.timestamp <= exported.records[1].timestamp
    assert host_stream.getvalue().split() == ["info", "error"]


def test_buffer_of_an_invocation_that_succeeds(
    start: Start, invocation: Make, host_stream: io.StringIO
) -> None:
    """DEBUG records of an invocation that succeeds are forgotten, with what comes later of it."""
    exported = start(buffer=BUFFER)
    call = invocation()
    with entered(call):
        app.debug("debug")
        release(call, has_failed=False)
        app.debug("from a thread that outlives it")

    assert exported.texts == []


def test_thread_that_outlives_a_failed_invocation(
    start: Start, invocation: Make, host_stream: io.StringIO
) -> None:
    """Once an invocation has failed, what its threads still log is exported as it comes."""
    exported = start(buffer=BUFFER)
    call = invocation()
    with entered(call):
        app.debug("before")
        release(call, has_failed=True)
        app.debug("after")

    assert exported.texts == ["before", "after"]


def test_buffer_is_bounded(start: Start, invocation: Make, host_stream: io.StringIO) -> None:
    """A full buffer drops the oldest, and the first that is exported tells how many."""
    exported = start(buffer=BUFFER)
    call = invocation()
    with entered(call):
        for number in range(5):
            app.debug("%d", number)
        release(call, has_failed=True)

    assert exported.texts == ["2", "3", "4"]
    dropped = [r.attributes.get("funcscope.log_buffer.dropped") for r in exported.records]
    assert dropped == [2, None, None]


def test_buffer_keeps_what_the_level_holds_back(
    start: Start, invocation: Make, host_stream: io.StringIO
) -> None:
    """With `FUNCSCOPE_LOG_LEVEL=WARNING` the buffer keeps INFO too; the host gets it as ever."""
    exported = start(LogLevels(logging.WARNING), buffer=BUFFER)
    call = invocation()
    with entered(call):
        app.info("info")
        assert exported.texts == []
        release(call, has_failed=True)

    assert exported.texts == ["info"]
    assert host_stream.getvalue().split() == ["info"]


def test_buffer_leaves_loggers_alone_outside(start: Start, host_stream: io.StringIO) -> None:
    """Outside an invocation, and for loggers that settings quieten, nothing is let through."""
    start(buffer=BUFFER)

    assert not app.isEnabledFor(logging.DEBUG)


def test_buffer_leaves_quiet_loggers_alone(
    start: Start, invocation: Make, host_stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loggers that settings name, disabled ones and `logging.disable` stay as they are."""
    start(buffer=BUFFER)
    with entered(invocation()):
        assert app.isEnabledFor(logging.DEBUG)
        assert not app.isEnabledFor(5)
        assert not logging.getLogger("azure.core").isEnabledFor(logging.DEBUG)
        monkeypatch.setattr(app, "disabled", True)
        assert not app.isEnabledFor(logging.DEBUG)
        monkeypatch.setattr(app, "disabled", False)
        logging.disable(logging.DEBUG)
        try:
            assert not app.isEnabledFor(logging.DEBUG)
        finally:
            logging.disable(logging.NOTSET)


def test_buffer_respects_filters(start: Start, invocation: Make, host_stream: io.StringIO) -> None:
    """A logger's filter decides on what is kept too."""
    exported = start(buffer=BUFFER)
    call = invocation()
    app.addFilter(lambda record: record.getMessage() != "dropped")
    with entered(call):
        app.debug("dropped")
        app.debug("kept")
        release(call, has_failed=True)
    app.filters.clear()

    assert exported.texts == ["kept"]


def test_records_handled_directly_go_on(
    start: Start, invocation: Make, host_stream: io.StringIO
) -> None:
    """A record that is handed to a logger, whatever its level, reaches the handlers as ever."""
    start(buffer=BUFFER)
    with entered(invocation()):
        app.debug("for the buffer")
        app.handle(app.makeRecord("app", logging.DEBUG, "x", 1, "direct", (), None))

    assert host_stream.getvalue() == "direct\n"


def test_buffer_takes_many_threads(
    start: Start, invocation: Make, host_stream: io.StringIO
) -> None:
    """Records of all of an invocation's threads are kept; each logger call asks for itself."""
    exported = start(buffer=1000)
    call = invocation()
    gate = threading.Barrier(4)

    def log(number: int) -> None:
        with entered(call):
            gate.wait(PATIENCE_S)
            for step in range(50):
                app.debug("%d-%d", number, step)

    threads = [threading.Thread(target=log, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    release(call, has_failed=True)

    assert len(set(exported.texts)) == len(exported.texts) == 200
    assert sys.getrefcount(call) < 20


def test_muted_records(start: Start, invocation: Make) -> None:
    """What an integration mutes is neither exported nor kept; handlers still get it."""
    exported, stream = start(buffer=10), io.StringIO()
    app.addHandler(logging.StreamHandler(stream))
    muted, made = threading.Event(), invocation()
    with entered(made):
        suppress_export_while(made, muted.is_set)
        app.warning("one")
        muted.set()
        app.warning("two")
        app.debug("two in detail")
        muted.clear()
        app.debug("three in detail")
        release(made, has_failed=True)

    assert exported.texts == ["one", "three in detail"]
    assert stream.getvalue() == "one\ntwo\n"


def test_buffer_takes_nothing_from_handlers(
    start: Start, invocation: Make, host_stream: io.StringIO
) -> None:
    """
    A logger that is asked for its level, and then logs otherwise, does that as without a buffer.

    Asked as a guard without a record after it, enabled meanwhile, handed a record of another's, or
    written to by an app's own method: what is for handlers reaches them.
    """
    start(buffer=BUFFER)
    handed = logging.makeLogRecord({"name": "app", "levelno": 10, "msg": "handed over"})
    with entered(invocation()):
        assert app.isEnabledFor(logging.DEBUG)
        app.setLevel(logging.DEBUG)
        app.debug("enabled")
        app.setLevel(logging.NOTSET)
        assert app.isEnabledFor(logging.DEBUG)
        app.handle(handed)
        app.debug("buffered")
        app._log(logging.DEBUG, "without asking", ())

    assert host_stream.getvalue().splitlines() == ["enabled", "handed over", "without asking"]


def test_what_buffered_records_log(
    start: Start, invocation: Make, host_stream: io.StringIO
) -> None:
    """What an object logs that is asked for the buffer alone is not handled: no handler asks it."""

    class Talking:
        def __str__(self) -> str:
            app.warning("asked")
            return "text"

    exported = start(buffer=BUFFER)
    call = invocation()
    with entered(call):
        app.debug("%s", Talking())
        app.warning("next")
        release(call, has_failed=True)

    assert host_stream.getvalue().splitlines() == ["next"]
    assert sorted(map(str, exported.texts)) == ["next", "text"]


def test_buffer_is_bounded_by_bytes(
    start: Start, invocation: Make, host_stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that take too much together drop the oldest, and the first tells how many."""
    monkeypatch.setattr(_log_buffer, "MAX_QUEUE_BYTES", 30_000)
    exported = start(buffer=1000)
    call = invocation()
    with entered(call):
        for number in range(5):
            app.debug("%d%s", number, "x" * 9000)
        release(call, has_failed=True)

    assert [str(text)[0] for text in exported.texts] == ["2", "3", "4"]
    assert exported.records[0].attributes["funcscope.log_buffer.dropped"] == 2


class Private(logging.Filter):
    """Lets no address leave, and hides numbers."""

    def filter(self, record: logging.LogRecord) -> bool:
        if "@" in record.getMessage():
            return False
        record.msg = record.getMessage().replace("4711", "****")
        record.args = None
        return True


def test_filters_of_what_is_exported(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `configure(log_filters=…)` refuses is not exported, and what it changes is changed."""
    filters = LogFilters()
    monkeypatch.setattr(_log_export, "LOG_FILTERS", filters)
    filters.set([Private(), lambda record: "secret" not in record.getMessage()])
    exported, stream = start(), io.StringIO()
    logging.root.addHandler(logging.StreamHandler(stream))
    for message in ("mail to a@example.org", "card %d", "a secret"):
        app.warning(message, *((4711,) if "%" in message else ()))

    assert exported.texts == ["card ****"]
    assert stream.getvalue().splitlines() == ["mail to a@example.org", "card 4711", "a secret"]


def test_a_filter_that_fails(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What a filter fails on is not exported, which is said once; the log call goes on."""
    filters = LogFilters()
    monkeypatch.setattr(_log_export, "LOG_FILTERS", filters)

    def fail(record: logging.LogRecord) -> bool:
        raise ValueError("broken filter")

    filters.set([fail])
    exported = start()
    app.warning("one")
    app.warning("two")

    assert exported.texts == []
    assert caplog.text.count("a log filter has failed") == 1


def test_filters_of_a_test_end_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes a session's place has its filters, and none that others were given since."""
    filters = LogFilters()
    monkeypatch.setattr("funcscope.telemetry._recording.session.LOG_FILTERS", filters)
    imported = Session(environ={})
    imported.configure({}, (), [Private()])
    of_a_test = imported.successor({})
    of_a_test.configure({}, (), [lambda record: False])
    record = logging.makeLogRecord({"msg": "x"})
    assert filters.apply(record) is None

    imported.successor({})
    assert filters.apply(record) is not None


def test_filters_are_checked() -> None:
    """What is no filter is refused when it is given."""
    with pytest.raises(TelemetryError, match="log filter 'mail' is neither"):
        configure(log_filters=["mail"])  # type: ignore[list-item]


@since(44, "limits of log records")
def test_limits_of_the_sdk(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenTelemetry's limits of attributes hold; how many are left out is counted."""
    monkeypatch.setenv("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "2")
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "300")
    pending: list[LogSnapshot] = []
    exported = start()
    export = LogCapture(exported.provider, LogLevels(), put=lambda made, _: pending.append(made))
    export.start()
    app.warning("x", extra={"one": 1, "two": "b" * 1000, "three": 3})
    readable = RecordTranslator(Resource.get_empty()).translate(pending[0])

    assert readable.log_record.attributes is not None
    assert set(readable.log_record.attributes) == {"one", "two"}
    assert len(str(readable.log_record.attributes["two"])) <= 300
    assert readable.dropped_attributes == 1
