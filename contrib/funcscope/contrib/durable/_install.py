"""
Hook the SDK where it makes its contexts, which is the same in both programming models.

Read from `orchestrator.py`, `entity.py` and `models/` of azure-functions-durable 1.3.0 and 1.7.0;
`_durabletask.py` is for 2.0. The user's functions stay what they are: the SDK gets its generator,
and nobody else runs it.

docs/decisions/019 says why.
"""

from __future__ import annotations

import logging
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import wrapt

from funcscope.contrib.durable._entities import describe, instance_of, reporting
from funcscope.contrib.durable._replay import follow, watch
from funcscope.contrib.durable._sdk import (
    misfit,
    part,
    runs_on_durabletask,
    version,
    watch_generators,
)
from funcscope.extensions import current_invocation
from funcscope.extensions.integration import Latch, guarded
from funcscope.telemetry import bind
from funcscope.telemetry.integration import TASK_INSTANCE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Wrapped = Callable[..., object]
    Args = tuple[Any, ...]
    Kwargs = Mapping[str, Any]

_logger = logging.getLogger("funcscope.durable")
_installed = Latch()


def install() -> None:
    """
    Keep orchestrators' replays out of what is exported, and see what fails in entities.

    Calling it again changes nothing. A version of the SDK that does not fit is left alone, with
    a warning.
    """
    if not _installed.close():
        return
    if runs_on_durabletask():
        problem = import_module("funcscope.contrib.durable._durabletask").hook()
    else:
        problem = misfit()
    if problem is not None:
        _logger.warning(
            "azure-functions-durable %s does not fit: %s; orchestrators log again what they "
            "replay, and entities say nothing of failures: update funcscope",
            version(),
            problem,
        )
    elif not runs_on_durabletask():
        _hook_contexts()


def _hook_contexts() -> None:
    """Hook what 1.x has."""
    context, entity_context = "DurableOrchestrationContext", "DurableEntityContext"
    wrapt.wrap_function_wrapper(part(context), "from_json", _orchestration)
    wrapt.wrap_function_wrapper(part(entity_context), "from_json", _entity)
    wrapt.wrap_function_wrapper(part("Entity"), "__init__", _entity_function)
    if not watch_generators(_generator):
        _logger.warning(
            "azure-functions-durable %s does not fit: its TaskOrchestrationExecutor keeps no "
            "generator; what `finally:` logs in an orchestrator that goes on waiting is exported",
            version(),
        )


def _orchestration(wrapped: Wrapped, _cls: object, args: Args, kwargs: Kwargs) -> object:
    """Make an orchestrator's context, and have its invocation know it."""
    context = cast("Any", wrapped(*args, **kwargs))

    def follow_it() -> None:
        if (invocation := current_invocation()) is not None:
            follow(invocation, context)
            bind(**{TASK_INSTANCE: context.instance_id})

    guarded(follow_it, _logger, "an orchestration cannot be followed")
    return context


def _generator(generator: object) -> None:
    guarded(partial(watch, generator), _logger, "an orchestrator cannot be watched")


def _entity(wrapped: Wrapped, _cls: object, args: Args, kwargs: Kwargs) -> object:
    """Make an entity's context, and describe it on its invocation's span."""
    context_and_batch = cast("Any", wrapped(*args, **kwargs))

    def describe_it() -> None:
        if current_invocation() is not None:
            context, batch = context_and_batch
            describe(context, batch)
            bind(**{TASK_INSTANCE: instance_of(context)})

    guarded(describe_it, _logger, "an entity cannot be described")
    return context_and_batch


def _entity_function(wrapped: Wrapped, entity: Any, args: Args, kwargs: Kwargs) -> object:
    result = wrapped(*args, **kwargs)

    def watch_it() -> None:
        entity.fn = reporting(entity.fn)

    guarded(watch_it, _logger, "an entity cannot be watched")
    return result
