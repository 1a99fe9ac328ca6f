"""Extensions that hold the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from funcscope.extensions import AppExtension, Invocation, Step
from funcscope.extensions._errors import Faults
from funcscope.extensions._lifecycle.drivers import plan_calls
from funcscope.extensions._lifecycle.registry import registry
from funcscope.extensions._lifecycle.watch import Watch, limit_s

Make = Callable[..., Invocation]


def drive_timed(
    function: Callable[[], object], invocation: Invocation, faults: Faults, watch: Watch
) -> object:
    """Call a coroutine function that does the same, with each extension timed by itself."""

    async def call() -> object:
        return function()

    observers = registry.observers(invocation.function, faults)
    plan = plan_calls(observers, faults, watch, is_async=True)
    assert plan.timed is not None
    return asyncio.run(plan.drive(call, invocation, plan.timed, plan.name, faults, None))


@pytest.mark.parametrize(
    ("setting", "limit"),
    [("20", 0.02), ("0.5", 0.0005), ("soon", 0.05), ("-1", 0.05), (None, 0.05)],
)
def test_limit(setting: str | None, limit: float) -> None:
    """The limit is a setting in milliseconds; what is no positive number is the default."""
    assert limit_s({} if setting is None else {"FUNCSCOPE_SLOW_HOOK_MS": setting}) == limit


@pytest.mark.parametrize(
    ("setting", "is_named"),
    [("20", False), (None, False), ("", False), ("soon", True), ("-1", True)],
)
def test_wrong_limit_is_named(
    setting: str | None,
    is_named: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is no positive number is named with the values that there may be."""
    if setting is not None:
        monkeypatch.setenv("FUNCSCOPE_SLOW_HOOK_MS", setting)
    registry.report_unmatched()

    said = f"FUNCSCOPE_SLOW_HOOK_MS={setting!r} is not known: use a number above 0"
    assert [r.getMessage() for r in caplog.records] == ([said] if is_named else [])


def test_slow_extensions_are_named_once(invocation: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Each hook and generator that holds the loop for too long is named once, no other is."""
    now = [0.0]

    class SlowHook(AppExtension):
        @classmethod
        def pre_invocation_app_level(cls, *_: object, **__: object) -> None:
            now[0] += 0.1

    class SlowGenerator(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            yield
            now[0] += 0.1

    class Quick(AppExtension):
        @classmethod
        def post_invocation_app_level(cls, *_: object, **__: object) -> None:
            now[0] += 0.04

    faults = Faults("hello")
    watch = Watch(faults, 0.05, clock=lambda: now[0])
    for _ in range(3):
        assert drive_timed(lambda: "r", invocation(), faults, watch) == "r"

    limit = "held the event loop for more than 50 ms (FUNCSCOPE_SLOW_HOOK_MS)"
    assert caplog.text.count(limit) == 2
    assert "SlowHook" in caplog.text
    assert "SlowGenerator" in caplog.text
    assert "Quick" not in caplog.text


def test_late_slowness_is_named_in_time() -> None:
    """After the first calls all extensions are timed together; a slow call arms the watch."""
    now = [0.0]
    watch = Watch(Faults("hello"), 0.05, clock=lambda: now[0])
    while watch.takes_call():
        watch.check(now[0])

    assert not watch.takes_call()
    now[0] += 0.1
    watch.check(now[0] - 0.01)
    assert not watch.takes_call()
    watch.check(now[0] - 0.1)
    assert watch.takes_call()


def test_watching_changes_no_outcome(invocation: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A watched chain treats faults and errors as an unwatched one does."""

    class Twice(AppExtension):
        @classmethod
        def around_invocation(cls, invocation: Invocation) -> Step:
            yield
            yield

    faults = Faults("hello")
    watch = Watch(faults, 0.05)

    def fail() -> None:
        raise ValueError("mine")

    assert drive_timed(lambda: "r", invocation(), faults, watch) == "r"
    assert "yielded more than once" in caplog.text
    with pytest.raises(ValueError, match="mine"):
        drive_timed(fail, invocation(), faults, watch)
