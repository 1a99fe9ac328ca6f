"""An invocation in the processes that its function starts."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import wrapt
from opentelemetry import _logs, metrics, trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from funcscope.extensions import Function, Invocation, current_invocation
from funcscope.extensions._forks import lock_of
from funcscope.extensions._invocation import PartialContext, entered, in_flight
from funcscope.telemetry._logs.buffer import forget, settle
from funcscope.telemetry._logs.correlation import add_record_fields, remember_span, span_context
from funcscope.telemetry._metrics.measurements import forget_measurements, has_measurements
from funcscope.telemetry._pipeline.flush import flush_within
from funcscope.telemetry._pipeline.tail_sampling import keep_all
from funcscope.telemetry._recording.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

_logger = logging.getLogger("funcscope.telemetry")

FLUSH_S = 5
"""How long a child process waits at most for what it recorded to be sent."""

_patience = Patience(FLUSH_S, short_s=0.5, holds_s=30)

TRACE_PARENT = "TRACEPARENT"
TRACE_STATE = "TRACESTATE"
INVOCATION_ID = "FUNCSCOPE_INVOCATION_ID"
FUNCTION_NAME = "FUNCSCOPE_FUNCTION_NAME"

_LAST = -100  # multiprocessing's own finalizers, down to -5, come first
_WALKED = ("opentelemetry.", "funcscope.", "azure.")

_propagator = TraceContextTextMapPropagator()
_lock = lock_of(sys.modules[__name__])
_watched: list[str] = []
_inherited: list[object] = []
_forked: list[int] = []


class _Sent(NamedTuple):
    """
    What an environment says of the invocation that a process was started from.

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
    span = span_context(invocation)
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
    sent = None
    if environ is not None or running is None:
        sent = _read(os.environ if environ is None else environ)
    if sent is None and running is None:
        yield
        return
    with ExitStack() as stack:
        stack.callback(flush)
        if sent is not None:
            _start()
            _enter(sent, running, stack)
        yield


def flush() -> None:
    """Send what this process has recorded, and wait for it a few seconds at most."""
    try:
        providers = [*_providers()]
        if _forked and not has_measurements(providers[-1]):
            del providers[-1]  # it would send what it observes itself, from every child
        wait_s = _patience.wait_s()
        flushes = [f for p in providers if (f := getattr(p, "force_flush", None))]
        _patience.waited(wait_s, is_done=flush_within(flushes, wait_s))
    except Exception:
        _logger.exception("telemetry could not be sent")


def watch_forks() -> None:
    """
    Have forked children send what they record, and only that.

    The SDK (1.45) gives a child empty queues, threads and instance ids of its own. It leaves it
    the parent's open connections, on which the answers to both would be mixed up
    (opentelemetry-python#4994), and the parent's measurements, which would count twice. And
    `multiprocessing` ends its children without `atexit`.
    """
    with _lock:
        if _watched:
            return
        _watched.append("forks")
    _patience.share()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
    wrapt.register_post_import_hook(_watch_multiprocessing, "multiprocessing.util")


def _read(environ: Mapping[str, str]) -> _Sent | None:
    carrier = {name.lower(): environ.get(name, "") for name in (TRACE_PARENT, TRACE_STATE)}
    parent = get_current_span(_propagator.extract(carrier, Context())).get_span_context()
    sent = _Sent(parent, environ.get(INVOCATION_ID, ""), environ.get(FUNCTION_NAME, ""))
    return sent if parent.is_valid or sent.invocation_id else None


def _start() -> None:
    """Record in this process, too."""
    try:
        add_record_fields()
        # Not at the top: importing the extension's module registers it.
        from funcscope.telemetry._api.extension import recorder

        recorder().start_in_child()
    except Exception:
        _logger.exception("nothing of this process is exported")


def _enter(sent: _Sent, running: Invocation | None, stack: ExitStack) -> None:
    """Make an invocation and its span current until the stack unwinds."""
    if sent.invocation_id and (running is None or running.id != sent.invocation_id):
        invocation = stack.enter_context(entered(_invocation(sent)))
        keep_all(invocation)
        if sent.parent.is_valid:
            remember_span(invocation, NonRecordingSpan(sent.parent))

        def settle_it(error: object, *_: object) -> None:
            settle(invocation, has_failed=error is not None)

        stack.push(settle_it)
    context = Context()
    if sent.parent.is_valid:
        context = set_span_in_context(NonRecordingSpan(sent.parent), context)
    stack.callback(detach, attach(context))


def _invocation(sent: _Sent) -> Invocation:
    name = sent.function_name
    function = Function(name, "", is_async=False, qualified_name="")
    context = PartialContext(sent.invocation_id, name, "", thread_local_storage=None)
    return Invocation(sent.invocation_id, function, {}, context)


def _watch_multiprocessing(util: Any) -> None:  # the module's own types leave these out
    def flush_at_the_end(_: object) -> None:
        util.Finalize(None, flush, exitpriority=_LAST)

    util.register_after_fork(flush, flush_at_the_end)


def _before_fork() -> None:
    """Make the ids of the spans that the child goes on below: made later, each has its own."""
    with suppress(Exception):
        get_current_span().get_span_context()
        span_context(current_invocation())


def _after_fork() -> None:
    """Part with what is the parent's; takes no lock, as its threads may have held any."""
    for invocation in in_flight():
        with suppress(Exception):
            forget(invocation)
            keep_all(invocation)
    with suppress(Exception):
        _reconnect(_providers())
    with suppress(Exception):
        forget_measurements(metrics.get_meter_provider())
    _forked.append(os.getpid())


def _providers() -> tuple[object, ...]:
    return (
        trace.get_tracer_provider(),
        _logs.get_logger_provider(),
        metrics.get_meter_provider(),
    )


def _reconnect(providers: tuple[object, ...]) -> None:
    """Give each HTTP session of the exporters new pools of connections."""
    requests = sys.modules.get("requests")
    if requests is None:
        return
    for session in _find(requests.Session, providers):
        for adapter in session.adapters.values():
            # Kept, as closing them takes their locks.
            _inherited.append((adapter.poolmanager, adapter.proxy_manager))
            adapter.__setstate__(adapter.__getstate__())  # as `copy` would: with new pools


def _find(wanted: type, roots: tuple[object, ...]) -> Iterator[Any]:  # of the type that is wanted
    """Search what providers are made of: exporters come from the app and from others, too."""
    waiting, seen = list(roots), set[int]()
    while waiting:
        found: Any = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, wanted):
            yield found
        elif isinstance(found, (list, tuple)):
            waiting.extend(cast("list[object]", found))
        elif type(found).__module__.startswith(_WALKED):
            waiting.extend(getattr(found, "__dict__", {}).values())
