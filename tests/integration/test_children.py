"""Children of functions are as Python makes them, whichever way they are made and ended."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

Runner = Callable[..., Any]  # see conftest
Caller = Callable[..., dict[str, Any]]

# Python 3.12 and later warn of every fork in a process that has threads.
FORKS = {"PYTHONWARNINGS": "error,ignore:This process (pid:DeprecationWarning"}
LEFT = ("descriptors", "threads", "children")


@pytest.mark.library_worker
@pytest.mark.parametrize(
    ("function", "children"), [("on_the_loop", "loop"), ("on_a_thread", "thread")]
)
def test_children_end(run: Runner, call: Caller, function: str, children: str) -> None:
    """Pools, executors and forks end when they should, again and again, and nothing is left."""
    calls = [ask(call, function, children, rounds) for rounds in (1, 2, 2)]
    result = run("v2_children", calls, path="native_sync", env=FORKS)

    assert [outcome["error"] for outcome in result.outcomes] == [""] * 3, result.stderr
    _, second, third = (left(result, index) for index in range(3))
    assert second == third


@pytest.mark.library_worker
def test_children_of_all_kinds(run: Runner, call: Caller) -> None:
    """Programs and children that are spawned or served end when they should, and so do pools."""
    result = run("v2_children", [ask(call, "on_the_loop", "all", 1)], path="native_sync", env=FORKS)

    assert [outcome["error"] for outcome in result.outcomes] == [""], result.stderr
    squares = [log.body for log in result.logs if str(log.body).startswith("square")]
    # Of the two that fork: they have been in the invocation by themselves.
    assert sorted(squares) == sorted(f"square of {number}" for number in range(4) for _ in "ab")


def ask(call: Caller, function: str, children: str, rounds: int) -> dict[str, Any]:
    """Make a call that has children made."""
    url = f"https://app.net/api/{function}?children={children}&rounds={rounds}"
    return call(function, url=url, id=f"{rounds}-{next(numbers)}")


numbers = itertools.count()


def left(result: Any, index: int) -> dict[str, int]:
    """Return what a call told of what was left after it."""
    told = next(log.body for log in result.messages(index) if str(log.body).startswith("{"))
    found: dict[str, int] = json.loads(told)
    return {name: found[name] for name in LEFT}
