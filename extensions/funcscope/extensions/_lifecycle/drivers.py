"""
The drivers: they call a function with what runs around it, and own the policy.

The function's result or error passes unchanged, whatever an extension does; only a guard's
`Reject`, raised before the function ran, takes its place, and an interrupt, which is nobody's fault
(docs/decisions/031). Functions with standard hooks alone have drivers of their own, which keep no
steps (docs/decisions/006), and so have those with an observer alone (docs/decisions/022).
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, cast

from funcscope.extensions._errors import INTERRUPTS, Reject, qualified_name
from funcscope.extensions._invocation import Invocation, enter, leave
from funcscope.extensions._lifecycle.hooks import FAILED_AFTER, FAILED_BEFORE, Call, Level
from funcscope.extensions._lifecycle.observers import AFTER, BEFORE, Chain, Kept, Wrapper

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from funcscope.extensions._errors import Faults
    from funcscope.extensions._invocation import IdVariable
    from funcscope.extensions._lifecycle.observers import Lone
    from funcscope.extensions._lifecycle.watch import Watch

_NOT_BEGUN = object()


def drive(
    function: Callable[..., object],
    invocation: Invocation,
    wrappers: Sequence[Wrapper],
    faults: Faults,
) -> object:
    """Call a function with its extensions around it."""
    token = enter(invocation)
    invocation.outer_context = copy_context()
    chain = Chain(faults)
    try:
        chain.enter(wrappers, invocation)
        result = function(**invocation.args)
    except BaseException as error:
        chain.fail(error)
        if invocation.is_rejected:
            return _answer(error)
        raise
    else:
        chain.succeed(result)
        return result
    finally:
        leave(token, invocation)


async def drive_async(
    function: Callable[..., Awaitable[object]],
    invocation: Invocation,
    wrappers: Sequence[Wrapper],
    faults: Faults,
    watch: Watch,
) -> object:
    """Do what `drive` does for a coroutine function, and watch how long the loop is held."""
    token = enter(invocation)
    invocation.outer_context = copy_context()
    chain = Chain(faults)
    try:
        start = watch.clock()
        chain.enter(wrappers, invocation)
        watch.check(start)
        result = await function(**invocation.args)
    except BaseException as error:
        chain.fail(error)
        if invocation.is_rejected:
            return _answer(error)
        raise
    else:
        start = watch.clock()
        chain.succeed(result)
        watch.check(start)
        return result
    finally:
        leave(token, invocation)


def drive_observed(
    function: Callable[..., object],
    invocation: Invocation,
    lone: Lone,
    faults: Faults,
    id_variable: IdVariable | None,
) -> object:
    """Call a function with an observer alone around it, and all else that its call needs."""
    token = enter(invocation, id_variable)
    try:
        try:
            mark = lone.observer.begin(invocation)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (no extension stops a function)
            faults.report(lone.name, BEFORE, error)
            mark = _NOT_BEGUN
        try:
            result = function(**invocation.args)
        except BaseException as error:
            _tell_failure(lone, invocation, mark, error, faults)
            raise
        if mark is not _NOT_BEGUN:
            try:
                lone.observer.end(invocation, mark, result)
            except INTERRUPTS:
                raise
            except BaseException as error:  # noqa: BLE001  (the function has its result)
                faults.report(lone.name, AFTER, error)
        return result
    finally:
        leave(token, invocation)
        if invocation.finishes is not None:
            finish(invocation.finishes, faults)


async def drive_observed_async(
    function: Callable[..., Awaitable[object]],
    invocation: Invocation,
    lone: Lone,
    faults: Faults,
    id_variable: IdVariable | None,
) -> object:
    """Do what `drive_observed` does for a coroutine function."""
    is_closed = False
    token = enter(invocation, id_variable)
    try:
        try:
            mark = lone.observer.begin(invocation)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (no extension stops a function)
            faults.report(lone.name, BEFORE, error)
            mark = _NOT_BEGUN
        try:
            result = await function(**invocation.args)
        except BaseException as error:
            is_closed = issubclass(type(error), GeneratorExit)
            _tell_failure(lone, invocation, mark, error, faults)
            raise
        if mark is not _NOT_BEGUN:
            try:
                lone.observer.end(invocation, mark, result)
            except INTERRUPTS:
                raise
            except BaseException as error:  # noqa: BLE001  (the function has its result)
                faults.report(lone.name, AFTER, error)
        return result
    finally:
        leave(token, invocation)
        # A coroutine that is closed may await nothing.
        if invocation.finishes is not None and not is_closed:
            await finish_async(invocation.finishes, faults)


def _tell_failure(
    lone: Lone, invocation: Invocation, mark: object, error: BaseException, faults: Faults
) -> None:
    """Tell an observer of a function's error, and leave that as it was."""
    if mark is _NOT_BEGUN:
        return
    kept = Kept(error)
    try:
        lone.observer.end(invocation, mark, None, error)
    except INTERRUPTS:
        raise
    except BaseException as raised:  # noqa: BLE001  (the function's own error goes on)
        faults.report(lone.name, AFTER, raised)
    finally:
        kept.restore(error)


