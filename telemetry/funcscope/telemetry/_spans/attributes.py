"""Attributes and exceptions of spans, whatever the trigger: semantic conventions 1.44, `faas`."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, cast

from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import StatusCode

from funcscope.extensions import current_invocation
from funcscope.telemetry._config.resource import function_resource_id
from funcscope.telemetry._context import usable_context
from funcscope.telemetry._redaction.redactor import DEFAULT, redact
from funcscope.telemetry._semconv import (
    EXCEPTION_EVENT,
    INVOCATION_ID,
    REJECTED,
    RETRY_COUNT,
    TRIGGER_TYPE,
    UNFINISHED,
)
from funcscope.telemetry._values.exceptions import ExceptionText, exception_text
from funcscope.telemetry._values.limits import text_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from opentelemetry._logs import Logger
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AnyValue

    from funcscope.extensions import Function, TraceContext
    from funcscope.telemetry._semconv import Attributes


REDACTS = "funcscope_redacts"
"""The attribute of a span's or processor's class that takes secrets out before anybody looks."""

HOST_INSTANCE = "HostInstanceId"
"""The tag of a host's activity that has its instance."""

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
    (UNFINISHED, "`true` where the span was sent shortly before its invocation would be killed"),
)
"""The attributes that the spans of all triggers have, and where they come from."""


def function_attributes(function: Function, environ: Mapping[str, str]) -> Attributes:
    """Return the attributes that do not change between a function's invocations."""
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
    id_names: tuple[str, ...],
    invocation_id: str,
    is_cold_start: bool,  # noqa: FBT001  (kept as they stand)
    retry_count: int = 0,
    host_instance_id: str | None = None,
) -> Attributes:
    """
    Return the attributes that are an invocation's own.

    The id is there under all its names: Azure's portal finds invocations by `InvocationId`.
    """
    attributes: Attributes = {
        **dict.fromkeys(id_names, invocation_id),
        "faas.coldstart": is_cold_start,
    }
    if retry_count:
        attributes[RETRY_COUNT] = retry_count
    if host_instance_id:
        attributes["faas.instance"] = host_instance_id
    return attributes


def host_instance(sent: TraceContext | None) -> str | None:
    """Return the id of the host's instance; None where it sends none."""
    try:
        return None if sent is None else sent.attributes.get(HOST_INSTANCE)
    except Exception:  # noqa: BLE001  (a worker's object)
        return None


def record_exception(
    span: Span, error: BaseException, events: ExceptionEvents | None = None
) -> None:
    """
    Make a span an error, and record its exception, once.

    Args:
        span: The span. One that is not recorded is left as it is.
        error: The exception; its text begins at the function's frame.
        events: Takes it as a log event `faas.invocation.exception` in the current context (semantic
            conventions 1.44, where span events for exceptions are deprecated), or as both; None
            where no logs are exported: it is an event of the span then.
    """
    if events is None and not span.is_recording():
        return
    text = exception_text(error, _function_frames(error.__traceback__), text_limit())
    try:
        if events is None or span.is_recording():
            is_later = _is_redacted_later(span)
            span.set_attribute("error.type", text.kind)
            span.set_status(StatusCode.ERROR, text.message if is_later else redact(text.message))
            if events is None or events.on_span:
                shown = text if is_later else _redacted(text)
                span.add_event("exception", shown.attributes())
    finally:
        if events is not None:
            events.emit(text)


def _is_redacted_later(span: Span) -> bool:
    """Return whether secrets are taken out of a span before anybody sees it."""
    if (known := getattr(type(span), REDACTS, None)) is not None:
        return bool(known(span))
    owner = getattr(span, "_span_processor", None)
    processors = cast("Sequence[object]", getattr(owner, "_span_processors", ()))
    return any(getattr(type(processor), REDACTS, False) for processor in processors)


class ExceptionEvents:
    """
    Takes the exceptions of invocations, as log events.

    Args:
        logger: Where they go; None for nowhere.
        put: Takes one to redact and send it later and elsewhere, and returns whether it does.
        on_span: Whether they are events of the span as well.
        id_names: The names of the invocation's id.
        bound: Returns what the running invocation's log records have by `bind`.

    Attributes:
        on_span: The same.
    """

    def __init__(
        self,
        logger: Logger | None,
        put: Callable[[ExceptionText], bool] | None = None,
        *,
        on_span: bool = False,
        id_names: tuple[str, ...] = (INVOCATION_ID,),
        bound: Callable[[], Mapping[str, AnyValue]] = dict,
    ) -> None:
        self._logger = logger
        self._put = put
        self._id_names = id_names
        self._bound = bound
        self.on_span = on_span

    def emit(self, text: ExceptionText) -> None:
        """Take an exception of the running invocation."""
        if self._logger is None or (self._put is not None and self._put(text)):
            return
        text, bound = _redacted(text), self._bound()
        own = dict(DEFAULT.redact_attributes(bound) or bound)
        if (invocation := current_invocation()) is not None:
            own.update(dict.fromkeys(self._id_names, invocation.id))
            own["faas.name"] = invocation.function.name
        self._logger.emit(
            timestamp=time_ns(),
            severity_number=SeverityNumber.ERROR,
            severity_text="ERROR",
            body=text.summary,
            attributes={**own, **text.attributes()},
            event_name=EXCEPTION_EVENT,
            context=usable_context(),
        )


def _redacted(text: ExceptionText) -> ExceptionText:
    return ExceptionText(text.kind, redact(text.message), redact(text.stack))


def _function_frames(frames: TracebackType | None) -> TracebackType | None:
    """Skip the frames of funcscope's that lead to the function."""
    first = frames
    while first is not None and first.tb_frame.f_globals.get("__name__", "").startswith(
        ("funcscope.extensions.", "funcscope.telemetry.")
    ):
        first = first.tb_next
    return first or frames
