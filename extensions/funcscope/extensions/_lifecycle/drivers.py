"""
The drivers: they call a function with an observer around it, and own the policy.

The function's result or error passes unchanged, whatever an extension does; only a guard's
`Reject`, raised before the function ran, takes its place, and an interrupt, which is nobody's fault
(docs/decisions/031). All that runs around a function is one observer (docs/decisions/040), which
is called as it stands: each function that runs once per invocation is felt (docs/decisions/022).
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from funcscope.extensions._errors import (
    INTERRUPTS,
    Reject,
    leave_out_own_frames,
    qualified_name,
)
from funcscope.extensions._invocation import Invocation, enter, leave
from funcscope.extensions._lifecycle.hooks import FAILED_AFTER, FAILED_BEFORE, HookObserver
from funcscope.extensions._lifecycle.observers import (
    AFTER,
    BEFORE,
    NamedObserver,
    NoExtension,
    Observer,
    Observers,
    SavedException,
)
from funcscope.extensions._lifecycle.watch import TimedObserver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from funcscope.extensions._errors import Faults
    from funcscope.extensions._invocation import IdVariable
    from funcscope.extensions._lifecycle.hooks import Call
    from funcscope.extensions._lifecycle.watch import Watch

    Function = Callable[..., Any]  # an app's own
    _Layer = HookObserver | Observers


def drive(
    function: Function,
    invocation: Invocation,
    observer: Observer[Any],
    name: str,
    faults: Faults,
    id_variable: IdVariable | None,
) -> object:
    """
    Call a function as an invocation, with an observer around it.

    Args:
        function: The function.
        invocation: The call.
        observer: All that runs around it.
        name: What reports call the observer.
        faults: Where to report what goes wrong.
        id_variable: Where the worker's log stream looks for the id, if that is to be set.
    """
    entered = enter(invocation, id_variable)
    try:
        try:
            token = observer.begin(invocation)
        except BaseException as error:
            if issubclass(type(error), INTERRUPTS):
                raise
            if invocation.is_rejected:
                return _answer(error)
            faults.report(name, BEFORE, error)
            observer, token = NoExtension(), None
        try:
            result = function(**invocation.args)
        except BaseException as error:
            _end_failed(observer, name, invocation, token, error, faults)
            raise
        try:
            observer.end(invocation, token, result)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (the function has its result)
            faults.report(name, AFTER, error)
        return result
    finally:
        leave(entered, invocation)
        if invocation.finishes is not None:
            finish(invocation.finishes, faults)


async def drive_async(
    function: Function,
    invocation: Invocation,
    observer: Observer[Any],
    name: str,
    faults: Faults,
    id_variable: IdVariable | None,
) -> object:
    """Call a coroutine function as `drive` calls others."""
    is_closed = False
    entered = enter(invocation, id_variable)
    try:
        try:
            token = observer.begin(invocation)
        except BaseException as error:
            if issubclass(type(error), INTERRUPTS):
                raise
            if invocation.is_rejected:
                return _answer(error)
            faults.report(name, BEFORE, error)
            observer, token = NoExtension(), None
        try:
            result = await function(**invocation.args)
        except BaseException as error:
            is_closed = issubclass(type(error), GeneratorExit)
            _end_failed(observer, name, invocation, token, error, faults)
            raise
        try:
            observer.end(invocation, token, result)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (the function has its result)
            faults.report(name, AFTER, error)
        return result
    finally:
        leave(entered, invocation)
        # A coroutine that is closed may await nothing.
        if invocation.finishes is not None and not is_closed:
            await finish_async(invocation.finishes, faults)


async def drive_awaiting(
    function: Function,
    invocation: Invocation,
    layers: Sequence[_Layer],
    _name: str,
    faults: Faults,
    id_variable: IdVariable | None,
) -> object:
    """Call a coroutine function within layers, outermost first, whose hooks have to be awaited."""
    is_closed = False
    entered = enter(invocation, id_variable)
    invocation.outer_context = copy_context()
    try:
        return await _await_within(function, invocation, layers, faults)
    except Reject as rejection:
        if not invocation.is_rejected:
            raise
        return _answer(rejection)
    except BaseException as error:
        is_closed = issubclass(type(error), GeneratorExit)
        leave_out_own_frames(error)
        raise
    finally:
        leave(entered, invocation)
        if invocation.finishes is not None and not is_closed:
            await finish_async(invocation.finishes, faults)


async def _await_within(
    function: Function,
    invocation: Invocation,
    layers: Sequence[_Layer],
    faults: Faults,
) -> object:
    """Call a function within layers, one of them at a time."""
    if not layers:
        return await function(**invocation.args)
    layer, inner = layers[0], layers[1:]
    if isinstance(layer, HookObserver):
        await _await_hooks(layer.before, FAILED_BEFORE, faults, invocation)
        result = await _await_within(function, invocation, inner, faults)
        await _await_hooks(layer.after, FAILED_AFTER, faults, invocation, result)
        return result
    begun = layer.begin(invocation)
    try:
        result = await _await_within(function, invocation, inner, faults)
    except BaseException as error:
        layer.end(invocation, begun, None, error)
        raise
    layer.end(invocation, begun, result)
    return result


async def _await_hooks(
    hooks: Sequence[Call],
    fault: str,
    faults: Faults,
    invocation: Invocation,
    *result: object,
) -> None:
    """Call each hook, and await what it returns if that can be awaited."""
    for hook, logger, name in hooks:
        is_awaiting = False
        try:
            returned = hook(logger, invocation.context, invocation.args, *result)
            if inspect.isawaitable(returned):
                is_awaiting = True
                await cast("Awaitable[object]", returned)
        except INTERRUPTS:
            raise
        except Reject as rejection:
            if not result:
                invocation.is_rejected = True
                raise
            faults.report(name, fault, rejection)
        except BaseException as error:
            if is_awaiting and _is_from_outside(error):
                raise
            faults.report(name, fault, error)


def _is_from_outside(error: BaseException) -> bool:
    """Whether an exception that came while a hook was awaited is the invocation's own."""
    kind = type(error)
    if issubclass(kind, asyncio.CancelledError):
        return _is_being_cancelled()
    return issubclass(kind, GeneratorExit)  # the coroutine is closed: it may await nothing more