def drive_hooks(
    function: Callable[..., object],
    invocation: Invocation,
    before: Sequence[Call],
    after: Sequence[Call],
    faults: Faults,
) -> object:
    """Call a function with standard hooks alone around it."""
    token = enter(invocation)
    try:
        context, args = invocation.context, invocation.args
        for hook, logger, name in before:
            try:
                hook(logger, context, args)
            except Reject as rejection:
                return _answer(rejection)
            except INTERRUPTS:
                raise
            except BaseException as error:  # noqa: BLE001  (no extension stops a function)
                faults.report(name, FAILED_BEFORE, error)
        result = function(**args)
        for hook, logger, name in after:
            try:
                hook(logger, context, args, result)
            except INTERRUPTS:
                raise
            except BaseException as error:  # noqa: BLE001  (the function has its result)
                faults.report(name, FAILED_AFTER, error)
        return result
    finally:
        leave(token, invocation)


async def drive_hooks_async(
    function: Callable[..., Awaitable[object]],
    invocation: Invocation,
    before: Sequence[Call],
    after: Sequence[Call],
    faults: Faults,
    watch: Watch,
) -> object:
    """Do what `drive_hooks` does for a coroutine function, and watch how long the loop is held."""
    token = enter(invocation)
    try:
        context, args = invocation.context, invocation.args
        start = watch.clock()
        for hook, logger, name in before:
            try:
                hook(logger, context, args)
            except Reject as rejection:
                return _answer(rejection)
            except INTERRUPTS:
                raise
            except BaseException as error:  # noqa: BLE001  (no extension stops a function)
                faults.report(name, FAILED_BEFORE, error)
        watch.check(start)
        result = await function(**args)
        start = watch.clock()
        for hook, logger, name in after:
            try:
                hook(logger, context, args, result)
            except INTERRUPTS:
                raise
            except BaseException as error:  # noqa: BLE001  (the function has its result)
                faults.report(name, FAILED_AFTER, error)
        watch.check(start)
        return result
    finally:
        leave(token, invocation)


async def drive_awaiting(
    function: Callable[..., Awaitable[object]],
    invocation: Invocation,
    layers: Sequence[Wrapper | Level],
    faults: Faults,
) -> object:
    """
    Do what `drive_async` does where hooks have to be awaited.

    Args:
        function: The coroutine function.
        invocation: The call.
        layers: What runs around it, outermost first.
        faults: Where to report what goes wrong.
    """
    token = enter(invocation)
    invocation.outer_context = copy_context()
    try:
        return await _within(function, invocation, layers, faults)
    except Reject as rejection:
        if not invocation.is_rejected:
            raise
        return _answer(rejection)
    finally:
        leave(token, invocation)


async def _within(
    function: Callable[..., Awaitable[object]],
    invocation: Invocation,
    layers: Sequence[Wrapper | Level],
    faults: Faults,
) -> object:
    """Call a function within layers, one of them at a time."""
    if not layers:
        return await function(**invocation.args)
    layer, rest = layers[0], layers[1:]
    if isinstance(layer, Level):
        await _await_hooks(layer.before, FAILED_BEFORE, faults, invocation)
        result = await _within(function, invocation, rest, faults)
        await _await_hooks(layer.after, FAILED_AFTER, faults, invocation, result)
        return result
    chain = Chain(faults)
    try:
        chain.enter((layer,), invocation)
        result = await _within(function, invocation, rest, faults)
    except BaseException as error:
        chain.fail(error)
        raise
    chain.succeed(result)
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
    """Tell whether what came while a hook was awaited is the invocation's, and not the hook's."""
    kind = type(error)
    if issubclass(kind, asyncio.CancelledError):
        return _is_being_cancelled()
    return issubclass(kind, GeneratorExit)  # the coroutine is closed: it may await nothing more


def _is_being_cancelled() -> bool:
    """Tell whether a cancellation is the invocation's own, and not of what a hook awaited."""
    task = asyncio.current_task()
    if task is None or sys.version_info < (3, 11):
        return True  # Python 3.10 does not tell: a cancellation must not be lost
    return task.cancelling() > 0


def finish(calls: Sequence[Callable[[], object]], faults: Faults) -> None:
    """Call what an invocation was to be finished with."""
    for call in calls:
        try:
            call()
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  (the function has its result)
            faults.report(qualified_name(call), "failed after the invocation", error)


async def finish_async(calls: Sequence[Callable[[], object]], faults: Faults) -> None:
    """Do so on another thread, so that the event loop goes on meanwhile."""
    try:
        await asyncio.get_running_loop().run_in_executor(None, partial(finish, calls, faults))
    except Exception as error:  # noqa: BLE001  (such as that there is no executor any more)
        faults.report("lifecycle", "could not finish an invocation", error)


def _answer(rejection: BaseException) -> object:
    """Return a guard's response, and keep no frames of this call on its exception."""
    BaseException.with_traceback(rejection, None)
    return cast("Reject", rejection).response
