"""The invocation and span of each log record, for formats such as `%(invocation_id)s`."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import wrapt
from opentelemetry.trace import format_span_id, format_trace_id, get_current_span

from funcscope.extensions import current_invocation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FIELDS = ("invocation_id", "function_name", "trace_id", "span_id")

_lock = threading.Lock()
_patched: list[str] = []


def add_record_fields() -> None:
    """
    Give every log record that is handled from now on the fields in `FIELDS`.

    They are strings, empty outside an invocation or span, so that one format serves. A field
    that the app sets itself, by `extra=` or in a record factory, stays as it is: that is why
    they are added when a record is handled, and not by a record factory, which would make
    `extra={"trace_id": …}` raise.
    """
    with _lock:
        if not _patched:
            wrapt.wrap_function_wrapper(logging, "Logger.handle", _handle)
            _patched.append("logging.Logger.handle")


def _handle(
    wrapped: Callable[..., None],
    _logger: logging.Logger,
    args: tuple[logging.LogRecord, ...],
    kwargs: Mapping[str, logging.LogRecord],
) -> None:
    _complete(args[0] if args else kwargs["record"])
    return wrapped(*args, **kwargs)


def _complete(record: logging.LogRecord) -> None:
    fields = vars(record)
    invocation = current_invocation()
    span = get_current_span().get_span_context()
    fields.setdefault("invocation_id", invocation.id if invocation else "")
    fields.setdefault("function_name", invocation.function_name if invocation else "")
    fields.setdefault("trace_id", format_trace_id(span.trace_id) if span.is_valid else "")
    fields.setdefault("span_id", format_span_id(span.span_id) if span.is_valid else "")
