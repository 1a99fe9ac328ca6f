"""How extensions run around one call."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcscope.extensions import Invocation, Step, current_invocation
from funcscope.extensions._errors import Faults
from funcscope.extensions._lifecycle.drivers import plan_calls
from funcscope.extensions._lifecycle.observers import ExtensionFunction, NamedObserver, observer_of
from funcscope.extensions._lifecycle.watch import Watch

Make = Callable[..., Invocation]
Drive = Callable[[Callable[..., object], Invocation, list[ExtensionFunction], Faults], object]


def drive_sync(
    function: Callable[..., object],
    invocation: Invocation,
    arounds: list[ExtensionFunction],
    faults: Faults,
) -> object:
    """Drive a sync function."""
    return drive(function, invocation, arounds, faults, is_async=False)


def drive_coroutine(
    function: Callable[..., object],
    invocation: Invocation,
    arounds: list[ExtensionFunction],
    faults: Faults,
) -> object:
    """Drive an async function that does the same, by hand: a loop would copy some errors."""

    async def call(**args: object) -> object:
        return function(**args)

    call_async: Callable[..., Awaitable[object]] = call
    coroutine = drive(call_async, invocation, arounds, faults, is_async=True)
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    return done.value.value


def drive(
    function: Callable[..., object],
    invocation: Invocation,
    arounds: list[ExtensionFunction],
    faults: Faults,
    *,
    is_async: bool,
) -> Any:  # a coroutine, or what the function returns
    """Call a function within extensions, each of which is named by its position."""
    names = [f"Extension{i}" for i in range(len(arounds))]
    observers = [
        NamedObserver(name, observer_of(around, name, faults))
        for name, around in zip(names, arounds, strict=True)
    ]
    plan = plan_calls(observers, faults, Watch(faults, 1), is_async=is_async)
    return plan.drive(function, invocation, plan.observer, plan.name, faults, None)


both = pytest.mark.parametrize("run", [drive_sync, drive_coroutine], ids=["sync", "async"])


def tracer(log: list[str], name: str) -> ExtensionFunction:
    """Make an extension that logs what it sees."""

    def around(_invocation: Invocation) -> Step:
        log.append(f"{name} in")
        try:
            result = yield
        except BaseException as error:
            log.append(f"{name} {type(error).__name__}")
            raise
        log.append(f"{name} out {result}")

    return around


def yields_twice(_invocation: Invocation) -> Step:
    """Break the rule of one yield."""
    yield
    yield


def yields_twice_on_error(_invocation: Invocation) -> Step:
    """Break the rule of one yield when the function fails."""
    try:
        yield
    except BaseException:
        yield


def never_yields(_invocation: Invocation) -> Step:
    """Break the rule of one yield."""
    return
    yield


def raises_before(_invocation: Invocation) -> Step:
    """Fail before the function runs."""
    raise LookupError("before")
    yield


def raises_after(_invocation: Invocation) -> Step:
    """Fail when the function is done, however it ended."""
    try:
        yield
    finally:
        raise LookupError("after")


def swallows(_invocation: Invocation) -> Step:
    """Keep the function's exception from its caller, or try to."""
    try:
        yield
    except BaseException:
        return


class Unusual(BaseException):
    """Not an Exception, and no interrupt."""


def stops(_invocation: Invocation) -> Step:
    """Fail before the function runs, with something that few expect."""
    raise Unusual
    yield


def behaves(_invocation: Invocation) -> Step:
    """Keep the rules."""
    yield


FAULTY: list[ExtensionFunction] = [
    yields_twice,
    yields_twice_on_error,
    never_yields,
    raises_before,
    raises_after,
    swallows,
    stops,
]


@both
def test_order_is_nested(run: Drive, invocation: Make) -> None:
    """The first extension is entered first and left last."""
    log: list[str] = []
    result = run(lambda: "r", invocation(), [tracer(log, "a"), tracer(log, "b")], Faults("hello"))

    assert result == "r"
    assert log == ["a in", "b in", "b out r", "a out r"]


@both
@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        SystemExit(2),
        KeyboardInterrupt(),
        GeneratorExit(),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_extension_sees_the_error(run: Drive, invocation: Make, error: BaseException) -> None:
    """An exception of any kind reaches each extension, innermost first, and then the caller."""
    log: list[str] = []

    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        run(fail, invocation(), [tracer(log, "a"), tracer(log, "b")], Faults("hello"))

    name = type(error).__name__
    assert log == ["a in", "b in", f"b {name}", f"a {name}"]
    assert raised.value is error


