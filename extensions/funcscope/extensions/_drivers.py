"""
The drivers: they call a function with what runs around it, and own the policy.

The function's result or error passes unchanged, whatever an extension does; only a guard's
`Reject`, raised before the function ran, takes its place. Functions with standard hooks alone have
drivers of their own, which keep no steps (docs/decisions/006).
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from typing import TYPE_CHECKING, cast

from funcscope.extensions._errors import Reject
from funcscope.extensions._hooks import FAILED_AFTER, FAILED_BEFORE, Call, Level
from funcscope.extensions._invocation import Invocation, enter, leave
from funcscope.extensions._lifecycle import Chain, Wrapper

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from funcscope.extensions._errors import Faults
    from funcscope.extensions._watch import Watch


def drive(
    function: Callable[..., object],
    invocation: Invocation,
    wrappers: Sequence[Wrapper],
    faults: Faults,
) -> object:
    """Call a function with its extensions around it."""
    token = enter(invocation)
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
    watch: Watch | None,
) -> object:
    """Do what `drive` does for a coroutine function, and watch how long the loop is held."""
    token = enter(invocation)
    chain = Chain(faults)
    try:
        start = 0.0 if watch is None else watch.clock()
        chain.enter(wrappers, invocation)
        if watch is not None:
            watch.check(start)
        result = await function(**invocation.args)
    except BaseException as error:
        chain.fail(error)
        if invocation.is_rejected:
            return _answer(error)
        raise
    else:
        start = 0.0 if watch is None else watch.clock()
        chain.succeed(result)
        if watch is not None:
            watch.check(start)
        return result
    finally:
        leave(token, invocation)


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
            except BaseException as error:  # noqa: BLE001  (no extension stops a function)
                faults.report(name, FAILED_BEFORE, error)
        result = function(**args)
        for hook, logger, name in after:
            try:
                hook(logger, context, args, result)
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
            except BaseException as error:  # noqa: BLE001  (no extension stops a function)
                faults.report(name, FAILED_BEFORE, error)
        watch.check(start)
        result = await function(**args)
        start = watch.clock()
        for hook, logger, name in after:
            try:
                hook(logger, context, args, result)
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
        try:
            returned = hook(logger, invocation.context, invocation.args, *result)
            if inspect.isawaitable(returned):
                await cast("Awaitable[object]", returned)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and _is_being_cancelled():
                raise
            if isinstance(error, Reject) and not result:
                invocation.is_rejected = True
                raise
            faults.report(name, fault, error)


def _is_being_cancelled() -> bool:
    """Tell whether a cancellation is the invocation's own, and not of what a hook awaited."""
    task = asyncio.current_task()
    if task is None or sys.version_info < (3, 11):
        return True  # Python 3.10 does not tell: a cancellation must not be lost
    return task.cancelling() > 0


def _answer(rejection: BaseException) -> object:
    """Return a guard's response, and keep no frames of this call on its exception."""
    rejection.with_traceback(None)
    return cast("Reject", rejection).response
