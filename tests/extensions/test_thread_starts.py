"""Threads, calls and callbacks run as they would without us, whatever they are made of."""

from __future__ import annotations

import functools
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from funcscope.extensions import Invocation, current_invocation, propagate
from funcscope.extensions._invocation import PartialContext, entered
from funcscope.extensions._propagation import patches as _propagation

if TYPE_CHECKING:
    from types import TracebackType

Make = Callable[..., Invocation]


class Hostile:
    """Can be called, and fails whoever asks it for anything else."""

    def __init__(self) -> None:
        object.__setattr__(self, "calls", [])

    def __call__(self, *args: object, **kwargs: object) -> Invocation | None:
        object.__getattribute__(self, "calls").append((args, kwargs))
        return current_invocation()

    def __getattribute__(self, name: str) -> NoReturn:
        raise LookupError(name)

    def __bool__(self) -> NoReturn:
        raise LookupError("bool")

    __hash__ = __eq__ = __len__ = __repr__ = __bool__  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def _propagate() -> None:
    propagate()


@pytest.fixture
def call(invocation: Make) -> Iterator[Invocation]:
    """Run in an invocation whose worker has a thread-local."""
    made = invocation()
    context = PartialContext(made.id, "hello", "/app", threading.local())
    running = Invocation(made.id, made.function, made.args, context)
    with entered(running):
        yield running


def calls_of(hostile: Hostile) -> list[object]:
    """Return what it was called with."""
    found: list[object] = object.__getattribute__(hostile, "calls")
    return found


def test_callable_that_tells_nothing_of_itself(call: Invocation) -> None:
    """A callable that may be called, and nothing else, is called once and carried."""
    with ThreadPoolExecutor(1) as pool:
        submitted = Hostile()
        assert pool.submit(submitted, 1, b=2).result() is call
    assert calls_of(submitted) == [((1,), {"b": 2})]

    future: Future[object] = Future()
    called = Hostile()
    future.add_done_callback(called)
    future.set_result(None)
    assert calls_of(called) == [((future,), {})]

    with ThreadPool(1) as threads:
        mapped = Hostile()
        assert threads.apply(mapped, (1,), {"b": 2}) is call
        assert list(threads.imap(mapped, [3])) == [call]
    assert calls_of(mapped) == [((1,), {"b": 2}), ((3,), {})]


def test_thread_whose_target_tells_nothing_of_itself(call: Invocation) -> None:
    """A thread's target is called, and asked for nothing by us."""
    asked: list[str] = []

    class Target(Hostile):
        def __bool__(self) -> bool:  # type: ignore[override]
            asked.append("bool")
            return True

        def __getattribute__(self, name: str) -> NoReturn:
            asked.append(name)
            raise AttributeError(name)

    target = Target()
    thread = threading.Thread(target=target, args=(1,), name="named")
    asked.clear()
    thread.start()
    thread.join()

    assert asked in ([], ["bool"])  # which Python itself asks, up to 3.12
    assert calls_of(target) == [((1,), {})]


def test_thread_whose_class_tells_nothing_of_itself(call: Invocation) -> None:
    """A thread class that keeps its attributes to itself runs once, with or without us."""
    seen: list[object] = []

    class Closed(threading.Thread):
        def __getattribute__(self, name: str) -> object:
            if name == "__dict__":
                raise LookupError(name)
            return super().__getattribute__(name)

        def run(self) -> None:
            seen.append("ran")

    thread = Closed()
    thread.start()
    thread.join()

    assert seen == ["ran"]


