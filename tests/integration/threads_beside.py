"""
Start threads, pools and callbacks in an invocation, with whatever else patches them.

    python threads_beside.py sentry,ours ours,sentry,opentelemetry

It is run as a program, in environments that have what it is asked for. Each argument names who
patches, in the order that they do, in a process of its own; what comes of each primitive there is
written to stdout, and where it ran.
"""

from __future__ import annotations

import asyncio
import functools
import json
import multiprocessing.dummy
import os
import signal
import sys
import threading
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from multiprocessing.pool import ThreadPool
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ID = "0f8e"
MODULES = {
    "sentry": "sentry_sdk",
    "ddtrace": "ddtrace",
    "newrelic": "newrelic.agent",
    "gevent": "gevent.monkey",
    "opentelemetry": "opentelemetry.instrumentation.threading",
    "ours": "funcscope.extensions",
}
ran: list[list[Any]] = []
local = threading.local()


def load(name: str) -> Any:
    """Import what patches."""
    return import_module(MODULES[name])


def sentry() -> None:
    """Have Sentry put scopes into threads: a default integration of it."""
    load("sentry").init(dsn="http://key@127.0.0.1:9/1", shutdown_timeout=0)


def ddtrace() -> None:
    """Have ddtrace carry its context into pools, which rewrites `submit`'s bytecode."""
    load("ddtrace").patch(futures=True, asyncio=True)


def newrelic() -> None:
    """Have New Relic watch what it watches."""
    load("newrelic").initialize()


def gevent() -> None:
    """Have gevent make greenlets of all threads."""
    load("gevent").patch_all()


def opentelemetry() -> None:
    """Have OpenTelemetry carry its context."""
    load("opentelemetry").ThreadingInstrumentor().instrument()


def off() -> None:
    """Have OpenTelemetry take off again what it put on."""
    load("opentelemetry").ThreadingInstrumentor().uninstrument()


def debugger() -> None:
    """Trace and profile all threads, as debuggers and coverage do."""

    def trace(*_: object) -> Any:
        return trace

    threading.settrace(trace)
    threading.setprofile(trace)
    sys.settrace(trace)


def nobody() -> None:
    """Leave everything as it is."""


def ours() -> None:
    """Have funcscope carry invocations."""
    load("ours").propagate()


def note(name: str, *args: object, **kwargs: object) -> str:
    """Write down that a body ran, with what, and in which invocation."""
    from funcscope.extensions import current_invocation

    invocation = current_invocation()
    where = [invocation and invocation.id, getattr(local, "invocation_id", None)]
    ran.append([name, args, kwargs, where])
    return name


def fail(error: BaseException) -> None:
    """Fail with an error that the caller knows again."""
    note("fail")
    raise error


def threads() -> Iterator[threading.Thread]:
    """Make one of each kind, none of them started."""

    class Runs(threading.Thread):
        def run(self) -> None:
            note("run of a subclass", self is threading.current_thread())

    class Starts(threading.Thread):
        def start(self, *args: object) -> None:  # more than `Thread`'s
            super().start()

    class RunsTheBase(threading.Thread):
        def run(self) -> None:
            threading.Thread.run(self)

    yield threading.Thread(target=note, args=("target", 1), kwargs={"b": 2})
    yield Runs()
    yield Starts(target=note, args=("start of a subclass",))
    yield RunsTheBase(target=note, args=("super().run",))
    yield threading.Timer(0, note, ["timer", 1], {"b": 2})
    yield multiprocessing.dummy.Process(target=note, args=("dummy",))
    mine = threading.Thread()
    setattr(mine, "run", functools.partial(note, "run of an object"))  # noqa: B010  (for mypy)
    yield mine


def start_threads() -> None:
    """Start each kind, some through the class."""
    for thread in threads():
        thread.start()
        thread.join()
    for thread in threads():
        type(thread).start(thread)
        thread.join()


def fail_in_thread() -> None:
    """Have an excepthook see the error that a thread fails with, once."""
    error, seen = ValueError("x"), list[object]()
    before, threading.excepthook = threading.excepthook, lambda args: seen.append(args.exc_value)
    thread = threading.Thread(target=fail, args=(error,))
    thread.start()
    thread.join()
    threading.excepthook = before
    ran.append(["excepthook", [each is error for each in seen], {}, None])


def submit() -> None:
    """Submit to pools in the ways there are."""

    class Pool(ThreadPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            return ThreadPoolExecutor.submit(self, functools.partial(fn, *args), **kwargs)

    for pool in (ThreadPoolExecutor(1), Pool(1)):
        with pool:
            ran.append(["result", [pool.submit(note, "submit", 1, b=2).result()], {}, None])
            pool.submit(functools.partial(note, "partial", 1), b=2).result()
            functools.partial(ThreadPoolExecutor.submit, pool)(note, "through the class").result()  # type: ignore[call-arg]
            ran.append(["map", list(pool.map(note, ["map", "map"], [1, 2])), {}, None])
            error = ValueError("x")
            ran.append(["error", [pool.submit(fail, error).exception() is error], {}, None])
    with ThreadPoolExecutor(1) as pool:
        gate, done = threading.Event(), threading.Event()
        future = pool.submit(gate.wait, 60)

        def call_back(_: object) -> None:
            note("callback")
            done.set()

        future.add_done_callback(call_back)
        gate.set()
        done.wait(60)


def pool_of_multiprocessing() -> None:
    """Call what a `ThreadPool` has."""
    with ThreadPool(1) as pool:
        pool.apply(note, ("apply", 1), {"b": 2})
        told = threading.Event()

        def call_back(got: str) -> None:
            note("called", got)
            told.set()

        pool.apply_async(note, ["async"], callback=call_back)
        told.wait(60)
        pool.map(note, ["map of a pool"] * 2)
        pool.starmap(note, [("starmap", 1)])
        list(pool.imap(note, iter(["imap", "imap"])))
        error = ValueError("x")
        try:
            pool.apply(fail, (error,))
        except ValueError as caught:
            ran.append(["error of a pool", [caught is error], {}, None])


def use_a_loop() -> None:
    """Leave a loop's thread in the two ways there are."""

    async def leave() -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, note, "run_in_executor")
        await asyncio.to_thread(note, "to_thread", b=2)

    asyncio.run(leave())


def run(names: list[str]) -> list[list[Any]]:
    """Patch in this order, run everything, and tell."""
    for name in names:
        globals()[name]()
    from funcscope.extensions import Function, Invocation
    from funcscope.extensions._invocation import PartialContext, entered

    function = Function("hello", "/app", is_async=False, qualified_name="app.hello")
    context = PartialContext(ID, "hello", "/app", local)
    for call in (start_threads, fail_in_thread, submit, pool_of_multiprocessing, use_a_loop):
        with entered(Invocation(ID, function, {}, context)):
            call()
    return ran


def run_apart(names: list[str]) -> list[list[Any]]:
    """Do so in a child process."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        signal.alarm(60)
        told = json.dumps(run(names), default=lambda thing: type(thing).__name__)
        with os.fdopen(writing, "w") as stream:
            stream.write(told)
        os._exit(0)  # whatever others do at exit takes its time
    os.close(writing)
    with os.fdopen(reading) as stream:
        told = stream.read()
    os.wait()
    return json.loads(told) if told else []


def main(orders: list[str]) -> None:
    """Load what is asked for, once, and run each order apart."""
    wanted = {name for order in orders for name in order.split(",")}
    for name in wanted & MODULES.keys():
        import_module(MODULES[name])
    print(json.dumps({order: run_apart(order.split(",")) for order in orders}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1:])
