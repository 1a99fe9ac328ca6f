"""The function's outcome: what it gives, whatever runs around it."""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from azure.functions import AppExtensionBase
from azure.functions.extension import ExtensionMeta
from hypothesis import assume, given
from hypothesis import strategies as st

from funcscope.extensions import AppExtension, FuncExtension, Function, current_invocation
from funcscope.extensions._lifecycle.registry import registry
from funcscope.extensions._workers.ids import WorkerIds
from funcscope.extensions._workers.wrapping import Lifecycle

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

HOOKS = ("pre_invocation_app_level", "post_invocation_app_level", "post_function_load_app_level")
FUNC_HOOKS = ("pre_invocation", "post_invocation", "post_function_load")


class Unusual(BaseException):
    """Not an Exception, and no interrupt."""


class OddError(Exception):
    """An exception that refuses whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")

    def __setattr__(self, name: str, value: object) -> None:
        raise RuntimeError(f"no {name}")

    def __refuse(self, *_: object) -> Any:
        raise RuntimeError("no")

    __str__ = __repr__ = __bool__ = __hash__ = __eq__ = __len__ = __refuse
    __class__ = property(__refuse)


class Odd:
    """An object that refuses whatever is asked of it; called, it behaves as it was told."""

    __isabstractmethod__ = False  # which Python asks when a class is made

    def __init__(self, behave: Callable[..., object] = lambda *_, **__: None) -> None:
        object.__setattr__(self, "behave", behave)

    def __call__(self, *args: Any, **kwargs: Any) -> object:
        return object.__getattribute__(self, "behave")(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")

    def __refuse(self, *_: object) -> Any:
        raise RuntimeError("no")

    __str__ = __repr__ = __bool__ = __hash__ = __eq__ = __len__ = __iter__ = __refuse
    __class__ = property(__refuse)


def classes_of(base: type) -> Any:
    """Return what makes classes like one: a metaclass, which mypy takes for the class's type."""
    return type(base)


def raiser(kind: type[BaseException]) -> Callable[..., object]:
    """Make what raises."""

    def fail(*_: object, **__: object) -> object:
        raise kind

    return fail


def spoil(*args: Any, **_: object) -> object:
    """Take everything out of the arguments, once the function has them."""
    if len(args) > 3 and isinstance(args[2], dict):
        args[2].clear()
    return "spoilt"


ERRORS: dict[str, type[BaseException]] = {
    kind.__name__: kind
    for kind in (
        ValueError,
        Unusual,
        OddError,
        StopIteration,
        StopAsyncIteration,
        GeneratorExit,
        asyncio.CancelledError,
        RecursionError,
    )
}
BEHAVIOURS: dict[str, Callable[..., object]] = {
    **{name: raiser(kind) for name, kind in ERRORS.items()},
    "returns an odd object": lambda *_, **__: Odd(),
    "spoils the arguments": spoil,
    "is a class": Odd,
}
# Described by words, as Hypothesis asks what it draws for this and that.
CALLABLES = st.tuples(st.sampled_from(sorted(BEHAVIOURS)), st.booleans())
MAYBE = st.one_of(st.none(), CALLABLES)
AROUNDS = st.one_of(
    CALLABLES,
    st.fixed_dictionaries(
        {"before": MAYBE, "after": MAYBE, "failed": MAYBE, "twice": st.booleans()}
    ),
)


def made(behaviour: tuple[str, bool]) -> Any:
    """Make a callable of its description."""
    name, is_odd = behaviour
    return Odd(BEHAVIOURS[name]) if is_odd else staticmethod(BEHAVIOURS[name])


def made_around(described: Any) -> Any:
    """Make an `around_invocation` of its description: a generator that goes wrong somewhere."""
    if isinstance(described, tuple):
        return made(described)

    def around(*_: object) -> Generator[None, object, None]:
        if described["before"] is not None:
            BEHAVIOURS[described["before"][0]]()
        try:
            yield
        except BaseException:
            if described["failed"] is None:
                raise
            BEHAVIOURS[described["failed"][0]]()
        if described["after"] is not None:
            BEHAVIOURS[described["after"][0]]()
        if described["twice"]:
            yield

    return staticmethod(around)