@pytest.mark.parametrize("broken", ["carry", "copy_context", "ContextCall"])
def test_failure_of_ours_costs_nothing(
    call: Invocation, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where carrying fails, what an app starts runs all the same, once."""

    def fail(*_: object) -> NoReturn:
        raise RuntimeError("ours")

    monkeypatch.setattr(_propagation, broken, fail)
    ran: list[object] = []
    thread = threading.Thread(target=ran.append, args=("thread",))
    thread.start()
    thread.join()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(ran.append, "submit").result()
    future: Future[object] = Future()
    future.add_done_callback(lambda _: ran.append("callback"))
    future.set_result(None)

    assert ran == ["thread", "submit", "callback"]


def test_worker_that_refuses_the_id(call: Invocation) -> None:
    """Where a worker's thread-local cannot be set, calls run all the same."""

    class Refusing(threading.local):
        def __setattr__(self, name: str, value: object) -> None:
            raise LookupError(name)

    assert isinstance(call.context, PartialContext)
    call.context.thread_local_storage = Refusing()
    ran: list[object] = []
    thread = threading.Thread(target=ran.append, args=("thread",))
    thread.start()
    thread.join()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(ran.append, "submit").result()

    assert ran == ["thread", "submit"]


def test_ways_of_calling(call: Invocation) -> None:
    """What is replaced takes what the original takes: by position, by name, through the class."""
    ran: list[object] = []
    thread = threading.Thread(target=ran.append, args=("start",))
    threading.Thread.start(self=thread)
    thread.join()
    future: Future[object] = Future()
    future.add_done_callback(fn=lambda _: ran.append("callback"))
    future.set_result(None)
    with ThreadPool(1) as threads:
        threads.map(func=ran.append, iterable=["map"])
        list(threads.imap(func=ran.append, iterable=["imap"], chunksize=1))
        threads.apply_async(ran.append, ["apply"], {}, lambda _: ran.append("called")).wait()

    assert ran == ["start", "callback", "map", "imap", "apply", "called"]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: threading.Thread().start(1),  # type: ignore[call-arg]
        lambda: ThreadPoolExecutor(1).submit(),  # type: ignore[call-arg]
        lambda: Future[None]().add_done_callback(),  # type: ignore[call-arg]
        lambda: ThreadPool.map(),  # type: ignore[call-arg]
    ],
)
def test_wrong_arguments_are_the_originals_to_refuse(
    call: Invocation, wrong: Callable[[], object]
) -> None:
    """A call that the original would refuse is refused as it would."""
    with pytest.raises(TypeError):
        wrong()


def test_wrapper_put_over_and_under(call: Invocation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrapper of another's that goes over ours may be taken off again, and ours stays."""
    ours = threading.Thread.start

    @functools.wraps(ours)
    def over(self: threading.Thread, *args: Any, **kwargs: Any) -> None:
        run = getattr(self.run, "__func__", self.run)
        self.run = lambda *given: run(self, *given[1:])  # type: ignore[method-assign, call-arg]
        ours(self, *args, **kwargs)

    for start in (over, ours):
        monkeypatch.setattr(threading.Thread, "start", start)
        seen: list[object] = []
        thread = threading.Thread(target=lambda seen=seen: seen.append(current_invocation()))
        thread.start()
        thread.join()
        assert seen == [call]


def files(traceback_: TracebackType | None) -> list[str]:
    """List the files of a traceback's frames."""
    return [frame.filename for frame in traceback.extract_tb(traceback_)]


def test_no_frames_of_ours(call: Invocation, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails on another thread has the traceback that it would have without us."""
    failed: list[TracebackType | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: failed.append(args.exc_traceback))

    def fail(*_: object) -> NoReturn:
        raise ValueError("x")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    with ThreadPoolExecutor(1) as pool:
        error = pool.submit(fail).exception()
    assert error is not None
    if sys.version_info >= (3, 11):  # before, what is raised again has the traceback that it had
        failed.append(error.__traceback__)

    assert failed
    assert [f for found in failed for f in files(found) if "funcscope/extensions" in f] == []


def test_iterable_is_asked_when_the_pool_would(call: Invocation) -> None:
    """What a lazy pool takes its items from is looked at on the pool's thread, and fails there."""
    with ThreadPool(1) as threads:
        found = threads.imap(str, 5)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="not iterable"):
            next(found)


def test_python_whose_threads_begin_otherwise(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A Python whose threads begin in another way is named in one line, and its threads start."""
    monkeypatch.setattr(_propagation, "_patched", [])
    monkeypatch.delattr(threading.Thread, "_bootstrap_inner")
    before = threading.Thread.start
    monkeypatch.setattr(_propagation, "_replace", lambda *_: _propagation._patched.append("x"))
    propagate()

    assert threading.Thread.start is before
    assert [r.message.partition(":")[0] for r in caplog.records] == ["threads are not carried"]
