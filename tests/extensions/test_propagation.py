"""Invocations carried into threads."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import multiprocessing.dummy
import queue
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from logging.handlers import QueueListener
from multiprocessing.pool import ThreadPool
from types import ModuleType

import azure.functions as func
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.patience import PATIENCE_S, PROCESS_S

from funcscope.extensions import Function, Invocation, current_invocation, no_propagation, propagate
from funcscope.extensions._invocation import PartialContext, entered
from funcscope.extensions._propagation import patches as _propagation
from funcscope.extensions._propagation.libraries import LibraryThreads
from funcscope.extensions._workers.ids import replace_thread_local

if sys.version_info >= (3, 14):
    from concurrent.futures import InterpreterPoolExecutor

Make = Callable[..., Invocation]


user_variable: ContextVar[str] = ContextVar("user_variable", default="unset")


@pytest.fixture(autouse=True)
def _propagate() -> None:
    propagate()
    propagate()


@pytest.fixture
def storage() -> threading.local:
    """Stand for the worker's thread-local."""
    return threading.local()


@pytest.fixture
def call(invocation: Make, storage: threading.local) -> Invocation:
    """Make a call whose worker has a thread-local."""
    made = invocation()
    context = PartialContext("0f8e", "hello", "/app", storage)
    return Invocation(made.id, made.function, made.args, context)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Make a pool of one thread, started outside any invocation."""
    with ThreadPoolExecutor(1) as executor:
        executor.submit(int).result()
        yield executor


def in_thread(target: Callable[[], object]) -> object:
    """Return what a function returns on a new thread."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(target()))
    thread.start()
    thread.join()
    return results[0]


def test_thread_belongs_to_the_invocation(call: Invocation) -> None:
    """A thread started in an invocation runs in it, with the app's own context variables."""
    with entered(call):
        user_variable.set("mine")
        seen = in_thread(lambda: (current_invocation(), user_variable.get()))

    assert seen == (call, "mine")


def test_thread_outside_is_left_alone() -> None:
    """A thread started outside an invocation starts in an empty context, as ever."""
    user_variable.set("main")

    assert in_thread(lambda: (current_invocation(), user_variable.get())) == (None, "unset")


def test_pool_thread_carries_nothing_over(
    call: Invocation, pool: ThreadPoolExecutor, storage: threading.local
) -> None:
    """A pool's thread has the invocation for the call alone, and the thread-local as before."""

    def look() -> tuple[Invocation | None, str | None]:
        return current_invocation(), getattr(storage, "invocation_id", None)

    with entered(call):
        inside = pool.submit(look).result()

    assert inside == (call, "0f8e")
    assert pool.submit(look).result() == (None, None)


def test_pool_thread_started_inside_carries_nothing_over(call: Invocation) -> None:
    """A thread that a pool starts for an invocation's call does not belong to it afterwards."""
    with ThreadPoolExecutor(1) as executor:
        with entered(call):
            assert executor.submit(current_invocation).result() is call

        assert executor.submit(current_invocation).result() is None


def test_thread_local_is_set_and_cleared(call: Invocation, storage: threading.local) -> None:
    """The worker's thread-local has the id on the new thread, and not on the starting one."""
    with entered(call):
        seen = in_thread(lambda: storage.invocation_id)

    assert seen == "0f8e"
    assert not hasattr(storage, "invocation_id")


def test_map_and_nested_threads(call: Invocation, pool: ThreadPoolExecutor) -> None:
    """`Executor.map` and a thread started on a thread belong to the invocation too."""
    with entered(call):
        mapped = list(pool.map(lambda _: in_thread(current_invocation), range(3)))

    assert mapped == [call, call, call]


def test_timer_and_subclass(call: Invocation) -> None:
    """A `Timer`, and a subclass that overrides `run`, belong to the invocation."""
    seen: list[Invocation | None] = []

    class Mine(threading.Thread):
        def run(self) -> None:
            seen.append(current_invocation())

    with entered(call):
        for thread in (threading.Timer(0, lambda: seen.append(current_invocation())), Mine()):
            thread.start()
            thread.join()

    assert seen == [call, call]