def test_stop_iteration_passes(invocation: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A function's StopIteration, which no generator can let out, is nobody's fault (PEP 479)."""
    error = StopIteration("mine")

    def fail() -> None:
        raise error

    with pytest.raises(StopIteration) as raised:
        drive_sync(fail, invocation(), [behaves], Faults("hello"))

    assert raised.value is error
    assert raised.value.__cause__ is None
    assert not caplog.records


@given(chain=st.lists(st.sampled_from([behaves, *FAULTY]), max_size=6), fails=st.booleans())
@pytest.mark.parametrize("run", [drive_sync, drive_coroutine], ids=["sync", "async"])
def test_outcome_is_the_bare_functions(
    run: Drive, invocation: Make, chain: list[ExtensionFunction], fails: bool
) -> None:
    """Whatever the extensions do, the caller sees what the bare function gives."""
    error, cause = ValueError("mine"), KeyError("why")

    def function(x: int) -> int:
        if fails:
            raise error from cause
        return x + 1

    call = invocation(x=1)
    faults = Faults("hello")
    if not fails:
        assert run(function, call, chain, faults) == 2
        return
    with pytest.raises(ValueError, match="mine") as raised:
        run(function, call, chain, faults)
    assert raised.value is error
    assert error.__cause__ is cause
    assert error.__context__ is None
    frames = traceback.extract_tb(error.__traceback__)
    assert frames[-1].name == "function"
    names = [frame.name for frame in frames]
    assert not {a.__name__ for a in chain} & set(names)


@both
def test_exception_that_is_a_frozen_dataclass(run: Drive, invocation: Make) -> None:
    """An exception that refuses to have its attributes set passes as any other."""

    @dataclass(frozen=True)
    class RefusingError(Exception):
        code: int

    error = RefusingError(7)

    def fail() -> None:
        raise error

    with pytest.raises(RefusingError) as raised:
        run(fail, invocation(), [behaves, raises_after], Faults("hello"))

    assert raised.value is error


def test_log_handler_that_raises(invocation: Make) -> None:
    """A log handler of the app's that raises does not turn a fault into a failed call."""

    class Full(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("disk full")

    handler = Full()
    logging.getLogger("funcscope.extensions").addHandler(handler)
    try:
        assert drive_sync(lambda: "r", invocation(), [raises_before], Faults("hello")) == "r"
    finally:
        logging.getLogger("funcscope.extensions").removeHandler(handler)


@given(
    chain=st.lists(st.sampled_from([None, *FAULTY]), min_size=1, max_size=6), fails=st.booleans()
)
def test_who_started_is_finished(
    invocation: Make, chain: list[ExtensionFunction | None], fails: bool
) -> None:
    """Each extension that started is finished once, whatever its neighbours do."""
    log: list[str] = []
    arounds = [a or tracer(log, f"{i}") for i, a in enumerate(chain)]

    def function() -> str:
        if fails:
            raise ValueError("x")
        return "r"

    try:
        drive_sync(function, invocation(), arounds, Faults("hello"))
    except ValueError:
        assert fails
    good = [str(i) for i, a in enumerate(chain) if a is None]
    end = "ValueError" if fails else "out r"
    assert log == [f"{n} in" for n in good] + [f"{n} {end}" for n in reversed(good)]


@pytest.mark.parametrize(
    ("around", "fault"),
    [
        (yields_twice, "yielded more than once"),
        (never_yields, "did not yield"),
        (raises_before, "failed before its yield"),
        (raises_after, "failed after its yield"),
        (stops, "failed before its yield"),
        (lambda _invocation: None, "returned NoneType from around_invocation"),
    ],
)
def test_fault_is_named_once(
    around: ExtensionFunction, fault: str, invocation: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """A faulty extension is logged by name with what it did, and not again for each call."""
    faults = Faults("hello")
    for _ in range(3):
        drive_sync(lambda: 1, invocation(), [around], faults)

    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.ERROR
    message = caplog.records[0].getMessage()
    assert "Extension0" in message
    assert "hello" in message
    assert fault in message
    assert faults.count == 3


def test_swallowing_is_named(invocation: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A swallowed exception still reaches the caller, and the extension is named."""

    def fail() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        drive_sync(fail, invocation(), [swallows], Faults("hello"))

    assert "swallowed the function's exception" in caplog.text


@both
def test_invocation_is_current(run: Drive, invocation: Make) -> None:
    """The invocation is current in the function and its extensions, and nowhere else."""
    call = invocation()
    seen: list[Invocation | None] = []

    def look(_invocation: Invocation) -> Step:
        seen.append(current_invocation())
        yield
        seen.append(current_invocation())

    run(lambda: seen.append(current_invocation()), call, [look], Faults("hello"))

    assert seen == [call, call, call]
    assert current_invocation() is None


def test_arguments_can_be_changed(invocation: Make) -> None:
    """What an extension changes in `args` before its yield reaches the function."""

    def change(call: Invocation) -> Step:
        call.args["x"] = 5
        yield

    assert drive_sync(lambda x: x, invocation(x=1), [change], Faults("hello")) == 5
