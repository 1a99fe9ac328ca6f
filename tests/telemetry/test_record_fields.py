"""The fields of log records."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, use_span

from funcscope.extensions import Invocation
from funcscope.extensions._invocation import entered
from funcscope.telemetry._record_fields import FIELDS, add_record_fields

Make = Callable[..., Invocation]
FORMAT = "%(invocation_id)s|%(function_name)s|%(trace_id)s|%(span_id)s|%(message)s"


class Lines(logging.Handler):
    """Keeps formatted records."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(FORMAT))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Collect what is logged, in a format that needs all fields."""
    add_record_fields()
    add_record_fields()
    handler, root = Lines(), logging.getLogger()
    root.addHandler(handler)
    yield handler.lines
    root.removeHandler(handler)


def test_fields_are_empty_outside(lines: list[str]) -> None:
    """Outside an invocation every field is there and empty, so that one format serves."""
    logging.getLogger("app").warning("x")

    assert lines == ["||||x"]


def test_fields_of_an_invocation(lines: list[str], invocation: Make) -> None:
    """In an invocation the fields tell its id, function, trace and span."""
    span = NonRecordingSpan(SpanContext(0xA1, 0xB2, is_remote=False))
    with entered(invocation()), use_span(span):
        logging.getLogger("app").warning("x")

    assert lines == [f"0f8e|hello|{0xA1:032x}|{0xB2:016x}|x"]


def test_the_apps_own_fields_win(lines: list[str], invocation: Make) -> None:
    """An app that passes such a field by `extra` is not broken, and its value stays."""
    with entered(invocation()):
        logging.getLogger("app").warning("x", extra=dict.fromkeys(FIELDS, "mine"))

    assert lines == ["mine|mine|mine|mine|x"]
