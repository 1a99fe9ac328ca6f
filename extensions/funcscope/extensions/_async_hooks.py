"""Coroutine functions with hooks that are coroutine functions too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.extensions._errors import Reject
from funcscope.extensions._invocation import Invocation, enter, leave
from funcscope.extensions._lifecycle import Chain, Wrapper

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from funcscope.extensions._errors import Faults
    from funcscope.extensions._hooks import Level


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
        return await _run(function, invocation, layers, faults)
    except Reject as rejection:
        if not rejection.is_guards:
            raise
        return rejection.response
    finally:
        leave(token)


async def _run(
    function: Callable[..., Awaitable[object]],
    invocation: Invocation,
    layers: Sequence[Wrapper | Level],
    faults: Faults,
) -> object:
    if not layers:
        return await function(**invocation.args)
    first, rest = layers[0], layers[1:]
    if not isinstance(first, Wrapper):
        return await _within_hooks(first, function, invocation, rest, faults)
    chain = Chain(faults)
    try:
        chain.enter((first,), invocation)
        result = await _run(function, invocation, rest, faults)
    except BaseException as error:
        chain.fail(error)
        raise
    chain.succeed(result)
    return result


async def _within_hooks(
    hooks: Level,
    function: Callable[..., Awaitable[object]],
    invocation: Invocation,
    rest: Sequence[Wrapper | Level],
    faults: Faults,
) -> object:
    try:
        await hooks.before.awaiting(invocation)
    except Reject as rejection:
        rejection.is_guards = True
        raise
    result = await _run(function, invocation, rest, faults)
    await hooks.after.awaiting(invocation, result)
    return result