Outcome = tuple[object, BaseException | None, list[str]]


def outcome_of(call: Callable[[], object]) -> Outcome:
    """Return what a call gives: its result, or its exception with the frames that led to it."""
    try:
        return call(), None, []
    except BaseException as error:
        found = BaseException.__dict__["__traceback__"].__get__(error)
        frames = [frame.name for frame in traceback.extract_tb(found)]
        BaseException.__dict__["__traceback__"].__set__(error, None)
        # From the caller's on; Python 3.10 raises again with the traceback as it was.
        first = "<lambda>" if sys.version_info >= (3, 11) else "function"
        return None, error, frames[frames.index(first) :]


@contextmanager
def no_extensions() -> Generator[None]:
    """Begin with none, for each of Hypothesis's examples."""
    ExtensionMeta._app_exts = None
    ExtensionMeta._func_exts.clear()
    ExtensionMeta._info.clear()
    registry._app.clear()
    registry._func.clear()
    logging.getLogger("funcscope.extensions").disabled = True
    try:
        yield
    finally:
        logging.getLogger("funcscope.extensions").disabled = False


@given(
    app=st.dictionaries(st.sampled_from(HOOKS), CALLABLES),
    func=st.dictionaries(st.sampled_from(FUNC_HOOKS), CALLABLES),
    app_around=st.one_of(st.none(), AROUNDS),
    func_around=st.one_of(st.none(), AROUNDS),
    fails=st.one_of(st.none(), st.sampled_from(sorted(ERRORS))),
    is_async=st.booleans(),
)
def test_outcome_is_the_bare_functions(
    app: dict[str, tuple[str, bool]],
    func: dict[str, tuple[str, bool]],
    app_around: Any,
    func_around: Any,
    fails: str | None,
    is_async: bool,
) -> None:
    """Whatever hooks do, the caller gets the very object, or exception, that the function gives."""
    assume(not (is_async and fails == "StopIteration"))  # which no coroutine lets out (PEP 479)
    result = Odd()
    error = None if fails is None else ERRORS[fails]()
    cause = None if fails is None else KeyError("why")

    def function(x: object) -> object:
        if error is not None:
            raise error from cause
        assert x == "x"
        return result

    async def function_async(x: object) -> object:
        return function(x)

    def outcome(call: Callable[..., Any]) -> Outcome:
        return outcome_of(lambda: run(call(x="x")) if is_async else call(x="x"))

    user_function = function_async if is_async else function
    bare = outcome(user_function)
    with no_extensions():
        hooks = {name: made(hook) for name, hook in app.items()}
        classes_of(AppExtensionBase)("Theirs", (AppExtensionBase,), dict(hooks))
        if app_around is not None:
            hooks["around_invocation"] = made_around(app_around)
        classes_of(AppExtension)("Ours", (AppExtension,), dict(hooks))
        func_hooks = {name: made(hook) for name, hook in func.items()}
        if func_around is not None:
            func_hooks["around_invocation"] = made_around(func_around)
        classes_of(FuncExtension)("Single", (FuncExtension,), dict(func_hooks))("hello")
        lifecycle = Lifecycle(
            Function("hello", "/app", is_async=is_async, qualified_name="app.hello"),
            wants_context=False,
            has_context_binding=False,
            ids=WorkerIds(thread_local=None),
        )
        invoke = lifecycle.wrap(user_function)
        lifecycle.loaded()
        for _ in range(2):
            result_now, error_now, frames = outcome(invoke)

            assert result_now is bare[0]
            assert error_now is bare[1]
            assert frames == bare[2]
            assert current_invocation() is None


def run(coroutine: Any) -> object:
    """Run a coroutine that waits for nothing, by hand: a loop would copy some errors."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    pytest.fail("it waits for something")
