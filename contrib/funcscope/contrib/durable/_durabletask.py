"""
Hook the SDK from 2.0 on, which has durabletask run orchestrators and entities.

Read from `worker.py` and `internal/invocation.py` of azure-functions-durable 2.0.0rc3, and from
`worker.py` and `internal/tracing.py` of durabletask 1.12.0. All that is hooked runs in the
function's invocation, and catches what the user's code raises: no frame of ours is in a traceback.

docs/decisions/019 says why.
"""

from __future__ import annotations

import logging
import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import wrapt
from opentelemetry.trace import get_current_span

from funcscope.contrib.durable._replay import drop, follow, followed
from funcscope.extensions import current_invocation
from funcscope.extensions.integration import guarded
from funcscope.telemetry import bind
from funcscope.telemetry.integration import (
    TASK_INSTANCE,
    TASK_OPERATION,
    report_failure,
    suppress_export_while,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.context import Context

    Wrapped = Callable[..., object]
    Args = tuple[Any, ...]
    Kwargs = Mapping[str, Any]

_REPORTED = object()
_logger = logging.getLogger("funcscope.durable")


def hook() -> str | None:
    """Hook durabletask; where it does not fit, hook nothing and say what is missing."""
    worker: Any = import_module("durabletask.worker")
    tracing: Any = import_module("durabletask.internal.tracing")
    context: Any = getattr(worker, "_RuntimeOrchestrationContext", None)
    engine = getattr(worker, "TaskHubGrpcWorker", None)
    for owner, name in (
        (context, "is_replaying"),
        (context, "set_failed"),
        (engine, "_execute_orchestrator"),
        (engine, "_execute_entity_batch"),
        (tracing, "extract_trace_context"),
        (tracing, "set_span_error"),
    ):
        if not hasattr(owner, name):
            return f"durabletask has no {name}"
    if "_generator" not in context.__init__.__code__.co_names:
        _logger.warning(
            "durabletask keeps an orchestrator's generator elsewhere than it did; what `finally:` "
            "logs in an orchestrator that goes on waiting is exported"
        )
    wrapt.wrap_function_wrapper(context, "__init__", _orchestration)
    wrapt.wrap_function_wrapper(context, "set_failed", _failed_orchestration)
    wrapt.wrap_function_wrapper(engine, "_execute_orchestrator", _episode)
    batch = partial(_batch, tracing.extract_trace_context)
    wrapt.wrap_function_wrapper(engine, "_execute_entity_batch", batch)
    wrapt.wrap_function_wrapper(tracing, "set_span_error", _failed_operation)
    return None


def _orchestration(wrapped: Wrapped, context: Any, args: Args, kwargs: Kwargs) -> object:
    """Make an orchestrator's context, and have its invocation know it."""
    made = wrapped(*args, **kwargs)

    def follow_it() -> None:
        if (invocation := current_invocation()) is not None:
            follow(invocation, context)
            bind(**{TASK_INSTANCE: context.instance_id})

    guarded(follow_it, _logger, "an orchestration cannot be followed")
    return made


def _failed_orchestration(wrapped: Wrapped, context: Any, args: Args, kwargs: Kwargs) -> object:
    """
    Report what ends an orchestration, of which the SDK makes an answer.

    Once it has ended, as by continuing as new, the SDK leaves it at that.
    """

    def report() -> None:
        error, invocation = args[0], current_invocation()
        if invocation is not None and isinstance(error, Exception) and not _is_over(context):
            report_failure(invocation, error)

    guarded(report, _logger, "the failure of an orchestration cannot be told")
    return wrapped(*args, **kwargs)


def _episode(wrapped: Wrapped, _engine: object, args: Args, kwargs: Kwargs) -> object:
    """
    Run an episode, and let go of the orchestrator's generator at its end.

    It and its context have each other, so that Python would close it whenever it collects garbage,
    on any thread and in whatever invocation runs there: each `finally:` around what it waits for.
    """
    done = wrapped(*args, **kwargs)
    guarded(_let_go, _logger, "an orchestrator cannot be let go")
    return done


def _let_go() -> None:
    invocation = current_invocation()
    context: Any = None if invocation is None else followed(invocation)
    if invocation is None or context is None:
        return
    let_go = partial(setattr, context, "_generator", None)
    if _is_over(context):
        let_go()
    else:
        drop(invocation, let_go)


def _is_over(context: object) -> bool:
    return bool(getattr(context, "_is_complete", False))


def _batch(
    extract: Callable[[object], Context | None],
    wrapped: Wrapped,
    _engine: object,
    args: Args,
    kwargs: Kwargs,
) -> object:
    """Run an entity's operations, described on its invocation's span."""
    guarded(partial(_describe, extract, args[0]), _logger, "an entity cannot be described")
    return wrapped(*args, **kwargs)


def _describe(extract: Callable[[object], Context | None], request: Any) -> None:
    """
    Set an entity's attributes, and link the operations that are of other traces.

    The SDK would make each operation's trace context the current one, in the place of the
    invocation's span: it does not get them.
    """
    if current_invocation() is None:
        return
    span, operations = get_current_span(), request.operations
    names = {operation.operation for operation in operations}
    attributes = {TASK_INSTANCE: request.instanceId}
    if len(names) == 1:
        attributes[TASK_OPERATION] = str(*names)
    span.set_attributes(attributes)
    bind(**{TASK_INSTANCE: request.instanceId})
    trace_id = span.get_span_context().trace_id
    for operation in operations:
        sent = get_current_span(extract(operation.traceContext)).get_span_context()
        operation.ClearField("traceContext")
        if sent.is_valid and sent.trace_id != trace_id:
            span.add_link(sent)


def _failed_operation(wrapped: Wrapped, _: object, args: Args, kwargs: Kwargs) -> object:
    """Report what an entity's operation raises, in the place of the SDK's own log record of it."""

    def report() -> None:
        error, invocation = args[1], current_invocation()
        if invocation is not None:
            report_failure(invocation, error)
            invocation.state[_REPORTED] = error
            suppress_export_while(invocation, _is_reported)

    guarded(report, _logger, "the failure of an entity cannot be told")
    return wrapped(*args, **kwargs)


def _is_reported() -> bool:
    """Tell whether what runs handles the exception that was reported last."""
    invocation, error = current_invocation(), sys.exc_info()[1]
    return invocation is not None and error is not None and error is invocation.state.get(_REPORTED)
