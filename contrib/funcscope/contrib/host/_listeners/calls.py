"""Calling a function for a listener."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from funcscope.contrib._local.trace_context import continue_trace
from funcscope.contrib.host._worker.invocations import InvocationRequest

if TYPE_CHECKING:
    from funcscope.contrib.host._listeners.listener import RunningApp
    from funcscope.contrib.host._worker.triggers import TriggerData
    from funcscope.contrib.host._worker.worker import LoadedFunction


async def call_function(running: RunningApp, function: LoadedFunction, data: TriggerData) -> bool:
    """
    Call a function with what has triggered it, and tell whether it has succeeded.

    Each call is a trace of its own: queues and blobs carry no context. A call that the host itself
    fails counts as failed, so that it is tried again.
    """
    call = InvocationRequest(
        function=function,
        title=f"{function.trigger_type} {function.name}",
        data=data,
        context=continue_trace(),
    )
    try:
        outcome = await running.retrier.run(call)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the listener goes on
        message = f"function {function.name!r} could not be called: {type(error).__name__}: {error}"
        running.console.log(message, level=logging.ERROR)
        return False
    return outcome.is_ok