def test_executor_of_the_loop(call: Invocation) -> None:
    """`run_in_executor` and `to_thread` belong to the invocation."""

    async def main() -> list[Invocation | None]:
        with entered(call):
            loop = asyncio.get_running_loop()
            return [
                await loop.run_in_executor(None, current_invocation),
                await asyncio.to_thread(current_invocation),
            ]

    assert asyncio.run(main()) == [call, call]


def test_errors_pass(call: Invocation, pool: ThreadPoolExecutor) -> None:
    """An exception on a pool's thread reaches the future, and the thread-local is cleared."""

    def fail() -> None:
        raise ValueError("x")

    with entered(call), pytest.raises(ValueError, match="x"):
        pool.submit(fail).result()


def test_thread_started_twice_is_refused_as_ever(call: Invocation) -> None:
    """Starting a thread again raises what it always raised."""
    with entered(call):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
        with pytest.raises(RuntimeError, match="only be started once"):
            thread.start()

    assert "run" not in vars(thread)


def test_no_propagation_is_a_way_out(call: Invocation, pool: ThreadPoolExecutor) -> None:
    """What is started under `no_propagation()` belongs to no invocation."""
    with entered(call), no_propagation():
        assert in_thread(current_invocation) is None
        assert pool.submit(current_invocation).result() is None


def test_no_propagation_decorates(call: Invocation) -> None:
    """It decorates functions and coroutine functions, whose bodies are the blocks then."""
    quiet = no_propagation()

    @quiet
    def start(name: str, /, *, of: str) -> object:
        return name, of, in_thread(current_invocation)

    @quiet
    async def start_later() -> object:
        await asyncio.sleep(0)
        return in_thread(current_invocation)

    with entered(call):
        assert start("a", of="b") == ("a", "b", None)
        assert asyncio.run(start_later()) is None
        with quiet, quiet:
            assert in_thread(current_invocation) is None
        assert in_thread(current_invocation) is call


@pytest.mark.parametrize("is_async", [False, True])
def test_no_propagation_above_the_decorators_of_azure_functions(
    call: Invocation, *, is_async: bool
) -> None:
    """Above a function's route it works as it does below."""

    def start() -> object:
        return in_thread(current_invocation)

    async def start_later() -> object:
        return in_thread(current_invocation)

    app = func.FunctionApp()
    builder = app.route("start")(start_later if is_async else start)
    function = no_propagation()(builder)._function.get_user_function()

    assert no_propagation()(builder) is builder
    with entered(call):
        assert (asyncio.run(function()) if is_async else function()) is None


def test_no_propagation_that_does_nothing_says_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be decorated stays as it is, and a line says what to write."""

    def steps() -> Iterator[None]:
        yield

    builder = func.FunctionApp().route("start")(lambda req: req)
    monkeypatch.setattr(builder._function, "get_user_function", lambda: steps)

    assert no_propagation()(steps) is steps
    assert no_propagation()(builder) is builder
    assert ["write `with no_propagation():`" in r.getMessage() for r in caplog.records] == [
        True
    ] * 2


def test_thread_local_holds_on_the_new_thread_alone_for_a_thread_in_a_thread(
    call: Invocation, storage: threading.local
) -> None:
    """A thread that a carried thread starts has the id too, and its starter keeps its own."""

    def nested() -> tuple[object, object]:
        return in_thread(lambda: storage.invocation_id), storage.invocation_id

    with entered(call):
        assert in_thread(nested) == ("0f8e", "0f8e")


@pytest.fixture
def thread_pool() -> Iterator[ThreadPool]:
    """Make a pool of one of multiprocessing's threads, started outside any invocation."""
    with ThreadPool(1) as pool:
        pool.apply(int)
        yield pool


