"""What every invocation's span says, whatever its trigger: semantic conventions 1.44, `faas`."""

from __future__ import annotations

import traceback
from time import time_ns
from typing import TYPE_CHECKING

from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import StatusCode

from funcscope.telemetry._names import INVOCATION_ID, REJECTED, RETRY_COUNT, TRIGGER_TYPE
from funcscope.telemetry._redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from opentelemetry._logs import Logger
    from opentelemetry.trace import Span

    from funcscope.extensions import Function
    from funcscope.extensions._invocation import TraceContext
    from funcscope.telemetry.triggers import Attributes


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


def function_resource_id(function_name: str, environ: Mapping[str, str]) -> str | None:
    """
    Return a function's Azure Resource Manager id, None where the settings do not tell.

    `WEBSITE_OWNER_NAME` starts with the subscription (`<id>+<region>`); Flex Consumption sets
    no `WEBSITE_RESOURCE_GROUP`.
    """
    subscription = environ.get("WEBSITE_OWNER_NAME", "").partition("+")[0]
    group = environ.get("WEBSITE_RESOURCE_GROUP", "")
    site = environ.get("WEBSITE_SITE_NAME", "")
    if not (subscription and group and site):
        return None
    return (
        f"/subscriptions/{subscription}/resourceGroups/{group}"
        f"/providers/Microsoft.Web/sites/{site}/functions/{function_name}"
    )


def type_name(error: BaseException) -> str:
    """Return an exception's class as `error.type` has it: with its module, if not built in."""
    kind = type(error)
    builtin = kind.__module__ in ("builtins", "exceptions")
    return kind.__qualname__ if builtin else f"{kind.__module__}.{kind.__qualname__}"


def message(error: BaseException) -> str:
    """Return an exception's message without secrets; empty where it cannot be made."""
    try:
        return redact(str(error))
    except Exception:  # noqa: BLE001  (a user's __str__)
        return ""


def exception_attributes(error: BaseException) -> dict[str, str]:
    """Describe an exception as an `exception` event does, from the function's frame on."""
    lines = traceback.format_exception(type(error), error, _function_frames(error.__traceback__))
    return {
        "exception.type": type_name(error),
        "exception.message": message(error),
        "exception.stacktrace": redact("".join(lines)),
    }


def record_failure(span: Span, error: BaseException, exceptions: Logger | None) -> None:
    """
    Make an invocation's span an error, and record its exception, once.

    The exception is a log event `faas.invocation.exception` in the span's context (semantic
    conventions 1.44, where span events for exceptions are deprecated); where no logs are
    exported, an event of the span.
    """
    if exceptions is None:
        record_exception(span, error)
        return
    attributes = exception_attributes(error)
    if span.is_recording():
        _set_failure(span, attributes["exception.type"], attributes["exception.message"])
    _emit_failure(attributes, exceptions)


def tell_failure(error: BaseException, exceptions: Logger | None) -> None:
    """Record the exception of an invocation without a span of ours: an event in the host's."""
    if exceptions is not None:
        _emit_failure(exception_attributes(error), exceptions)


def _emit_failure(attributes: dict[str, str], exceptions: Logger) -> None:
    kind, said = attributes["exception.type"], attributes["exception.message"]
    exceptions.emit(
        timestamp=time_ns(),
        severity_number=SeverityNumber.ERROR,
        severity_text="ERROR",
        body=f"{kind}: {said}" if said else kind,
        attributes=dict(attributes),
        event_name="faas.invocation.exception",
    )


def record_exception(span: Span, error: BaseException) -> None:
    """Make a span an error, with its exception as an event; without secrets."""
    if not span.is_recording():
        return
    attributes = exception_attributes(error)
    _set_failure(span, attributes["exception.type"], attributes["exception.message"])
    span.add_event("exception", attributes)


def _set_failure(span: Span, kind: str, said: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR, said)


def _function_frames(frames: TracebackType | None) -> TracebackType | None:
    """Skip the frames of funcscope's that lead to the function."""
    first = frames
    while first is not None and first.tb_frame.f_globals.get("__name__", "").startswith(
        ("funcscope.extensions.", "funcscope.telemetry.")
    ):
        first = first.tb_next
    return first or frames
