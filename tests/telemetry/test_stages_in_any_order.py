"""Stages and messages of generators, whose steps run in any order, in any context."""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import opentelemetry.sdk.trace
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context as OtelContext

from funcscope.telemetry import each_message, timed
from funcscope.telemetry._api import timing as _timing
from funcscope.telemetry._spans.contexts import SpanScope

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence

    from funcscope.contrib.testing import Metrics, Spans

STEPS = 3
Block = AbstractContextManager[object]
_examples = itertools.count()


class Pause:
    """Awaited, hands a value to who drives the coroutine, and takes one."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __await__(self) -> Generator[int, object, object]:
        return (yield self.value)


def a_generator(block: Block) -> Generator[int, object, object]:
    """Yield numbers in a block."""
    with block:
        for number in range(STEPS):
            if (yield number) == "fail":
                raise ValueError("told to fail")
    return "done"


async def a_coroutine(block: Block) -> object:
    """Hand out numbers in a block."""
    with block:
        for number in range(STEPS):
            if (await Pause(number)) == "fail":
                raise ValueError("told to fail")
    return "done"


async def an_async_generator(block: Block) -> AsyncGenerator[int, object]:
    """Yield numbers in a block."""
    with block:
        for number in range(STEPS):
            if (yield number) == "fail":
                raise ValueError("told to fail")


def on_a_stack(block: Block) -> Generator[int, object, object]:
    """Yield numbers in a block that is entered and left by others' frames."""
    with ExitStack() as stack:
        stack.enter_context(block)
        yield from a_generator(nullcontext())
    return "done"


def driven(make: Callable[[], AsyncGenerator[int, object]]) -> Generator[int, object, object]:
    """Step through an async generator as an event loop would, one value at a time."""
    generator = make()
    step = generator.asend(None)
    while True:
        value = 0
        try:
            cast("Coroutine[None, None, int]", step).send(None)
        except StopIteration as yielded:
            value = yielded.value
        except StopAsyncIteration:
            return "done"
        try:
            step = generator.asend((yield value))
        except GeneratorExit:
            with suppress(StopIteration):
                cast("Coroutine[None, None, None]", generator.aclose()).send(None)
            raise
        except BaseException as error:
            step = generator.athrow(error)


def stepped(make: Callable[[], Coroutine[int, object, object]]) -> Generator[int, object, object]:
    """Step through a coroutine."""
    return (yield from cast("Any", make().__await__()))


KINDS: dict[str, Callable[[Block], Generator[int, object, object]]] = {
    "generator": a_generator,
    "stack": on_a_stack,
    "coroutine": lambda block: stepped(lambda: a_coroutine(block)),
    "async generator": lambda block: driven(lambda: an_async_generator(block)),
}
DECORATED: dict[str, Callable[[timed], Generator[int, object, object]]] = {
    "generator": lambda stage: stage(a_generator)(nullcontext()),
    "coroutine": lambda stage: stepped(lambda: stage(a_coroutine)(nullcontext())),
    "async generator": lambda stage: driven(lambda: stage(an_async_generator)(nullcontext())),
}


@dataclass
class Op:
    """What is done to one of the running ones: sent a value, thrown an error, or closed."""

    runner: int
    context: int
    does: str


OPS = st.builds(
    Op,
    st.integers(0, 3),
    st.integers(0, 2),
    st.sampled_from(["next"] * 6 + ["fail", "throw", "close"]),
)


def step(runner: Generator[int, object, object], op: Op, *, has_begun: bool) -> object:
    """Do it, and return what came of it."""
    try:
        if op.does == "throw":
            return runner.throw(KeyError("thrown"))
        if op.does == "close":
            return runner.close()
        return runner.send(op.does if has_begun else None)
    except StopIteration as stop:
        return "returned", stop.value
    except Exception as error:
        return "raised", type(error), str(error)


def current() -> int:
    """Return the id of the current span; 0 where there is none."""
    return trace.get_current_span().get_span_context().span_id


def play(
    runners: Sequence[Generator[int, object, object]], ops: Sequence[Op]
) -> tuple[list[object], list[int]]:
    """
    Do one after the other, each in its context, and close what is left.

    Returns:
        What came of each, and which spans were current in the contexts before the rest was closed.
    """
    contexts: list[Context] = [copy_context() for _ in range(3)]
    begun: set[int] = set()
    outcomes: list[object] = []
    for op in ops:
        CLOCK.tick()
        runner = runners[op.runner]
        has_begun = op.runner in begun
        outcomes.append(contexts[op.context].run(step, runner, op, has_begun=has_begun))
        begun.add(op.runner)
    currents = [context.run(current) for context in contexts]
    CLOCK.tick()
    for runner in runners:
        runner.close()
    return outcomes, currents


@dataclass
class Clock:
    """A clock that stands still but for its ticks."""

    now: int = field(default_factory=time.time_ns)

    def tick(self) -> None:
        self.now += 1_000_000_000

    def seconds(self) -> float:
        return self.now / 1e9

    def nanoseconds(self) -> int:
        return self.now