POOL_CALLS: dict[str, Callable[[ThreadPool, Callable[[object], object]], Iterable[object]]] = {
    "apply": lambda pool, f: [pool.apply(f, (1,))],
    "apply_async": lambda pool, f: [pool.apply_async(func=f, args=(1,)).get()],
    "map": lambda pool, f: pool.map(f, [1]),
    "map_async": lambda pool, f: pool.map_async(f, [1]).get(),
    "starmap": lambda pool, f: pool.starmap(f, [(1,)]),
    "starmap_async": lambda pool, f: pool.starmap_async(f, [(1,)]).get(),
    "imap": lambda pool, f: pool.imap(f, [1]),
    "imap_unordered": lambda pool, f: pool.imap_unordered(f, iterable=[1], chunksize=2),
}


@pytest.mark.parametrize("name", POOL_CALLS)
def test_calls_of_a_pool_of_multiprocessing(
    call: Invocation, thread_pool: ThreadPool, storage: threading.local, name: str
) -> None:
    """What a `ThreadPool` calls for an invocation belongs to it, and its thread does not."""

    def look(_: object) -> tuple[object, object]:
        return current_invocation(), getattr(storage, "invocation_id", None)

    with entered(call):
        inside = list(POOL_CALLS[name](thread_pool, look))

    assert inside == [(call, "0f8e")]
    assert list(POOL_CALLS[name](thread_pool, look)) == [(None, None)]


@pytest.mark.parametrize("by_name", [True, False])
def test_callbacks_of_a_pool_of_multiprocessing(
    call: Invocation, thread_pool: ThreadPool, *, by_name: bool
) -> None:
    """The callbacks of a `ThreadPool`, which its result thread runs, belong to the invocation."""
    seen: queue.Queue[Invocation | None] = queue.Queue()

    def note(_: object) -> None:
        seen.put(current_invocation())

    def fail() -> None:
        raise ValueError("x")

    with entered(call):
        if by_name:
            thread_pool.apply_async(int, callback=note)
            thread_pool.apply_async(fail, error_callback=note)
        else:
            thread_pool.apply_async(int, (), {}, note, note)
            thread_pool.apply_async(fail, (), {}, note, note)

    assert [seen.get(timeout=PATIENCE_S), seen.get(timeout=PATIENCE_S)] == [call, call]


def test_items_that_a_pool_takes(call: Invocation, thread_pool: ThreadPool) -> None:
    """What `imap` iterates over, which a thread of the pool does, runs in the invocation."""

    def items() -> Iterator[Invocation | None]:
        yield current_invocation()
        yield current_invocation()

    with entered(call):
        assert list(thread_pool.imap(lambda item: item, items())) == [call, call]


def test_many_calls_of_a_pool_at_a_time(call: Invocation) -> None:
    """Calls of one `map` that run at the same time each have the invocation."""
    both = threading.Barrier(2)

    def look(_: object) -> Invocation | None:
        both.wait(PATIENCE_S)
        return current_invocation()

    with ThreadPool(2) as pool, entered(call):
        assert pool.map(look, range(2), chunksize=1) == [call, call]


def test_pool_of_multiprocessing_made_inside(call: Invocation) -> None:
    """The threads of a pool that an invocation makes do not belong to it afterwards."""
    with entered(call):
        pool = ThreadPool(1)
        assert pool.apply(current_invocation) is call

    with pool:
        assert pool.apply(current_invocation) is None


if sys.version_info >= (3, 14):

    def test_pool_of_interpreters(call: Invocation) -> None:
        """What is submitted to a pool of interpreters, which pickles it, is left as it is."""
        with entered(call), InterpreterPoolExecutor(1) as pool:
            assert pool.submit(abs, -1).result() == 1


def test_dummy_process(call: Invocation) -> None:
    """A process of `multiprocessing.dummy`, which is a thread, belongs to the invocation."""
    seen: list[Invocation | None] = []
    with entered(call):
        process = multiprocessing.dummy.Process(target=lambda: seen.append(current_invocation()))
        process.start()
        process.join()

    assert seen == [call]


def test_callback_of_a_future(
    call: Invocation, pool: ThreadPoolExecutor, storage: threading.local
) -> None:
    """A callback belongs to the invocation that added it, on whichever thread it runs."""
    seen: queue.Queue[object] = queue.Queue()
    go = threading.Event()
    future = pool.submit(go.wait, PATIENCE_S)
    with entered(call):
        future.add_done_callback(
            lambda _: seen.put((current_invocation(), storage.invocation_id, threading.get_ident()))
        )
    go.set()

    assert seen.get(timeout=PATIENCE_S) == (call, "0f8e", pool.submit(threading.get_ident).result())
    assert pool.submit(lambda: (current_invocation(), storage.invocation_id)).result() == (
        None,
        None,
    )


