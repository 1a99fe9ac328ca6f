"""Call a function as a worker's function is called: with all that is registered for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from funcscope.extensions._errors import Faults
from funcscope.extensions._lifecycle.drivers import plan_calls
from funcscope.extensions._lifecycle.registry import registry
from funcscope.extensions._lifecycle.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.extensions import Invocation


def call_extended(
    invocation: Invocation, function: Callable[..., object], faults: Faults | None = None
) -> Any:  # what the function returns, or the coroutine of an async one
    """Call a function as an invocation, within the extensions that are registered for it."""
    called, faults = invocation.function, faults or Faults(invocation.function_name)
    observers = registry.observers(called, faults)
    plan = plan_calls(observers, faults, Watch(faults, 1), is_async=called.is_async)
    return plan.drive(function, invocation, plan.observer, plan.name, faults, None)
