"""What every invocation's span says, whatever its trigger: semantic conventions 1.44, `faas`."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, cast

from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import StatusCode

from funcscope.telemetry._config.resource import function_resource_id
from funcscope.telemetry._context import usable_context
from funcscope.telemetry._redaction.redactor import redact
from funcscope.telemetry._semconv import (
    EXCEPTION_EVENT,
    INVOCATION_ID,
    REJECTED,
    RETRY_COUNT,
    TRIGGER_TYPE,
)
from funcscope.telemetry._values.exceptions import ExceptionText, exception_text
from funcscope.telemetry._values.limits import text_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from opentelemetry._logs import Logger
    from opentelemetry.trace import Span

    from funcscope.extensions import Function, TraceContext
    from funcscope.telemetry._semconv import Attributes


REDACTS = "funcscope_redacts"
"""What a span's or processor's class has that takes secrets out before anybody sees them."""

HOST_INSTANCE = "HostInstanceId"
"""Where the tags of a host's activity have its instance."""

SOURCES = (
    ("faas.name", "the function's name"),
    ("faas.invocation_id", "`context.invocation_id`"),
    (INVOCATION_ID, "`context.invocation_id`"),
    ("faas.coldstart", "whether it is the first invocation of the process"),
    ("faas.instance", '`context.trace_context.attributes["HostInstanceId"]`'),
    ("cloud.resource_id", "`WEBSITE_OWNER_NAME`, `WEBSITE_RESOURCE_GROUP`, `WEBSITE_SITE_NAME`"),
    ("code.function.name", "the function's module and name in Python"),
    (TRIGGER_TYPE, "the trigger binding's `type`"),
    (RETRY_COUNT, "`context.retry_context.retry_count`, from 1 on"),
    (
        "error.type",
        "the exception's class; an HTTP answer's status from 500 on; `unsupported_return_value`, …",
    ),
    (REJECTED, "`true` where an extension answered with `Reject`"),
)
"""What the spans of all triggers say, and where that comes from."""


def function_attributes(function: Function, environ: Mapping[str, str]) -> Attributes:
    """Return what does not change between a function's invocations."""
    attributes: Attributes = {
        "faas.name": function.name,
        "code.function.name": function.qualified_name,
    }
    if function.trigger is not None:
        attributes[TRIGGER_TYPE] = function.trigger.type
    if resource_id := function_resource_id(function.name, environ):
        attributes["cloud.resource_id"] = resource_id
    return attributes


def invocation_attributes(
    invocation_id: str,
    is_cold_start: bool,  # noqa: FBT001  (kept as they stand)
    retry_count: int = 0,
    host_instance_id: str | None = None,
) -> Attributes:
    """
    Return what is an invocation's own.

    The id is there under both names: Azure's portal finds invocations by `InvocationId`.
    """
    attributes: Attributes = {
        "faas.invocation_id": invocation_id,
        INVOCATION_ID: invocation_id,
        "faas.coldstart": is_cold_start,
    }
    if retry_count:
        attributes[RETRY_COUNT] = retry_count
    if host_instance_id:
        attributes["faas.instance"] = host_instance_id
    return attributes


def host_instance(sent: TraceContext | None) -> str | None:
    """Return the id of the host's instance, None where it does not tell."""
    try:
        return None if sent is None else sent.attributes.get(HOST_INSTANCE)
    except Exception:  # noqa: BLE001  (a worker's object)
        return None


def exception_of(error: BaseException) -> ExceptionText:
    """Turn a function's exception into text, from the function's frame on."""
    return exception_text(error, _function_frames(error.__traceback__), text_limit())


def record_failure(span: Span, error: BaseException, exceptions: ExceptionEvents | None) -> None:
    """
    Make an invocation's span an error, and record its exception, once.

    The exception is a log event `faas.invocation.exception` in the span's context (semantic
    conventions 1.44, where span events for exceptions are deprecated); where no logs are
    exported, an event of the span.
    """
    if exceptions is None:
        record_exception(span, error)
        return
    found = exception_of(error)
    try:
        if span.is_recording():
            _set_failure(span, found)
    finally:
        exceptions.emit(found)


def tell_failure(error: BaseException, exceptions: ExceptionEvents | None) -> None:
    """Record the exception of an invocation without a span of ours: an event in the host's."""
    if exceptions is not None:
        exceptions.emit(exception_of(error))


def record_exception(span: Span, error: BaseException) -> None:
    """Make a span an error, with its exception as an event."""
    if not span.is_recording():
        return
    found = exception_of(error)
    _set_failure(span, found)
    span.add_event("exception", _redacted(found, is_later=is_redacted_later(span)).attributes())


def is_redacted_later(span: Span) -> bool:
    """Tell whether secrets are taken out of all that a span says before anybody sees it."""
    if (known := getattr(type(span), REDACTS, None)) is not None:
        return bool(known(span))
    owner = getattr(span, "_span_processor", None)
    processors = cast("Sequence[object]", getattr(owner, "_span_processors", ()))
    return any(getattr(type(processor), REDACTS, False) for processor in processors)


class ExceptionEvents:
    """
    Takes the exceptions of invocations, as log events.

    Args:
        logger: Where they go.
        put: Takes one to redact and send it later and elsewhere, and says whether it does.
    """

    def __init__(self, logger: Logger, put: Callable[[ExceptionText], bool] | None = None) -> None:
        self._logger = logger
        self._put = put

    def emit(self, found: ExceptionText) -> None:
        """Take an exception of the running invocation."""
        if self._put is not None and self._put(found):
            return
        found = _redacted(found)
        self._logger.emit(
            timestamp=time_ns(),
            severity_number=SeverityNumber.ERROR,
            severity_text="ERROR",
            body=found.summary,
            attributes=dict(found.attributes()),
            event_name=EXCEPTION_EVENT,
            context=usable_context(),
        )


def _set_failure(span: Span, found: ExceptionText) -> None:
    said = found.message if is_redacted_later(span) else redact(found.message)
    span.set_attribute("error.type", found.kind)
    span.set_status(StatusCode.ERROR, said)


def _redacted(found: ExceptionText, *, is_later: bool = False) -> ExceptionText:
    if is_later:
        return found
    return ExceptionText(found.kind, redact(found.message), redact(found.stack))


def _function_frames(frames: TracebackType | None) -> TracebackType | None:
    """Skip the frames of funcscope's that lead to the function."""
    first = frames
    while first is not None and first.tb_frame.f_globals.get("__name__", "").startswith(
        ("funcscope.extensions.", "funcscope.telemetry.")
    ):
        first = first.tb_next
    return first or frames