CLOCK = Clock()


@dataclass
class Expected:
    """The span of one runner, by the rules of the test's own model."""

    parent: int | None
    started: int
    ended: int
    is_error: bool


def model(ops: Sequence[Op], count: int) -> tuple[dict[int, Expected], list[int | None]]:
    """
    Say which spans there are, and which is current in each context in the end.

    A context knows who is open in it, the innermost last.
    """
    open_in: list[list[int]] = [[], [], []]
    steps = [0] * count
    is_over = [False] * count
    found: dict[int, Expected] = {}
    for number, op in enumerate(ops):
        runner, stack = op.runner, open_in[op.context]
        if is_over[runner]:
            continue
        if not steps[runner]:
            if op.does in ("throw", "close"):
                is_over[runner] = True  # before it has begun
                continue
            found[runner] = Expected(stack[-1] if stack else None, number, len(ops), False)
            stack.append(runner)
            steps[runner] = 1
            continue
        steps[runner] += 1
        if op.does != "next" or steps[runner] > STEPS:
            is_over[runner] = True
            found[runner].ended = number
            found[runner].is_error = op.does in ("fail", "throw")
            if runner in stack:
                stack.remove(runner)
    return found, [stack[-1] if stack else None for stack in open_in]


@pytest.fixture
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_timing, "perf_counter", CLOCK.seconds)
    monkeypatch.setattr(opentelemetry.sdk.trace, "time_ns", CLOCK.nanoseconds)


@pytest.mark.usefixtures("_still")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    kinds=st.lists(
        st.sampled_from([*KINDS, *(f"@{name}" for name in DECORATED)]), min_size=4, max_size=4
    ),
    is_shared=st.booleans(),
    ops=st.lists(OPS, min_size=1, max_size=18),
)
def test_stages_in_any_order(
    spans: Spans,
    kinds: list[str],
    is_shared: bool,
    ops: list[Op],
) -> None:
    """
    Code that takes turns in any context behaves as without stages, and each has its own span.

    Whatever is entered, stepped, left, closed or thrown into: one span for each, with its own
    duration, below the stage that was open in its context.
    """
    name = f"{next(_examples)}-"
    shared = timed(name)

    def make(number: int, kind: str) -> Generator[int, object, object]:
        # One object cannot tell which of its stages a stack leaves that was moved elsewhere.
        is_own = not is_shared or kind == "stack"
        stage = timed(f"{name}{number}") if is_own else shared
        return DECORATED[kind[1:]](stage) if kind[0] == "@" else KINDS[kind](stage)

    bare, _ = play([KINDS[kind.lstrip("@")](nullcontext()) for kind in kinds], ops)
    start = CLOCK.now
    measured, currents = play([make(number, kind) for number, kind in enumerate(kinds)], ops)

    assert measured == bare
    recorded = [span for span in spans if span.name.startswith(name)]
    expected, innermost = model(ops, len(kinds))
    by_start = {(e.started + 1) * 10**9: e for e in expected.values()}
    assert sorted((span.start_time or 0) - start for span in recorded) == sorted(by_start)
    ids = {
        runner: span.context.span_id
        for runner, e in expected.items()
        for span in recorded
        if (span.start_time or 0) - start == (e.started + 1) * 10**9 and span.context
    }
    for span in recorded:
        known = by_start[(span.start_time or 0) - start]
        assert ((span.end_time or 0) - start) // 10**9 == known.ended + 1
        assert (span.parent and span.parent.span_id) == (
            None if known.parent is None else ids[known.parent]
        )
        assert (span.status.status_code.name == "ERROR") is known.is_error
    assert currents == [0 if runner is None else ids[runner] for runner in innermost]
    assert not current()


@pytest.mark.usefixtures("_still")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(ops=st.lists(OPS, min_size=1, max_size=18))
def test_messages_in_any_order(spans: Spans, ops: list[Op]) -> None:
    """Loops over messages that take turns in any context behave as loops over the plain batch."""
    batches = [
        [SimpleNamespace(message_id=f"{next(_examples)}-{n}") for n in range(STEPS)]
        for _ in range(4)
    ]

    def loop(batch: Sequence[Any], *, is_measured: bool) -> Generator[int, object, object]:
        walk = each_message(batch) if is_measured else iter(batch)
        for number, message in enumerate(walk):
            assert message is batch[number]
            if (yield number) == "fail":
                raise ValueError("told to fail")
        return "done"

    bare, _ = play([loop(batch, is_measured=False) for batch in batches], ops)
    before = len(spans)
    measured, _ = play([loop(batch, is_measured=True) for batch in batches], ops)

    assert measured == bare
    asked = [
        sum(isinstance(o, int) for o, op in zip(bare, ops, strict=True) if op.runner == n)
        for n in range(4)
    ]
    recorded = [(span.attributes or {})["messaging.message.id"] for span in spans][before:]
    assert sorted(map(str, recorded)) == sorted(
        message.message_id
        for batch, count in zip(batches, asked, strict=True)
        for message in batch[:count]
    )
    assert not current()