def _is_being_cancelled() -> bool:
    """Whether a cancellation is the invocation's own, and not of a task that a hook awaited."""
    task = asyncio.current_task()
    if task is None or sys.version_info < (3, 11):
        return True  # Python 3.10 cannot say: a cancellation must not be lost
    return task.cancelling() > 0


def _end_failed(
    observer: Observer[Any],
    name: str,
    invocation: Invocation,
    token: object,
    error: BaseException,
    faults: Faults,
) -> None:
    """End an observer with a function's error, and leave that as the function raised it."""
    leave_out_own_frames(error)
    saved = SavedException(error)
    try:
        observer.end(invocation, token, None, error)
    except INTERRUPTS:
        raise
    except BaseException as raised:  # noqa: BLE001  (the function's own error goes on)
        faults.report(name, AFTER, raised)
    finally:
        saved.restore()


def _answer(rejection: BaseException) -> object:
    """Return a guard's response, and keep no frames of this call on its exception."""
    BaseException.with_traceback(rejection, None)
    return cast("Reject", rejection).response


def finish(calls: Sequence[Callable[[], object]], faults: Faults) -> None:
    """Make the calls that `Invocation.finish_with` was given."""
    for call in calls:
        try:
            call()
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (the function has its result)
            faults.report(qualified_name(call), "failed after the invocation", error)


async def finish_async(calls: Sequence[Callable[[], object]], faults: Faults) -> None:
    """Make these calls on another thread, so that the event loop goes on meanwhile."""
    try:
        await asyncio.get_running_loop().run_in_executor(None, partial(finish, calls, faults))
    except Exception as error:  # noqa: BLE001  (such as that there is no executor any more)
        faults.report("lifecycle", "could not finish an invocation", error)


class CallPlan(NamedTuple):
    """
    How a function is called: which driver, with which observer around it.

    Attributes:
        drive: The driver.
        observer: What the driver takes as that.
        name: What reports call the observer.
        timed: The observer with each extension timed by itself; None where none is to be.
    """

    drive: Callable[[Function, Invocation, Any, str, Faults, IdVariable | None], Any]
    observer: Any  # as the driver has it
    name: str
    timed: Any = None


def plan_calls(
    observers: Sequence[NamedObserver], faults: Faults, watch: Watch, *, is_async: bool
) -> CallPlan:
    """Choose the driver for a function's calls by what runs around them, outermost first."""
    name, observer = _together(observers, faults)
    if not is_async:
        return CallPlan(drive, observer, name)
    timed = [watch.timed(each) for each in observers]
    if any(isinstance(o, HookObserver) and o.are_async for _, o in observers):
        layers = _layers(observers, faults)
        return CallPlan(drive_awaiting, layers, name, _layers(timed, faults))
    if timed == list(observers):
        return CallPlan(drive_async, observer, name)
    return CallPlan(
        drive_async,
        TimedObserver(observer, watch.clock, watch.check),
        name,
        _together(timed, faults).observer,
    )


def _together(observers: Sequence[NamedObserver], faults: Faults) -> NamedObserver:
    if len(observers) == 1:
        return observers[0]
    if not observers:
        return NamedObserver("no extension", NoExtension())
    return NamedObserver("extensions", Observers(observers, faults))


def _layers(observers: Sequence[NamedObserver], faults: Faults) -> Sequence[_Layer]:
    return [
        each.observer if isinstance(each.observer, HookObserver) else Observers([each], faults)
        for each in observers
    ]
