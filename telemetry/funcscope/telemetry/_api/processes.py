"""An invocation in the processes that its function starts."""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from funcscope.extensions import Function, Invocation, current_invocation
from funcscope.extensions.integration import PartialContext, entered
from funcscope.telemetry._context import current_span_context, set_invocation_span
from funcscope.telemetry._logs.buffer import release
from funcscope.telemetry._logs.correlation import add_record_fields
from funcscope.telemetry._pipeline.tail_sampling import sample_all
from funcscope.telemetry._recording.forks import flush

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

_logger = logging.getLogger("funcscope.telemetry")

TRACE_PARENT = "TRACEPARENT"
TRACE_STATE = "TRACESTATE"
INVOCATION_ID = "FUNCSCOPE_INVOCATION_ID"
FUNCTION_NAME = "FUNCSCOPE_FUNCTION_NAME"

_propagator = TraceContextTextMapPropagator()


class _OuterInvocation(NamedTuple):
    """
    The invocation that a process was started from, by its environment.

    Attributes:
        parent: The span that was current there; an invalid one where none was.
        invocation_id: Empty where there was no invocation.
        function_name: The function's name as the host knows it.
    """

    parent: SpanContext
    invocation_id: str
    function_name: str


def child_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """
    Make the environment of a child process, which `continue_invocation()` continues there.

    `TRACEPARENT` and `TRACESTATE` tell the current span, else the invocation's own, so that
    any program that knows OpenTelemetry's environment carriers (specification 1.50, context/
    env-carriers) can continue the trace; `FUNCSCOPE_INVOCATION_ID` and `FUNCSCOPE_FUNCTION_NAME`
    tell the invocation. They take the place of what `base` has of an outer process; outside an
    invocation, and of any span, that stays as it is.

    Args:
        base: What else is in it; this process's own environment by default.
    """
    environment = dict(os.environ if base is None else base)
    invocation = current_invocation()
    span = current_span_context(invocation)
    if invocation is not None or span is not None:
        for name in (TRACE_PARENT, TRACE_STATE):
            environment.pop(name, None)
    if span is not None:
        carrier: dict[str, str] = {}
        _propagator.inject(carrier, set_span_in_context(NonRecordingSpan(span), Context()))
        environment.update({name.upper(): value for name, value in carrier.items()})
    if invocation is not None:
        environment[INVOCATION_ID] = invocation.id
        environment[FUNCTION_NAME] = invocation.function_name
    return environment


@contextmanager
def continue_invocation(environ: Mapping[str, str] | None = None) -> Generator[None]:
    """
    Continue, in a child process, the invocation that it was started from.

    Spans of the block have the span that was current there as their parent, log records have the
    invocation's fields, and both are exported as the app settings say, whether or not the process
    has loaded the app. At the end, what was recorded is sent, for which the block waits up to 5
    seconds: a process may end without doing that (`multiprocessing` leaves by `os._exit`).

    Values that cannot be read are as good as none. With none, nothing is done; in a process that
    was forked in an invocation, that invocation goes on, and what was recorded is sent.

    Args:
        environ: What `child_environment()` made, where the process does not have it as its
            environment (`multiprocessing` passes none): pass it as an argument.
    """
    running = current_invocation()
    outer = None
    if environ is not None or running is None:
        outer = _read(os.environ if environ is None else environ)
    if outer is None and running is None:
        yield
        return
    with ExitStack() as stack:
        stack.callback(flush)
        if outer is not None:
            _start()
            _enter(outer, running, stack)
        yield


def _read(environ: Mapping[str, str]) -> _OuterInvocation | None:
    carrier = {name.lower(): environ.get(name, "") for name in (TRACE_PARENT, TRACE_STATE)}
    parent = get_current_span(_propagator.extract(carrier, Context())).get_span_context()
    outer = _OuterInvocation(parent, environ.get(INVOCATION_ID, ""), environ.get(FUNCTION_NAME, ""))
    return outer if parent.is_valid or outer.invocation_id else None


def _start() -> None:
    """Record in this process, too."""
    try:
        add_record_fields()
        # Not at the top: importing the extension's module registers it.
        from funcscope.telemetry._api.extension import recorder

        recorder().session.start_in_child()
    except Exception:
        _logger.exception("nothing of this process is exported")


def _enter(outer: _OuterInvocation, running: Invocation | None, stack: ExitStack) -> None:
    """Make an invocation and its span current until the stack unwinds."""
    if outer.invocation_id and (running is None or running.id != outer.invocation_id):
        invocation = stack.enter_context(entered(_invocation(outer)))
        sample_all(invocation)
        if outer.parent.is_valid:
            set_invocation_span(invocation, NonRecordingSpan(outer.parent))

        def release_records(error: object, *_: object) -> None:
            release(invocation, has_failed=error is not None)

        stack.push(release_records)
    context = Context()
    if outer.parent.is_valid:
        context = set_span_in_context(NonRecordingSpan(outer.parent), context)
    stack.callback(detach, attach(context))


def _invocation(outer: _OuterInvocation) -> Invocation:
    name = outer.function_name
    function = Function(name, "", is_async=False, qualified_name="")
    context = PartialContext(outer.invocation_id, name, "", thread_local_storage=None)
    return Invocation(outer.invocation_id, function, {}, context)
