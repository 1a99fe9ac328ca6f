"""Properties that are read at the cost of the attribute that they return."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from funcscope.extensions._getters import AttributeReader

if TYPE_CHECKING:
    from types import FrameType


class Plain:
    """Keeps what it tells as Microsoft's workers do."""

    def __init__(self, name: str) -> None:
        self.__name = name
        self.place = "here"

    @property
    def name(self) -> str:
        return self.__name


class Loud(Plain):
    """Has a property of the same name that does more."""

    @property
    def name(self) -> str:
        return super().name.upper()


class Quiet(Loud):
    """Has an attribute in the property's place."""

    name = "quiet"


def read(thing: object, *names: str) -> object:
    """Read attributes of a thing, as one of a class that was never seen."""
    return AttributeReader(*names).inspect(type(thing))(thing)


@pytest.mark.parametrize("cls", [Plain, Loud, Quiet])
def test_reads_what_the_property_returns(cls: type[Plain]) -> None:
    """What is read is what the class's own attribute gives, whatever that does."""
    thing = cls("orders")

    assert read(thing, "name", "place") == (thing.name, "here")


def test_calls_no_property_that_only_returns() -> None:
    """A property that only returns an attribute is not called; one that does more is."""
    called: list[str] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            called.append(frame.f_code.co_qualname if sys.version_info >= (3, 11) else "name")

    plain, loud = AttributeReader("name").inspect(Plain), AttributeReader("name").inspect(Loud)
    things = Plain("orders"), Loud("orders")
    sys.setprofile(profile)
    try:
        plain(things[0])
        quiet = list(called)
        loud(things[1])
    finally:
        sys.setprofile(None)

    assert quiet == []
    assert called[0] in {"Loud.name", "name"}


def test_what_is_missing_is_missing() -> None:
    """An attribute that there is not is told as Python tells it."""
    with pytest.raises(AttributeError, match="colour"):
        read(Plain("orders"), "colour")


def test_a_class_is_looked_at_once() -> None:
    """What reads a class's objects is kept, and found by the class."""
    getters = AttributeReader("name")

    assert getters.known(Plain) is None
    read = getters.inspect(Plain)
    assert getters.known(Plain) is read
    assert getters.known(Loud) is None