@pytest.mark.usefixtures("_still")
def test_durations_of_stages_that_take_turns(spans: Spans, metrics: Metrics) -> None:
    """Two generators of one object, left in the order of their entry, have a duration each."""
    stage = timed("stage")
    first, second = a_generator(stage), a_generator(stage)
    next(first)
    CLOCK.tick()
    next(second)
    CLOCK.tick()
    first.close()
    CLOCK.tick()
    CLOCK.tick()
    second.close()

    assert [(s.end_time or 0) - (s.start_time or 0) for s in spans] == [2 * 10**9, 3 * 10**9]
    assert metrics.one("funcscope.timed.duration").value == 5
    assert [span.status.status_code.name for span in spans] == ["UNSET", "UNSET"]


def open_scopes() -> int:
    """Count what stages and messages keep of what was current before them."""
    contexts = [found for found in gc.get_objects() if type(found) is OtelContext]
    return len({id(value) for c in contexts for value in c.values() if type(value) is SpanScope})


def test_stages_hand_over_hand_keep_nothing(spans: Spans) -> None:
    """Of stages that each begin before the last one ends, none keeps those before it."""
    running = a_generator(timed("x"))
    next(running)
    for _ in range(100):
        following = a_generator(timed("x"))
        next(following)
        running.close()
        running = following
    left = open_scopes()
    running.close()

    assert len(spans) == 101
    assert left < 10


def test_stages_that_end_elsewhere_keep_nothing(spans: Spans) -> None:
    """Stages that were entered here and left in other contexts do not keep each other."""

    def enter_and_leave_elsewhere() -> int:
        for _ in range(100):
            running = a_generator(timed("x"))
            next(running)
            copy_context().run(running.close)
        return open_scopes()

    assert copy_context().run(enter_and_leave_elsewhere) < 10
    assert len(spans) == 100


def test_a_decorated_generator_gets_what_is_thrown(spans: Spans) -> None:
    """What is thrown into a decorated generator may be handled there, and is no failure then."""

    @timed("stage")
    def plain() -> Generator[str, None, str]:
        try:
            yield "first"
        except KeyError:
            yield "handled"
        return "done"

    @timed("stage")
    async def later() -> AsyncGenerator[str, None]:
        try:
            yield "first"
        except KeyError:
            yield "handled"

    async def walk() -> list[str]:
        running = later()
        return [await anext(running), await running.athrow(KeyError()), *[x async for x in running]]

    running = plain()
    assert [next(running), running.throw(KeyError())] == ["first", "handled"]
    with pytest.raises(StopIteration, match="done"):
        next(running)
    assert asyncio.run(walk()) == ["first", "handled"]
    assert [span.status.status_code.name for span in spans] == ["UNSET", "UNSET"]


def test_an_async_loop_that_is_left(spans: Spans) -> None:
    """An async generator that a loop leaves is closed by the event loop, and is no failure."""

    async def first_of(stage: timed) -> int:
        async for number in an_async_generator(stage):
            if number == 1:
                return number
        return -1

    async def run() -> int:
        found = await first_of(timed("left"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return found

    assert asyncio.run(run()) == 1
    span = spans.one("left")
    assert span.status.status_code.name == "UNSET"
    assert span.events == ()


def test_a_batch_is_walked_as_the_loop_asks(spans: Spans) -> None:
    """A batch that is made on the way is asked for one message at a time, and may fail."""
    seen: list[str] = []

    def batch() -> Generator[str, None, None]:
        yield "a"
        seen.append("asked for more")
        raise LookupError("no more")

    def loop() -> None:
        seen.extend(f"got {message}" for message in each_message(batch()))

    with pytest.raises(LookupError, match="no more"):
        loop()

    assert seen == ["got a", "asked for more"]
    assert spans.names == ["process"]


def test_a_message_loop_that_is_thrown_into(spans: Spans) -> None:
    """What is thrown into a loop's generator is on the message's span, and goes on."""
    loop = each_message(["a", "b"])
    next(loop)
    with pytest.raises(KeyError):
        loop.throw(KeyError("x"))

    (span,) = spans
    assert span.status.status_code.name == "ERROR"


def test_a_tracer_that_raises_costs_no_stage(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the app's provider raises, blocks, functions and loops run as without it."""

    class Broken(trace.TracerProvider):
        def get_tracer(self, *_: object, **__: object) -> trace.Tracer:
            raise RuntimeError("broken")

    monkeypatch.setattr(trace, "_TRACER_PROVIDER", Broken())
    name = f"stage {next(_examples)}"
    for _ in range(3):
        with timed(name):
            pass
    ran = list(each_message([1, 2]))

    assert ran == [1, 2]
    assert [record.message for record in caplog.records] == [
        f"the stage {name!r} gets no span",
        "a message could not be given its span",
    ]
