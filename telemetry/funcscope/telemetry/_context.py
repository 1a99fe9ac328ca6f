"""
Trace contexts: the host's, which an invocation's span has as its parent, and what is current.

An invocation's own span stands in its state, for its threads that run in no span.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from threading import get_ident
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import context as otel_context
from opentelemetry.context import Context, get_value
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from funcscope.extensions.integration import AttributeReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context as ContextVariables

    from opentelemetry.trace import Span

    from funcscope.extensions import Context as WorkerContext
    from funcscope.extensions import Invocation

    TraceHeaders = tuple[str, str]  # `traceparent` and `tracestate`
    LogIds = tuple[str, str, str, int]  # trace id, span id, whether it is sampled, all its flags

CALL_READER = AttributeReader("trace_context", "retry_context", may_lack=True)
"""What reads these of a worker's context, by its class."""
TRACE_READER = AttributeReader("trace_parent", "trace_state", may_lack=True)
"""What reads these of a trace context, by its class."""

_propagator = TraceContextTextMapPropagator()
_reading_state: set[int] = set()
"""The threads on which a `tracestate` is being read."""
INVOCATION_SPAN = object()
"""Where an invocation's state has its span."""
LOG_IDS = "funcscope_log_ids"
"""A span's method that gives its ids to log records at less than what making them takes."""
HOST_KEY = "funcscope-host-parent"
"""Where a context that was made of the host's span has that."""
# The key is the API's own, and told by what it makes.
(SPAN_KEY,) = set_span_in_context(INVALID_SPAN, Context())
# What hosts send (version 00, W3C Trace Context level 1) where it is valid; all else is the
# propagator's to read. The groups are the trace id, the span id and the flags.
match_traceparent = re.compile(
    "00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
).fullmatch
_FLAGS = tuple(TraceFlags(bits) for bits in range(256))
_NO_STATE = TraceState()
_NOTHING = Context()
_PLAIN_KEY = "suppress_instrumentation"
_KEY = cast("str", getattr(otel_context, "_SUPPRESS_INSTRUMENTATION_KEY", _PLAIN_KEY))
SUPPRESS_KEYS = (_KEY, _PLAIN_KEY)
"""The key that the SDK's processors set while they send (opentelemetry.context 1.45), which is
another in each process, and the name that older instrumentations read."""
_new: Callable[..., SpanContext] = cast("Any", tuple).__new__
# That a SpanContext is a tuple of these is the API's own affair (1.45).
_IS_PLAIN = tuple(SpanContext(1, 2, is_remote=True)) == (1, 2, True, _FLAGS[0], _NO_STATE, True)


def valid_context(
    trace_id: int, span_id: int, flags: TraceFlags, *, is_remote: bool
) -> SpanContext:
    """Make ids that are known to be valid, at a fifth of what it costs to find that out."""
    if not _IS_PLAIN:
        return SpanContext(trace_id, span_id, is_remote, flags)
    return _new(SpanContext, (trace_id, span_id, is_remote, flags, _NO_STATE, True))


def host_trace_headers(context: WorkerContext) -> TraceHeaders:
    """Return a host's `traceparent` and `tracestate`, empty where there are none."""
    sent = getattr(context, "trace_context", None)  # a runtime of one's own may have none
    return ("", "") if sent is None else (sent.trace_parent or "", sent.trace_state or "")


def host_parent(sent: TraceHeaders) -> SpanContext | None:
    """
    Return the host's span, which is the parent; None where it sent none that is valid.

    What is ambient is left out on purpose: the classic worker attaches contexts to pool
    threads and never detaches them, and azure-functions-runtime 1.3.0 attaches them to the
    event loop's task alone, where a sync function does not run.
    """
    trace_parent, trace_state = sent
    if not trace_parent:
        return None
    # The propagator logs what is wrong with a state, and that record asks for these ids.
    if trace_state and get_ident() in _reading_state:
        trace_state = ""
    match = None if trace_state else match_traceparent(trace_parent)
    if match is not None:
        trace_id, span_id, flags = match.groups()
        known = _FLAGS[int(flags, 16)]
        return valid_context(int(trace_id, 16), int(span_id, 16), known, is_remote=True)
    carrier = {"traceparent": trace_parent, "tracestate": trace_state}
    thread = get_ident()
    _reading_state.add(thread)
    try:
        parent = get_current_span(_propagator.extract(carrier, Context())).get_span_context()
    finally:
        _reading_state.discard(thread)
    return parent if parent.is_valid else None


