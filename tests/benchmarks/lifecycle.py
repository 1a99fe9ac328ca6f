"""
What extensions cost, beside a loop written by hand: `make bench`.

The function is registered with Microsoft's real library worker and called as the worker calls it.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import statistics
import sys
from functools import partial
from time import perf_counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import azure.functions as func
from azure.functions.extension import ExtensionMeta
from tests.benchmarks.rounds import measure, print_timings, time_calls

from funcscope.extensions import install

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS, CALLS = 300, 400
TARGETS = {"sync": 1.3, "async": 2.6}
"""
What five no-op extensions may add, beside the same ten calls in a loop.

Of an async function they are timed together, before and after the call. Where there is no extension
nothing is timed (docs/decisions/040); as long as that was, it hid here what timing takes.
"""

CONTEXT: Any = SimpleNamespace(
    invocation_id="0f8e",
    function_name="hello",
    function_directory="/app",
    thread_local_storage=None,
    trace_context=None,
    retry_context=None,
)


def define_extensions(count: int) -> list[type[func.AppExtensionBase]]:
    """Define extensions whose hooks do nothing."""

    def define(name: str) -> type[func.AppExtensionBase]:
        class NoOp(func.AppExtensionBase):
            @classmethod
            def pre_invocation_app_level(
                cls, logger: Any, context: Any, func_args: Any = None, *args: Any, **kwargs: Any
            ) -> None:
                """Do nothing."""

            @classmethod
            def post_invocation_app_level(
                cls,
                logger: Any,
                context: Any,
                func_args: Any = None,
                func_ret: Any = None,
                *args: Any,
                **kwargs: Any,
            ) -> None:
                """Do nothing."""

        NoOp.__name__ = name
        return NoOp

    return [define(f"NoOp{number}") for number in range(count)]


def register(function: Callable[..., object]) -> Callable[..., Any]:
    """Register a function with the real worker's registry and return what it would call."""
    functions = importlib.import_module("azure_functions_runtime.functions")
    info = functions.Registry().add_func_to_registry_and_return_funcinfo(
        function, "hello", "1", "/app", False, True, False, False, None, {}, {}, None
    )
    registered: Callable[..., Any] = info.func
    return registered


def hello(req: object) -> str:
    """Answer."""
    return "hello"


async def hello_async(req: object) -> str:
    """Answer."""
    return "hello"


def by_hand(extensions: list[type[func.AppExtensionBase]]) -> Callable[..., object]:
    """Write the loop that an app would."""
    logger = logging.getLogger("app")
    before = [extension.pre_invocation_app_level for extension in extensions]
    after = [extension.post_invocation_app_level for extension in extensions]

    def call(req: object) -> object:
        args: dict[str, object] = {"req": req}
        for hook in before:
            hook(logger, CONTEXT, args)
        result = hello(req)
        for hook in after:
            hook(logger, CONTEXT, args, result)
        return result

    return call


def by_hand_async(extensions: list[type[func.AppExtensionBase]]) -> Callable[..., Any]:
    """Write the loop that an app would, for an async function."""
    logger = logging.getLogger("app")
    before = [extension.pre_invocation_app_level for extension in extensions]
    after = [extension.post_invocation_app_level for extension in extensions]

    async def call(req: object) -> object:
        args: dict[str, object] = {"req": req}
        for hook in before:
            hook(logger, CONTEXT, args)
        result = await hello_async(req)
        for hook in after:
            hook(logger, CONTEXT, args, result)
        return result

    return call


def time_async(function: Callable[..., Any], **kwargs: object) -> float:
    """Return seconds per call, awaited one after another in one task."""

    async def run() -> float:
        start = perf_counter()
        for _ in range(CALLS):
            await function(**kwargs)
        return (perf_counter() - start) / CALLS

    return asyncio.run(run())


def main() -> int:
    """Print the table; 1 where the target is missed."""
    install()
    extensions = define_extensions(5)
    hooks = ExtensionMeta.get_application_hooks()
    are_met: list[bool] = []
    for kind, time, bare, registered, loop in (
        ("sync", partial(time_calls, CALLS), hello, register(hello), by_hand(extensions)),
        ("async", time_async, hello_async, register(hello_async), by_hand_async(extensions)),
    ):
        seconds = measure(
            ROUNDS,
            {
                "bare function": partial(time, bare, req=1),
                "loop by hand": partial(time, loop, req=1),
                "no extension": partial(with_hooks, None, time, registered),
                "five extensions": partial(with_hooks, hooks, time, registered),
            },
        )
        print_timings(kind, seconds)
        times = {name: statistics.median(values) for name, values in seconds.items()}
        ratio = (times["five extensions"] - times["no extension"]) / (
            times["loop by hand"] - times["bare function"]
        )
        target = TARGETS[kind]
        are_met.append(ratio <= target)
        print(
            f"{kind:6} five extensions add {ratio:.2f} times what the loop adds (target {target})"
        )
    return 0 if all(are_met) else 1


def with_hooks(hooks: Any, time: Callable[..., float], function: Callable[..., Any]) -> float:
    """Time a registered function with these application hooks in place."""
    ExtensionMeta._app_exts = hooks
    result = function(req=1, context=CONTEXT)  # looks up what runs around it, untimed
    if inspect.isawaitable(result):
        asyncio.run(_await(result))
    return time(function, req=1, context=CONTEXT)


async def _await(awaitable: Any) -> None:
    await awaitable


if __name__ == "__main__":
    sys.exit(main())
