"""Places of others' that a function of ours is in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import wrapt

from funcscope.telemetry._place import Place

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


class Theirs:
    """Somebody else's class."""

    def say(self) -> list[str]:
        """Say who is called, from within."""
        return ["theirs"]


@pytest.fixture
def owner() -> type[Theirs]:
    """Make a class of somebody else's."""
    return type("Theirs", (), {"say": Theirs.say})


def ours(original: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """Make ours of what is there."""

    @functools.wraps(original)
    def say(self: Theirs) -> list[str]:
        return [*original(self), "ours"]

    return say


def plain(call: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap as anybody does."""

    def over(*args: Any, **kwargs: Any) -> Any:
        return [*call(*args, **kwargs), "over"]

    return over


def named(call: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap with the name and all fields of what is wrapped."""
    return functools.wraps(call)(plain(call))


def by_wrapt(call: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap in a proxy."""

    def over(wrapped: Any, _: object, args: Any, kwargs: Any) -> Any:
        return [*wrapped(*args, **kwargs), "over"]

    return wrapt.FunctionWrapper(call, over)


WRAPS: list[Wrap] = [plain, named, by_wrapt]


def test_leaving_puts_back_what_was_found(owner: Any) -> None:
    """Where nobody came in between, it is as if ours had never been there."""
    before = owner.say
    place = Place(owner, "say", ours)
    assert owner().say() == ["theirs", "ours"]

    assert place.leave()
    assert owner.say is before


@pytest.mark.parametrize("wrap", WRAPS)
def test_wrapper_over_ours_stays(owner: Any, wrap: Wrap) -> None:
    """Who came after us stays, however much theirs looks like ours, and ours beneath it."""
    place = Place(owner, "say", ours)
    owner.say = wrap(owner.say)

    assert not place.leave()
    assert owner().say() == ["theirs", "ours", "over"]
    assert place.is_reached()


@pytest.mark.parametrize("wrap", WRAPS)
def test_ours_goes_with_what_was_beneath_it(owner: Any, wrap: Wrap) -> None:
    """Who puts back what they found before us takes ours away, which is seen."""
    before = owner.say
    owner.say = wrap(before)
    place = Place(owner, "say", ours)
    owner.say = before
    assert not place.is_reached()

    owner.say = wrap(before)
    assert not place.is_reached()
    assert not place.leave()
