"""A worker's event loop and threads, and a call on them."""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from azure.functions import Out

from funcscope.contrib.testing._worker.call import CallResult, HostCall
from funcscope.contrib.testing._worker.rules import WorkerTask

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping

    from funcscope.contrib.testing._worker.declared import AppFunction
    from funcscope.contrib.testing._worker.rules import RegisteredFunction, Rules

T = TypeVar("T")


class OutputBinding(Out[Any]):
    """The argument for an output binding, which keeps the value that the function sets."""

    def __init__(self) -> None:
        self._value: object = None

    def set(self, val: Any) -> None:
        """Keep a value; the last one counts."""
        self._value = val

    def get(self) -> Any:
        """Return what was set last; None where nothing was."""
        return self._value


class Worker:
    """
    Calls functions by one worker's rules.

    The event loop is the process's, as an app may keep what belongs to it (clients, locks); the
    threads are this worker's, and end with it.

    Args:
        rules: The worker's ways.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._pool = ThreadPoolExecutor(thread_name_prefix="funcscope-worker")
        self._registered: dict[AppFunction, RegisteredFunction] = {}

    def load(self, functions: Iterable[AppFunction]) -> None:
        """
        Register functions, all in one step as a worker does; those that are loaded stay.

        Raises:
            TestingError: The worker would not load one.
        """
        _wait(self._load([f for f in functions if f not in self._registered]))

    def call(self, declared: AppFunction, call: HostCall, args: Mapping[str, object]) -> CallResult:
        """Call a function that is loaded, and wait for its result."""
        return _wait(self._answer(declared, call, args))

    def stop(self) -> None:
        """End the threads; what runs on them ends first."""
        self._pool.shutdown()

    async def _load(self, functions: Iterable[AppFunction]) -> None:
        for function in functions:
            self._registered[function] = self._rules.register(function)

    async def _answer(
        self, declared: AppFunction, call: HostCall, args: Mapping[str, object]
    ) -> CallResult:
        """Do what the worker does for a request, in the request's own task."""
        __tracebackhide__ = True
        try:
            return await self._run(declared, call, dict(args))
        except BaseException as error:  # noqa: BLE001  (SystemExit would end the event loop)
            return CallResult(error=error)

    async def _run(
        self, declared: AppFunction, call: HostCall, args: dict[str, object]
    ) -> CallResult:
        __tracebackhide__ = True
        info = self._registered[declared]
        context = self._rules.context(declared, call)
        self._rules.enter(call, is_async=info.is_async)
        if info.requires_context:
            args["context"] = context
        for name in declared.outputs:
            args.setdefault(name, OutputBinding())
        outputs = {name: args[name] for name in declared.outputs}
        if info.is_async:
            value = await info.func(**args)
        else:
            run, loop = self._rules.run_sync, asyncio.get_running_loop()
            value = await loop.run_in_executor(self._pool, run, call, context, info.func, args)
        if value is not None and not info.has_return:
            raise RuntimeError(
                f"function {declared.name!r} without a $return binding returned a non-None value"
            )
        set_values = {name: _value(out) for name, out in outputs.items()}
        if not _is_streamed():
            self._check(declared, info, value, outputs)
        return CallResult(value, outputs=set_values)

    def _check(
        self,
        declared: AppFunction,
        info: RegisteredFunction,
        value: object,
        outputs: Mapping[str, object],
    ) -> None:
        """Convert what a function gives, for what that raises in a worker."""
        __tracebackhide__ = True
        for name, out in outputs.items():
            # A test's own object takes what it likes, and None is what was not set.
            given = out.get() if isinstance(out, OutputBinding) else None
            if given is not None and not declared.is_guessed:
                self._rules.check_outgoing(given, info.output_types[name])
        if info.return_type is not None and not declared.guesses_return:
            self._rules.check_outgoing(value, info.return_type)


def _is_streamed() -> bool:
    """Tell whether the app serves HTTP by itself, whose responses no worker converts."""
    base = sys.modules.get("azurefunctions.extensions.base")
    return base is not None and bool(base.HttpV2FeatureChecker.http_v2_enabled())


def _value(out: object) -> object:
    get = getattr(out, "get", None)
    return get() if callable(get) else out


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the worker's loop, and wait for its result."""
    # In an empty context: what is current in the test is not so in a worker.
    return Context().run(asyncio.run_coroutine_threadsafe, work, _loop().loop).result()


class _Loop:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_task_factory(_make_task)
        self._thread = threading.Thread(
            target=self.loop.run_forever, name="funcscope-worker-loop", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the loop, with the tasks that still run on it."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


@cache
def _loop() -> _Loop:
    """Return the process's worker loop."""
    return _Loop()


def _make_task(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    return WorkerTask(coro, loop=loop, **options)


def stop_loop() -> None:
    """End the process's worker loop, if it was started."""
    if _loop.cache_info().currsize:
        _loop().stop()
        _loop.cache_clear()