def context_of(parent: SpanContext | None, beside: Context | None = None) -> Context:
    """Return a fresh context with the host's span as the current one, and what is beside it."""
    known = beside or _NOTHING
    if parent is None:
        return Context(known)
    return Context({**known, SPAN_KEY: NonRecordingSpan(parent), HOST_KEY: parent})


def usable_context() -> Context | None:
    """Return no other context than the current one, unless its span cannot be asked for its ids."""
    try:
        get_current_span().get_span_context()
    except Exception:  # noqa: BLE001  (a foreign tracer's, and no reason to lose an exception)
        return Context({SPAN_KEY: INVALID_SPAN})
    return None


def _context_variable() -> ContextVar[Context] | None:
    """Return where the API's default runtime context keeps the current one (API 1.45)."""
    runtime = getattr(otel_context, "_RUNTIME_CONTEXT", None)
    if type(runtime).__name__ != "ContextVarsRuntimeContext":
        return None
    variable = getattr(runtime, "_current_context", None)
    return cast("ContextVar[Context]", variable) if isinstance(variable, ContextVar) else None


# What the API's `attach`, `get_current` and `detach` come to. The last logs what it raises: a
# ValueError where it is called in another context, which is nothing to tell anybody of.
_variable = _context_variable()
attach_context = otel_context.attach if _variable is None else _variable.set
current_context = otel_context.get_current if _variable is None else _variable.get
detach_context = otel_context.detach if _variable is None else _variable.reset


def current_context_in(outer: ContextVariables | None) -> Context | None:
    """Return what is current in a copy of the context variables; None where nobody can tell."""
    if outer is None or _variable is None:
        return None
    return outer.get(_variable, _NOTHING)


def unsampled_host_parent(context: Context | None) -> SpanContext | None:
    """Return the host's span if it is the parent in a context and was not sampled."""
    parent = get_current_span(context).get_span_context()
    if parent.trace_flags.sampled or get_value(HOST_KEY, context) is not parent:
        return None
    return parent


def is_sending() -> bool:
    """Tell whether telemetry is being sent here and now, which is not to be recorded."""
    context = current_context()
    return bool(context.get(_KEY) or context.get(_PLAIN_KEY))


def set_invocation_span(invocation: Invocation, span: Span) -> None:
    """Keep an invocation's span for its threads that run in no span."""
    invocation.state[INVOCATION_SPAN] = span


def invocation_span_context(invocation: Invocation) -> SpanContext | None:
    """Return the ids of an invocation's span; None where it has none."""
    span = cast("Span | None", invocation.state.get(INVOCATION_SPAN))
    return None if span is None else valid_span_context(span)


def current_span_context(invocation: Invocation | None) -> SpanContext | None:
    """Return the ids of the current span, else of the invocation's own; None where none has any."""
    context = valid_span_context(get_current_span())
    if context is not None or invocation is None:
        return context
    return invocation_span_context(invocation)


def valid_span_context(span: Span) -> SpanContext | None:
    """Ask a span, which may be of anybody's tracer, for its ids; None where it has none."""
    try:
        context = span.get_span_context()
        is_valid = context.is_valid
    except Exception:  # noqa: BLE001  (a foreign tracer's fault is no log call's)
        return None
    return context if is_valid else None


def log_ids(context: SpanContext) -> LogIds | None:
    """Return ids as log records have them; None where they are not valid."""
    if not context.is_valid:
        return None
    sampled = "true" if context.trace_flags & 1 else "false"
    flags = context.trace_flags
    return f"{context.trace_id:032x}", f"{context.span_id:016x}", sampled, int(flags)