def test_callback_on_the_loop_leaves_the_thread_local_alone(
    call: Invocation, storage: threading.local
) -> None:
    """A callback on the event loop's thread sets no thread-local, as all tasks share it."""

    async def main() -> list[object]:
        seen: list[object] = []
        future: Future[None] = Future()
        with entered(call):
            future.add_done_callback(
                lambda _: seen.append((current_invocation(), hasattr(storage, "invocation_id")))
            )
        future.set_result(None)
        return seen

    assert asyncio.run(main()) == [(call, False)]


def test_callback_of_a_future_that_is_done(call: Invocation, pool: ThreadPoolExecutor) -> None:
    """A callback that runs at once runs as part of what added it."""
    future = pool.submit(int)
    future.result()
    with entered(call):
        future.add_done_callback(lambda _: user_variable.set("from the callback") and None)
        assert user_variable.get() == "from the callback"


def test_excepthook_of_a_thread(call: Invocation, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an app's `threading.excepthook` says of a failed thread belongs to the invocation."""
    seen: list[object] = []
    monkeypatch.setattr(
        threading, "excepthook", lambda args: seen.append((current_invocation(), args.exc_value))
    )
    error = ValueError("x")

    def fail() -> None:
        raise error

    with entered(call):
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()

    assert seen == [(call, error)]


MONITOR: Callable[..., None] = QueueListener._monitor  # type: ignore[attr-defined]


@pytest.mark.parametrize("target", [MONITOR, functools.partial(MONITOR)])
def test_threads_of_libraries_are_left_alone(
    call: Invocation, target: Callable[..., object]
) -> None:
    """A thread that a library starts for its own ends belongs to no invocation."""
    queued: queue.SimpleQueue[object] = queue.SimpleQueue()
    seen: queue.SimpleQueue[object] = queue.SimpleQueue()

    class Listener(QueueListener):
        def handle(self, record: logging.LogRecord) -> None:
            seen.put(current_invocation())

    listener = Listener(queued)
    queued.put(logging.makeLogRecord({}))
    queued.put(None)
    with entered(call):
        thread = threading.Thread(target=target, args=(listener,))
        thread.start()
        thread.join()

    assert seen.get() is None


def test_more_libraries_can_be_named(call: Invocation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads and calls of what `propagate(leave=…)` names belong to no invocation."""
    monkeypatch.setattr(_propagation, "_libraries", LibraryThreads())
    seen: list[object] = []

    class Sender(threading.Thread):
        def run(self) -> None:
            seen.append(current_invocation())

    def send() -> None:
        seen.append(current_invocation())

    Sender.__module__ = send.__module__ = "its.transport"
    for leave in ([], ["its"]):
        propagate(leave=leave)
        with entered(call), ThreadPoolExecutor(1) as executor:
            sender = Sender()
            sender.start()
            sender.join()
            executor.submit(send)

    assert seen == [call, call, None, None]


def test_thread_with_its_own_run(call: Invocation) -> None:
    """A `run` that an app set on a thread object runs in the invocation, and is there after."""
    seen: list[Invocation | None] = []
    thread = threading.Thread()
    run = thread.run = lambda: seen.append(current_invocation())  # type: ignore[method-assign]
    with entered(call):
        thread.start()
        thread.join()

    assert seen == [call]
    assert thread.run is run


def test_thread_class_that_refuses_attributes(call: Invocation) -> None:
    """A thread whose class refuses new attributes starts as ever, and is carried."""
    seen: list[Invocation | None] = []

    class Closed(threading.Thread):
        def __setattr__(self, name: str, value: object) -> None:
            if name == "run":
                raise AttributeError(name)
            super().__setattr__(name, value)

        def run(self) -> None:
            seen.append(current_invocation())

    with entered(call):
        thread = Closed()
        thread.start()
        thread.join()

    assert seen == [call]


def test_arguments_are_let_go(call: Invocation) -> None:
    """A thread that outlives its invocation keeps it, but not what it was called with."""

    class Payload:
        """Something large."""

    payload = Payload()
    gone = weakref.ref(payload)
    ended = threading.Event()
    seen: list[object] = []

    def outlive() -> None:
        ended.wait(PATIENCE_S)
        invocation = current_invocation()
        assert invocation is not None
        seen.append((invocation.id, dict(invocation.args)))

    call.args["req"] = payload
    del payload
    with entered(call):
        thread = threading.Thread(target=outlive)
        thread.start()
    gc.collect()
    assert gone() is None
    ended.set()
    thread.join()

    assert seen == [("0f8e", {})]


INHERITING = """
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

from funcscope.extensions import (
    Function, Invocation, current_invocation, no_propagation, propagate
)
from funcscope.extensions._invocation import PartialContext, entered

class Sender(threading.Thread):
    def run(self):
        look("library")

def look(name):
    current = current_invocation()
    print(name, current and current.id, mine.get(), getattr(storage, "invocation_id", None))

def start(thread):
    thread.start()
    thread.join()

mine, storage = ContextVar("mine", default="unset"), threading.local()
Sender.__module__ = "its.transport"
propagate(leave=["its"])
function = Function("hello", "/app", is_async=False, qualified_name="app.hello")
context = PartialContext("0f8e", "hello", "/app", storage)
with ThreadPoolExecutor(1) as pool:
    with entered(Invocation("0f8e", function, {}, context)):
        mine.set("set")
        pool.submit(look, "pool").result()
        start(threading.Thread(target=look, args=("thread",)))
        start(Sender())
        with no_propagation():
            start(threading.Thread(target=look, args=("apart",)))
            pool.submit(look, "pool apart").result()
    pool.submit(look, "pool after").result()
"""


def test_python_whose_threads_inherit_their_context() -> None:
    """Where Python has threads inherit what is current, an invocation reaches no more of them."""
    # An option of Python 3.14, which older ones take and ignore (Doc/using/cmdline.rst, 3.14).
    done = subprocess.run(
        [sys.executable, "-X", "thread_inherit_context=1", "-c", INHERITING],
        capture_output=True,
        text=True,
        check=True,
        timeout=PROCESS_S,
    )

    assert done.stdout.splitlines() == [
        "pool 0f8e set 0f8e",
        "thread 0f8e set 0f8e",
        "library None unset None",
        "apart None unset None",
        "pool apart None unset None",
        "pool after None unset None",
    ]


NESTINGS: dict[str, Callable[[Callable[[], object]], object]] = {}


def _nesting(primitive: Callable[[Callable[[], object]], object]) -> None:
    """Take a way to run code elsewhere, and return what it returns there."""
    NESTINGS[primitive.__name__] = primitive


@_nesting
def _thread(then: Callable[[], object]) -> object:
    return in_thread(then)


@_nesting
def _timer(then: Callable[[], object]) -> object:
    results: list[object] = []
    started = threading.Timer(0, lambda: results.append(then()))
    started.start()
    started.join()
    return results[0]


@_nesting
def _executor(then: Callable[[], object]) -> object:
    with ThreadPoolExecutor(1) as made:
        return made.submit(then).result()


@_nesting
def _executor_map(then: Callable[[], object]) -> object:
    with ThreadPoolExecutor(1) as made:
        (result,) = made.map(lambda _: then(), [1])
        return result


@_nesting
def _pool_of_multiprocessing(then: Callable[[], object]) -> object:
    with ThreadPool(1) as made:
        return made.apply(then)


@_nesting
def _callback(then: Callable[[], object]) -> object:
    results: queue.Queue[object] = queue.Queue()
    future: Future[None] = Future()
    future.add_done_callback(lambda _: results.put(then()))
    resolver = threading.Thread(target=future.set_result, args=(None,))
    resolver.start()
    return results.get(timeout=PATIENCE_S)


@_nesting
def _to_thread(then: Callable[[], object]) -> object:
    return asyncio.run(asyncio.to_thread(then))


@_nesting
def _run_in_executor(then: Callable[[], object]) -> object:
    async def main() -> object:
        return await asyncio.get_running_loop().run_in_executor(None, then)

    return asyncio.run(main())


@_nesting
def _task(then: Callable[[], object]) -> object:
    async def look() -> object:
        return await asyncio.to_thread(then)

    async def main() -> object:
        return await asyncio.create_task(look())

    return asyncio.run(main())


@settings(max_examples=60)
@given(names=st.lists(st.sampled_from(sorted(NESTINGS)), min_size=1, max_size=4))
def test_any_nesting(names: list[str]) -> None:
    """However deep threads, pools, callbacks and tasks are nested, all belong to the invocation."""
    storage = threading.local()
    function = Function("hello", "/app", is_async=False, qualified_name="app.hello")
    made = Invocation("0f8e", function, {}, PartialContext("0f8e", "hello", "/app", storage))

    def look() -> tuple[object, object, object]:
        return current_invocation(), storage.invocation_id, user_variable.get()

    def descend(rest: list[str]) -> object:
        return look() if not rest else NESTINGS[rest[0]](lambda: descend(rest[1:]))

    with entered(made):
        user_variable.set("mine")
        assert descend(names) == (made, "0f8e", "mine")
    assert not hasattr(storage, "invocation_id")


def test_thread_local_of_a_worker_keeps_what_it_had() -> None:
    """What a worker's thread-local had before it was taken over is still there."""
    module = ModuleType("worker")
    before = threading.local()
    module._invocation_id_local = before  # type: ignore[attr-defined]
    before.invocation_id, before.other = "0f8e", 1
    storage = replace_thread_local(module, "_invocation_id_local")

    assert storage is module._invocation_id_local is not before
    assert (storage.invocation_id, storage.other) == ("0f8e", 1)
    assert not hasattr(storage, "missing")


def test_thread_local_of_a_worker_is_told() -> None:
    """Who has the worker's own finds there what is set, but not on the loop that tasks share."""
    module = ModuleType("worker")
    own = module._invocation_id_local = threading.local()  # type: ignore[attr-defined]
    storage = replace_thread_local(module, "_invocation_id_local")
    assert storage is not None

    def recipe() -> object:
        storage.invocation_id = "0f8e"
        return getattr(own, "invocation_id", None)

    async def in_a_loop() -> object:
        return recipe()

    assert asyncio.run(in_a_loop()) is None
    assert in_thread(lambda: asyncio.run(in_a_loop())) == "0f8e"
    assert in_thread(recipe) == "0f8e"
    assert recipe() == "0f8e"
    del storage.invocation_id
    assert not hasattr(own, "invocation_id")


@pytest.mark.parametrize("found", [None, object()])
def test_a_worker_without_a_thread_local(found: object) -> None:
    """Where a worker keeps something else there, it is left alone."""
    module = ModuleType("worker")
    module._invocation_id_local = found  # type: ignore[attr-defined]

    assert replace_thread_local(module, "_invocation_id_local") is None
    assert module._invocation_id_local is found


def test_recipe_adopts_the_running_invocation(call: Invocation) -> None:
    """Setting the id in a thread of its own makes that invocation current there, None leaves it."""
    module = ModuleType("worker")
    module._invocation_id_local = threading.local()  # type: ignore[attr-defined]
    variable: ContextVar[str | None] = ContextVar("invocation_id", default=None)
    storage = replace_thread_local(module, "_invocation_id_local", variable)
    assert storage is not None

    def recipe() -> list[object]:
        seen: list[object] = []
        for value in ("0f8e", "other", "0f8e", None):
            storage.invocation_id = value
            seen.append((variable.get(), current_invocation()))
        return seen

    with entered(call), no_propagation():
        seen = in_thread(recipe)

    assert seen == [("0f8e", call), ("other", None), ("0f8e", call), (None, None)]
    with no_propagation():
        assert in_thread(recipe) == [(i, None) for i in ("0f8e", "other", "0f8e", None)]
