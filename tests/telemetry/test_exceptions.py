"""Exceptions as text: as Python shows them, and no larger than they may be."""

from __future__ import annotations

import gc
import sys
import traceback
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcscope.telemetry._values.exceptions import exception_text, stack_text, type_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from funcscope.telemetry._values.exceptions import ExceptionText

LIMIT = 2000
KINDS = st.sampled_from([ValueError, KeyError, OSError, NameError, ImportError, RuntimeError])


def raised(error: BaseException) -> BaseException:
    """Raise an exception, so that it has a traceback."""
    try:
        raise error
    except BaseException as caught:
        return caught


def text_of(error: BaseException, limit: int = LIMIT) -> ExceptionText:
    """Turn an exception into text."""
    return exception_text(error, error.__traceback__, limit)


@given(
    st.lists(
        st.tuples(KINDS, st.text(max_size=20), st.sampled_from(["cause", "context", "none"])),
        min_size=1,
        max_size=5,
    ),
    st.lists(st.text(max_size=10), max_size=2),
)
def test_it_is_what_python_shows(
    chain: list[tuple[type[Exception], str, str]], notes: list[str]
) -> None:
    """An exception of usual size is what `traceback` makes of it, with all that led to it."""
    error: BaseException | None = None
    for kind, message, link in chain:
        led_to, error = error, raised(kind(message))
        if link == "cause":
            error.__cause__ = led_to
        elif link == "context":
            error.__context__ = led_to
    assert error is not None
    if hasattr(error, "add_note"):
        for note in notes:
            error.add_note(note)
    found = text_of(error, 100_000)

    assert found.stack == "".join(traceback.format_exception(error))
    assert (found.kind, found.message) == (type(error).__name__, str(error))


def deep(depth: int) -> None:
    """Raise from so many calls down."""
    if depth % 2:
        deep(depth - 1)
    if depth:
        deep(depth=depth - 1)  # from another line, as Python shows the same one thrice at most
    raise ValueError("deep")


def endless() -> BaseException:
    """Make two exceptions that caused each other."""
    first, second = raised(ValueError("first")), raised(ValueError("second"))
    first.__cause__, second.__cause__ = second, first
    return first


def long_chain() -> BaseException:
    """Make an exception with a thousand causes."""
    error: BaseException | None = None
    for number in range(1000):
        led_to, error = error, raised(ValueError(f"no {number}"))
        error.__cause__ = led_to
    assert error is not None
    return error


def noted() -> BaseException:
    """Make an exception with large notes, and many of them."""
    error = raised(ValueError("noted"))
    vars(error)["__notes__"] = ["n" * 1_000_000, *["note"] * 100_000]
    return error


def at_depth() -> BaseException:
    """Make an exception with a deep stack."""
    try:
        deep(150)
    except ValueError as error:
        return error
    raise AssertionError


LARGE: dict[str, Callable[[], BaseException]] = {
    "message": lambda: raised(ValueError("large " * 1_000_000)),
    "key": lambda: raised(KeyError("large " * 100_000)),
    "syntax": lambda: raised(SyntaxError("m", ("f", 1, 10**9, "x" * 9000, 2, 10**9 + 9))),
    "cause": lambda: raised(ValueError("x")).with_traceback(None),
    "chain": long_chain,
    "endless": endless,
    "notes": noted,
    "depth": at_depth,
}


@pytest.mark.parametrize("what", LARGE)
def test_it_is_no_larger_than_its_limit(what: str) -> None:
    """However large an exception is, in whichever way, its text keeps its limit."""
    found = text_of(LARGE[what]())

    assert len(found.message) <= LIMIT
    assert len(found.stack) <= LIMIT
    assert found.kind in found.stack


