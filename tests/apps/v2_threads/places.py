"""Every kind of thread that a function may log from; each record names its invocation."""

import asyncio
import logging
import multiprocessing.dummy
import multiprocessing.pool
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial

from funcscope.extensions import current_invocation, no_propagation

Wait = Callable[[], object]

CROWD = 50
SIZE = 4
TIMEOUT_S = 60
# Shared by all invocations, as in an app that makes them once.
pool = ThreadPoolExecutor(SIZE)
threads = multiprocessing.pool.ThreadPool(SIZE)
late_lock = threading.Lock()


@cache
def late_threads() -> multiprocessing.pool.ThreadPool:
    """Return another such pool, whose threads the first invocation starts."""
    return multiprocessing.pool.ThreadPool(SIZE)


def log(place: str, invocation_id: str) -> None:
    """Log a record that says which invocation it belongs to."""
    logging.info("%s %s", place, invocation_id)


class Crowd:
    """Lets everybody go on once all are there, the last one calling what the others left."""

    def __init__(self) -> None:
        self.is_complete: Future[None] = Future()
        self._lock = threading.Lock()
        self._count = 0

    def join(self) -> None:
        with self._lock:
            self._count += 1
            is_last = self._count == CROWD
        if is_last:
            self.is_complete.set_result(None)


crowd = Crowd()


def log_everywhere(invocation_id: str) -> list[Wait]:
    """Log from this function and from its threads; what is returned waits for each of these."""
    here = partial(log, invocation_id=invocation_id)
    here("function")
    here_too = [in_threads, in_pool, in_callbacks, in_thread_pool]
    return [wait for place in here_too for wait in place(here)]


def in_threads(here: Callable[[str], None]) -> list[Wait]:
    started = [
        threading.Thread(target=here, args=("thread",)),
        threading.Thread(target=in_a_thread_of_its_own, args=(here,)),
        threading.Timer(0, here, ("timer",)),
        multiprocessing.dummy.Process(target=here, args=("dummy-process",)),
    ]
    for thread in started:
        thread.start()
    return [thread.join for thread in started]


def in_a_thread_of_its_own(here: Callable[[str], None]) -> None:
    nested = threading.Thread(target=here, args=("nested-thread",))
    nested.start()
    nested.join()


def in_pool(here: Callable[[str], None]) -> list[Wait]:
    mapped = pool.map(here, ["pool-map"])
    return [pool.submit(here, "pool-submit").result, partial(list, mapped)]


def in_callbacks(here: Callable[[str], None]) -> list[Wait]:
    """Log when a call of one's own is done, and when what another invocation does is done."""
    gate = threading.Event()
    own = pool.submit(gate.wait, TIMEOUT_S)
    waits = [
        called_back(own, partial(here, "callback")),
        called_back(crowd.is_complete, partial(here, "others-callback")),
    ]
    gate.set()  # not earlier: a future that is done calls back at once, on this thread
    return waits


def called_back(future: "Future[object]", call: Callable[[], None]) -> Wait:
    has_run = threading.Event()

    def call_back(_: "Future[object]") -> None:
        call()
        has_run.set()

    future.add_done_callback(call_back)
    return partial(wait_for, has_run)


def wait_for(event: threading.Event) -> None:
    assert event.wait(TIMEOUT_S)


def in_thread_pool(here: Callable[[str], None]) -> list[Wait]:
    threads.apply(here, ("thread-pool-apply",))
    threads.map(here, ["thread-pool-map"])
    with late_lock:
        late_threads().apply(here, ("late-thread-pool",))
    return [partial(list, threads.imap(here, ["thread-pool-imap"]))]


async def log_around_loop(invocation_id: str) -> None:
    """Log from the running event loop's tasks, callbacks and executors."""
    here = partial(log, invocation_id=invocation_id)
    loop = asyncio.get_running_loop()
    called = asyncio.Event()

    async def in_task() -> None:
        here("task")

    def call() -> None:
        here("call-soon")
        called.set()

    loop.call_soon(call)
    await asyncio.gather(
        called.wait(),
        asyncio.create_task(in_task()),
        asyncio.to_thread(here, "to-thread"),
        loop.run_in_executor(None, here, "run-in-executor"),
        loop.run_in_executor(pool, here, "run-in-pool"),
    )


def leftovers(storage: threading.local) -> list[str]:
    """Say what each thread of the shared pools is left with, where it runs no invocation."""
    meeting = threading.Barrier(SIZE)
    with no_propagation():
        executed = [
            pool.submit(left_here, "pool-afterwards", meeting, storage) for _ in range(SIZE)
        ]
        found = [future.result(TIMEOUT_S) for future in executed]
        for place, shared in (
            ("thread-pool-afterwards", threads),
            ("late-thread-pool-afterwards", late_threads()),
        ):
            look = partial(left_here, place, meeting)
            found += shared.map_async(look, [storage] * SIZE, chunksize=1).get(TIMEOUT_S)
    return [left for left in found if left]


def left_here(place: str, meeting: threading.Barrier, storage: threading.local) -> str:
    meeting.wait(TIMEOUT_S)  # so that each thread is asked once
    log(place, "nobody")
    runtime = sys.modules.get("azure_functions_runtime")
    trace = sys.modules.get("opentelemetry.trace")
    invocation = current_invocation()
    span = trace.get_current_span().get_span_context() if trace else None
    left = {
        "invocation": invocation and invocation.id,
        "span": f"{span.span_id:x}" if span and span.is_valid else None,
        "invocation_id_cv": runtime and runtime.invocation_id_cv.get(),
        "thread-local": getattr(storage, "invocation_id", None),
    }
    return " ".join(f"{place} {what}: {value}" for what, value in left.items() if value)
