"""What arrives of other libraries for logging, each set up as its documentation says."""

from __future__ import annotations

import inspect
import io
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from loguru import logger as loguru_logger
from tests.telemetry.test_log_calls import exporting

from funcscope.extensions import propagate
from funcscope.extensions._invocation import entered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from funcscope.extensions import Invocation

    Make = Callable[..., Invocation]

SHARED: list[Any] = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level]


def set_up_structlog(*processors: Any) -> Any:
    """Set structlog up to log by `logging`; return a logger."""
    structlog.configure(
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        processors=[*SHARED, *processors],
    )
    return structlog.get_logger("shop")


@pytest.fixture(autouse=True)
def _own_libraries() -> Iterator[None]:
    """Leave both libraries as they were."""
    yield
    structlog.reset_defaults()
    loguru_logger.remove()


def say(log: Any) -> None:
    """Log an order, and a failure."""
    log.warning("order came", price=17, items=["tea"])
    try:
        raise KeyError("x")
    except KeyError:
        log.exception("failed")


def test_structlog_by_itself() -> None:
    """By itself structlog prints, and nothing arrives."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(io.StringIO()))
    with exporting() as taken:
        say(structlog.get_logger())

    assert taken == []


def test_structlog_as_json() -> None:
    """Of a renderer that makes text, its text arrives."""
    log = set_up_structlog(structlog.processors.JSONRenderer())
    with exporting() as taken:
        say(log)

    assert taken[0].body == (
        '{"price": 17, "items": ["tea"], "event": "order came", "level": "warning"}'
    )


def test_structlog_for_its_formatter() -> None:
    """Of `wrap_for_formatter` the event arrives as it is, and its exception as attributes."""
    console = io.StringIO()
    handler = logging.StreamHandler(console)
    renderer = structlog.processors.JSONRenderer(sort_keys=True)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer))
    log = set_up_structlog(structlog.stdlib.ProcessorFormatter.wrap_for_formatter)
    with exporting(handler) as taken:
        say(log)
    first, second = taken

    assert first.body == {"price": 17, "items": ["tea"], "event": "order came", "level": "warning"}
    assert not first.attributes
    assert second.body == {"event": "failed", "level": "error"}
    assert second.attributes is not None
    assert second.attributes["exception.type"] == "KeyError"
    assert "in say" in str(second.attributes["exception.stacktrace"])
    assert '"event": "order came"' in console.getvalue()


def test_structlog_as_extra() -> None:
    """Of `render_to_log_kwargs` the event is the message, and all else are attributes."""
    log = set_up_structlog(structlog.stdlib.render_to_log_kwargs)
    with exporting() as taken:
        say(log)

    assert taken[0].body == "order came"
    assert taken[0].attributes == {"price": 17, "items": ["tea"], "level": "warning"}
    assert (taken[1].attributes or {})["exception.type"] == "KeyError"


class Propagating(logging.Handler):
    """Hands loguru's records to `logging`."""

    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger(record.name).handle(record)


@pytest.mark.parametrize("is_queued", [False, True])
def test_loguru_handing_on(invocation: Make, is_queued: bool) -> None:
    """
    What loguru hands on arrives with its text, its `extra` and its exception.

    Where a thread of loguru's does that, it has no invocation, and never another's.
    """
    propagate()
    loguru_logger.remove()
    with exporting() as taken:
        with entered(invocation()):  # set up in a function
            loguru_logger.add(Propagating(), format="{message}", enqueue=is_queued)
            loguru_logger.bind(order=17).success("order {} came", 17)
            try:
                raise KeyError("x")
            except KeyError:
                loguru_logger.exception("failed")
        loguru_logger.complete()
    first, second = taken

    assert (first.body, first.level_name, first.level) == ("order 17 came", "SUCCESS", 25)
    assert first.attributes == {"extra.order": 17}
    assert first.correlation.invocation_id == ("" if is_queued else "0f8e")
    assert str(second.body).startswith("failed\nTraceback (most recent call last):")
    assert second.attributes is not None
    assert second.attributes["exception.type"] == "KeyError"
    assert str(second.attributes["exception.stacktrace"]).endswith("KeyError: 'x'")


class Intercepting(logging.Handler):
    """Hands `logging`'s records to loguru, as its documentation has it (0.7)."""

    def emit(self, record: logging.LogRecord) -> None:
        frame, depth = inspect.currentframe(), 0
        while frame and (depth == 0 or frame.f_code.co_filename == logging.__file__):
            frame, depth = frame.f_back, depth + 1
        loguru_logger.opt(depth=depth, exception=record.exc_info).log(
            record.levelname, record.getMessage()
        )


def test_logging_handed_to_loguru() -> None:
    """Records that go on to loguru are exported as ever, and it finds who has logged."""
    loguru_logger.remove()
    console = io.StringIO()
    loguru_logger.add(console, format="{function} {message}")
    with exporting(Intercepting()) as taken:
        logging.getLogger("app").warning("order %d", 17)
        loguru_logger.warning("of loguru alone")

    assert [made.body for made in taken] == ["order 17"]
    assert console.getvalue().splitlines()[0] == "test_logging_handed_to_loguru order 17"


def test_a_dict_as_the_message() -> None:
    """A message that is a dict is exported as it is when it is logged."""
    event = {"event": "order", "lines": [{"tea": 2}], "none": None, 3: threading.get_ident}
    with exporting() as taken:
        logging.getLogger("app").warning(event)
        event["event"] = "later"

    assert taken[0].body == {
        "event": "order",
        "lines": [{"tea": 2}],
        "none": None,
        "3": str(threading.get_ident),
    }