def test_of_a_deep_stack_the_ends_are_shown() -> None:
    """Where a stack does not fit, frames from its middle go, and the message stays."""
    found = text_of(LARGE["depth"]())

    assert found.stack.startswith("Traceback (most recent call last):\n")
    assert found.stack.endswith("ValueError: deep\n")
    assert "in at_depth" in found.stack
    assert "frames left out]" in found.stack


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with Python 3.11")
def test_of_a_large_group_the_group_is_shown() -> None:
    """A group of more exceptions than are shown is shown alone, which is said."""
    group: Any = vars(__import__("builtins"))["ExceptionGroup"]
    few = raised(group("few", [ValueError(f"no {number}") for number in range(3)]))
    many = raised(group("many", [ValueError("x") for _ in range(100_000)]))

    assert text_of(few).stack == "".join(traceback.format_exception(few))
    assert text_of(many).message == "many (100000 sub-exceptions)"
    assert "with more exceptions than are shown" in text_of(many).stack


class Odd(Exception):  # noqa: N818
    """An exception that cannot say what it is."""

    def __init__(self, does: Callable[[], object]) -> None:
        super().__init__()
        self.does = does

    def __str__(self) -> str:
        return self.does()  # type: ignore[return-value]


def fail() -> str:
    """Fail as a `__str__` may."""
    raise RuntimeError("no")


@pytest.mark.parametrize("does", [fail, lambda: 5, lambda: None], ids=["raises", "number", "none"])
def test_one_that_cannot_say_what_it_is(does: Callable[[], object]) -> None:
    """An exception whose message fails is shown as Python shows it."""
    error = raised(Odd(does))

    assert text_of(error).stack == "".join(traceback.format_exception(error))


def test_one_that_traceback_cannot_show() -> None:
    """Of an exception with fields of wrong types, kind, message and stack are told."""
    fields: Any = ("f", "q", "e", 7)
    found = text_of(raised(SyntaxError("m", fields)))

    assert (found.kind, found.message) == ("SyntaxError", "m (f)")
    assert "in raised" in found.stack


def test_it_is_asked_once() -> None:
    """An exception's `__str__` is called once, be it kept or not."""
    asked: list[int] = []

    def say() -> str:
        asked.append(1)
        return "said"

    found = text_of(raised(Odd(say)))

    assert found.message == "said"
    assert len(asked) == 1


def test_nothing_of_it_is_kept() -> None:
    """Neither the exception nor what its frames have outlives the call."""

    class Local:
        """Something that a frame has."""

    def make() -> tuple[ExceptionText, weakref.ref[Any], weakref.ref[Any]]:
        local = Local()
        error = raised(Odd(lambda: str(local)))
        return text_of(error), weakref.ref(local), weakref.ref(error)

    found, *kept = make()
    gc.collect()

    assert found.message
    assert [reference() for reference in kept] == [None, None]


def test_the_kind_of_any_class() -> None:
    """A class that does not tell its name costs the name, and a long name is cut."""

    class Unnamed(type):
        is_made = False

        @property
        def __module__(cls) -> str:  # type: ignore[override]
            if cls.is_made:
                raise RuntimeError("no")
            return "x"

    class Nameless(Exception, metaclass=Unnamed):  # noqa: N818
        pass

    Nameless.is_made = True
    long = type("L" * 5000, (Exception,), {})

    assert type_name(Nameless()) == "Exception"
    assert len(type_name(long())) <= 1000
    assert type_name(KeyError()) == "KeyError"
    assert type_name(Odd(fail)).endswith("test_exceptions.Odd")


def test_stack_that_is_too_long_keeps_its_ends() -> None:
    """A deep stack has no more characters than the limit, and shows where it is."""

    def go_down(depth: int) -> str:
        return go_deeper(depth)  # as `traceback` shows a line that calls itself but a few times

    def go_deeper(depth: int) -> str:
        if depth:
            return go_down(depth - 1)
        frames: list[FrameType] = []
        frame: FrameType | None = sys._getframe()
        while frame is not None and frame.f_code.co_name.startswith("go_"):
            frames.insert(0, frame)
            frame = frame.f_back
        return stack_text(frames, LIMIT)

    lines = go_deeper(100).splitlines()

    assert sum(map(len, lines)) + len(lines) - 1 <= LIMIT
    assert lines[0] == "Stack (most recent call last):"
    assert lines[-1].strip() == "return stack_text(frames, LIMIT)"
    assert any("frames left out" in line for line in lines)
