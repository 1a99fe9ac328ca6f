"""Log calls with whatever an app has: the call, the console, and what is exported."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import logging.handlers
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk._logs import LoggerProvider

from funcscope.telemetry import timed
from funcscope.telemetry._config.log_levels import LogLevels
from funcscope.telemetry._logs import capture as _log_export
from funcscope.telemetry._logs.capture import LogCapture
from funcscope.telemetry._logs.correlation import add_record_fields
from funcscope.telemetry._logs.filters import LOG_FILTERS

if TYPE_CHECKING:
    from funcscope.telemetry._logs.records import LogSnapshot

    Error = Callable[[], BaseException | None]

app = logging.getLogger("app.calls")


@contextmanager
def exporting(*handlers: logging.Handler) -> Iterator[list[LogSnapshot]]:
    """
    Export what is logged, to a list of what waits.

    The root logger has these handlers alone: pytest's raise where they cannot format.
    """
    kept, logging.root.handlers[:] = logging.root.handlers[:], handlers or [logging.NullHandler()]
    add_record_fields()
    taken: list[LogSnapshot] = []
    before = _log_export._active.current
    provider = LoggerProvider(shutdown_on_exit=False)
    export = LogCapture(provider, LogLevels(), put=lambda made, _: taken.append(made))
    export.start()
    try:
        yield taken
    finally:
        logging.root.handlers[:] = kept
        export.stop()
        if before is not None:
            before.start()


class LoudError(Exception):
    """Has a message that cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Stop(BaseException):
    """No `Exception`, so that `logging` lets it through."""


class Raising:
    """Cannot be shown, for a reason that is made each time."""

    def __init__(self, reason: Callable[[], BaseException]) -> None:
        self.reason = reason

    def __str__(self) -> str:
        raise self.reason()

    __repr__ = __str__


class Chatting:
    """Logs what it is asked."""

    def __repr__(self) -> str:
        app.info("asked")
        return "chat"


class Endless(Mapping[str, int]):
    """Has no end."""

    def __getitem__(self, key: str) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        number = 0
        while True:
            number += 1
            yield f"k{number}"

    def __len__(self) -> int:
        return 1


class Closed(Endless):
    """Cannot be walked."""

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("closed")


class Lying:
    """Says of its class what is not so."""

    @property  # type: ignore[misc]  # the point
    def __class__(self) -> Any:
        raise RuntimeError("no class")


class Text(str):
    """A text that shows as another."""

    __slots__ = ()

    def __str__(self) -> str:
        return "shown"


# Functions, as Hypothesis shows what a test failed with.
ODD = st.sampled_from(
    [
        lambda: Raising(lambda: RuntimeError("no")),
        lambda: Raising(Stop),
        lambda: Raising(LoudError),
        Chatting,
        Endless,
        Closed,
        Lying,
        lambda: Text("text"),
    ]
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=5),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
    ODD,
)
MESSAGES = st.one_of(
    st.sampled_from(["plain", "%s", "%r and %s", "%d", "%(a)s", "100%", "%", "%s %s %s"]),
    st.text(max_size=10),
    VALUES,
)
ERRORS = st.sampled_from(
    [
        lambda: None,
        lambda: ValueError("no", 1),
        lambda: ValueError(Raising(lambda: RuntimeError("no"))),
        lambda: KeyError("a"),
        LoudError,
        lambda: NameError("name 'asked' is not defined", name="asked"),
    ]
)
EXTRAS = st.dictionaries(st.sampled_from(["one", "two", "function_name"]), VALUES, max_size=2)
MACHINERY = re.compile(
    rf'  File "({re.escape(logging.__file__)}|[^"]*/funcscope/telemetry/[^"]*)", .*\n(    .*\n)*'
)
"""A frame between a log call and what an object logs that is asked for its text."""
FORMATS = st.lists(
    st.sampled_from(["%(message)s", "%(levelname)s %(message)s", "%(message)s %(one)s", None]),
    max_size=3,
)


def call(
    formats: list[str | None], message: object, args: tuple[object, ...], options: dict[str, Any]
) -> tuple[str, str]:
    """Log once to such handlers on the root logger; return what came of it, and the console."""
    console = io.StringIO()
    handlers: list[logging.Handler] = []
    for text in formats:
        if text is None:
            handlers.append(logging.NullHandler())
        else:
            handlers.append(logging.StreamHandler(console))
            handlers[-1].setFormatter(logging.Formatter(text))
    kept, level = logging.root.handlers[:], logging.root.level
    logging.root.handlers[:] = handlers
    logging.root.setLevel(logging.INFO)
    # What `Handler.handleError` says is compared too, the stack of whoever called included.
    stderr, sys.stderr = sys.stderr, console
    try:
        app.warning(message, *args, **options)
        outcome = "returned"
    except BaseException as error:
        outcome = type(error).__name__
    finally:
        sys.stderr = stderr
        logging.root.handlers[:] = kept
        logging.root.setLevel(level)
    return outcome, console.getvalue()


def real(value: object) -> Any:
    """Return what a function makes, or a value as it is."""
    return value() if callable(value) else value


def raised(make: Error, make_cause: Error) -> BaseException | None:
    """Return an exception as one that was caught, with its frames, its cause and a note."""
    error, cause = make(), make_cause()
    if error is None:
        return None
    try:
        raise error from cause
    except BaseException as caught:
        if sys.version_info >= (3, 11):
            caught.add_note("noted")
        return caught


@given(
    message=MESSAGES,
    args=st.lists(VALUES, max_size=3).map(tuple),
    extra=EXTRAS,
    error=ERRORS,
    cause=ERRORS,
    formats=FORMATS,
)
def test_a_log_call_does_what_it_does_without_us(
    message: object,
    args: tuple[object, ...],
    extra: dict[str, object],
    error: Error,
    cause: Error,
    formats: list[str | None],
) -> None:
    """Whatever is logged to whatever handlers, the call's outcome and the console stay the same."""
    message, args = real(message), tuple(map(real, args))
    extra = {name: real(value) for name, value in extra.items()}
    options = {"extra": extra, "exc_info": raised(error, cause)}
    outcomes = []
    nothing: AbstractContextManager[list[LogSnapshot]] = nullcontext([])
    for context in (nothing, exporting()):
        with context as taken:  # called in one line, as the console may show that
            outcomes.append(call(formats, message, args, options))

    bare, with_us = outcomes
    if any(type(value) is Chatting for value in (message, *args, *extra.values())):
        # Who asks it first are we, and where `handleError` shows a call's stack, it shows that.
        bare, with_us = (
            (outcome, MACHINERY.sub("", console)) for outcome, console in (bare, with_us)
        )
    assert with_us == bare
    for made in taken:
        assert_plain(made)


def assert_plain(value: object) -> None:
    """Assert that a value is made of texts, numbers and what holds them, and of no object else."""
    if isinstance(value, tuple):
        for item in value:
            assert_plain(item)
    elif type(value) is dict:
        assert_plain((*value.keys(), *value.values()))
    elif type(value) is list:
        assert_plain(tuple(value))
    else:
        assert value is None or type(value) in (str, bool, int, float, bytes)


@given(
    message=st.one_of(st.text(max_size=10), st.integers(), st.builds(ValueError, st.text())),
    args=st.one_of(st.just(()), st.tuples(st.one_of(st.integers(), st.lists(st.text())))),
    error=ERRORS,
    cause=ERRORS,
)
def test_what_is_exported_is_what_a_formatter_shows(
    message: object,
    args: tuple[object, ...],
    error: Error,
    cause: Error,
) -> None:
    """A body and a stack trace are what `logging.Formatter` shows of the same record."""
    if isinstance(message, str) and args:
        message = message.replace("%", "%%") + " %s"
    elif args:
        args = ()
    caught = raised(error, cause)
    with exporting() as taken:
        _, console = call(["%(message)s"], message, args, {"exc_info": caught})
    (made,) = taken
    stack = "" if caught is None else "\n" + str((made.attributes or {})["exception.stacktrace"])

    if str(made.body).endswith("\n"):
        stack = stack[1:]  # formatters add no second one

    assert str(made.body) + stack + "\n" == console


def test_what_cannot_be_shown_is_said_in_its_place() -> None:
    """A message has in place of an argument that raises what it raised; the others stay."""
    with exporting() as taken:
        app.warning("%s has %s", "Ann", Raising(lambda: RuntimeError("is not bound")))
        app.warning(Raising(lambda: RuntimeError("gone")))
        app.warning("x", extra={"one": Closed(), "two": {"a": Raising(Stop), "b": 1}})
    bodies = [made.body for made in taken]

    assert bodies == [
        "Ann has <Raising that cannot be shown: RuntimeError: is not bound>",
        "<Raising that cannot be shown: RuntimeError: gone>",
        "x",
    ]
    assert taken[2].attributes == {
        "one": "<Closed that cannot be shown: RuntimeError: closed>",
        "two.a": "<Raising that cannot be shown: Stop>",
        "two.b": 1,
    }


def test_objects_are_asked_where_the_call_is_made() -> None:
    """An object is asked on the thread that logs, once beside what its handlers ask."""
    asked: list[int] = []

    class Picky:
        def __str__(self) -> str:
            asked.append(threading.get_ident())
            return "text"

    with exporting():
        app.warning(Picky())
        app.warning("%s", Picky())
        app.warning("x", extra={"one": Picky()})

    assert asked == [threading.get_ident()] * 3


def test_an_exception_is_asked_for_its_text_once() -> None:
    """An exception's `__str__` is called once for message and stack trace together."""
    asked: list[int] = []

    class AskedError(Exception):
        def __str__(self) -> str:
            asked.append(1)
            return "text"

    with exporting() as taken:
        app.error("x", exc_info=AskedError())

    assert len(asked) == 1
    assert (taken[0].attributes or {})["exception.message"] == "text"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_a_signal_raises_is_not_swallowed(error: type[BaseException]) -> None:
    """`KeyboardInterrupt` and `SystemExit` that come while a record is taken go on."""
    with exporting(), pytest.raises(error):
        app.warning("x", extra={"one": Raising(error)})
    with exporting() as taken:  # and leave nothing behind
        app.warning("next")

    assert [made.body for made in taken] == ["next"]


class ErasedMapping(dict[str, int]):
    """Has items that nobody gets."""

    def items(self) -> Any:
        """Raise what ends generators."""
        raise GeneratorExit("items")


class CancelledNameError(NameError):
    """Has a message that is cancelled."""

    def __str__(self) -> str:
        """Raise what no `except Exception` catches."""
        raise asyncio.CancelledError("message")


def refuse(record: logging.LogRecord) -> bool:
    """Refuse to filter."""
    raise asyncio.CancelledError(record.name)


def test_what_only_we_ask_raises_nothing_at_all() -> None:
    """What filters of ours, extras and exceptions raise stays with us, whatever it derives from."""
    with exporting() as taken:
        app.info("extra", extra={"erased": ErasedMapping(one=1)})
        app.error("failed", exc_info=CancelledNameError("x"))
        try:
            LOG_FILTERS.set([refuse])
            app.info("filtered")
        finally:
            LOG_FILTERS.set([])

    assert [made.body for made in taken if made.logger == app.name][-1:] == ["failed"]
    assert "CancelledNameError" in str((taken[-1].attributes or {})["exception.type"])


def test_a_repr_that_logs_itself() -> None:
    """What an object's text logs is handled and exported as often as handlers ask the object."""
    console = io.StringIO()

    class Again:
        depth = 0

        def __repr__(self) -> str:
            if Again.depth < 3:
                Again.depth += 1
                app.warning("again %r", self)
                Again.depth -= 1
            return "end"

    with exporting(logging.StreamHandler(console)) as taken:
        app.warning("%r", Again())

    assert console.getvalue() == "again end\n" * 3 + "end\n"
    assert [made.body for made in taken] == ["again end"] * 3 + ["end"]


class Loading:
    """Logs what it does the first time that it is asked, and not again."""

    def __init__(self) -> None:
        self.text = ""

    def __str__(self) -> str:
        if not self.text:
            app.warning("loading")
            self.text = "loaded"
        return self.text


class Collected:
    """Is a cycle, and logs when it is collected."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        app.warning("not closed")


class Collecting:
    """Has cycles collected where it is asked."""

    def __str__(self) -> str:
        gc.collect()
        return "collected"


def made_of(first: Callable[[], object], argument: Callable[[], object]) -> tuple[object, object]:
    """Make two objects, the second for a log call."""
    first()
    return None, argument()


@pytest.mark.parametrize("handlers", [1, 2])
@pytest.mark.parametrize(
    ("before", "argument", "said"),
    [
        (object, Loading, ["loading", "x loaded"]),
        (Collected, Collecting, ["not closed", "x collected"]),
        (object, Chatting, ["asked", "x chat"]),
    ],
)
def test_what_is_logged_while_an_object_is_asked_is_not_lost(
    before: Callable[[], object], argument: Callable[[], object], said: list[str], handlers: int
) -> None:
    """What comes while we ask an object is handled there and then, and no oftener than without."""
    logging.root.setLevel(logging.INFO)
    consoles = []
    nothing: AbstractContextManager[list[LogSnapshot]] = nullcontext([])
    for with_us in (False, True):
        console = io.StringIO()
        streams = [logging.StreamHandler(console) for _ in range(handlers)]
        kept, logging.root.handlers[:] = logging.root.handlers[:], streams
        _, made = made_of(before, argument)
        with exporting(*streams) if with_us else nothing as taken:
            app.warning("x %s", made)
        logging.root.handlers[:] = kept
        consoles.append(console.getvalue())

    assert consoles[1] == consoles[0]
    bodies = [str(made.body) for made in taken]
    assert sorted(set(bodies)) == sorted(said)
    assert sorted(bodies * handlers) == sorted(consoles[0].splitlines())


def test_what_is_logged_where_no_handler_asks() -> None:
    """What an object logs that is asked for what is exported alone is not handled."""
    console = io.StringIO()
    with exporting(logging.StreamHandler(console)) as taken:
        app.warning("x", extra={"one": Chatting(), "two": Loading()})
        app.warning("next")

    assert console.getvalue() == "x\nnext\n"
    assert [made.body for made in taken] == ["x", "next"]


class FailingHandler(logging.Handler):
    """Does not take what a part of the app logs."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == "asked":
            raise LoudError("no")
        record.getMessage()


def test_what_fails_while_an_object_is_asked_fails_again() -> None:
    """Where a handler raises for what an object logs, the log call raises as it does without us."""
    app.setLevel(logging.INFO)  # what the object logs at, whatever tests before this one left
    try:
        with exporting(FailingHandler()), pytest.raises(LoudError):
            app.warning("%s", Chatting())
        with exporting(FailingHandler()) as taken:  # and leaves nothing behind
            app.warning("next")
    finally:
        app.setLevel(logging.NOTSET)

    assert [made.body for made in taken] == ["next"]


class Masked(logging.LogRecord):
    """Makes its message without what is secret."""

    def getMessage(self) -> str:  # noqa: N802  (its name)
        return super().getMessage().replace("4711", "****")


@pytest.mark.parametrize(
    "message", ["card 4711", {"card": 4711}, Raising(lambda: ValueError("4711"))]
)
def test_a_record_class_that_masks(message: object) -> None:
    """A record's own class makes the message; where it cannot, nothing else is taken for it."""
    factory = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Masked)
    try:
        with exporting() as taken:
            app.warning(message)
    finally:
        logging.setLogRecordFactory(factory)

    assert isinstance(taken[0].body, str)
    assert "4711" not in taken[0].body


def test_handlers_change_nothing_of_what_is_exported() -> None:
    """What a formatter paints on the record, or a handler replaces, is not exported."""

    class Painting(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            record.levelname = f"\033[33m{record.levelname}\033[0m"
            record.msg = f"\033[1m{record.msg}\033[0m"
            record.exc_text = "painted"
            return super().format(record)

    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(Painting())
    with exporting(handler) as taken:
        app.error("failed", exc_info=ValueError("x"))

    assert (taken[0].body, taken[0].level_name) == ("failed", "ERROR")
    assert (taken[0].attributes or {})["exception.stacktrace"] == "ValueError: x"


def test_text_that_a_formatter_has_made_of_an_exception() -> None:
    """An exception's text that a record brings along is what is exported, as formatters do."""
    made = logging.makeLogRecord(
        {"name": app.name, "levelno": 40, "levelname": "ERROR", "msg": "x", "exc_text": "from afar"}
    )
    with exporting() as taken:
        app.handle(made)

    assert taken[0].attributes == {"exception.stacktrace": "from afar"}


def test_fields_of_the_apps_own_are_exported() -> None:
    """What the app sets itself of the fields that records have for formats is an attribute."""
    with exporting() as taken:
        app.warning("x", extra={"function_name": "mine", "trace_id": 17})

    assert taken[0].attributes == {"function_name": "mine", "trace_id": 17}


def test_large_values_are_bounded() -> None:
    """Long texts, large and endless collections are taken in part, and integers as text."""
    with exporting() as taken:
        app.warning("a" * 100_000, extra={"one": list(range(5000)), "two": Endless()})
        app.warning("x", extra={"one": 1 << 70, "two": "b" * 100_000})
    first, second = (made.attributes or {} for made in taken)

    assert len(str(taken[0].body)) <= 32768
    assert isinstance(first["one"], list)
    assert len(first["one"]) <= 1001
    assert len(first) <= 1002
    assert second["one"] == str(1 << 70)
    assert len(str(second["two"])) <= 32768


def test_stacks_show_nothing_of_ours() -> None:
    """Neither `stack_info` nor who looks for the caller finds code of ours."""
    seen: list[str] = []

    class Intercepting(logging.Handler):
        """Looks for who has logged, as loguru's documentation has it (0.7)."""

        def emit(self, record: logging.LogRecord) -> None:
            frame, depth = sys._getframe(), 0
            while frame and (depth == 0 or frame.f_code.co_filename == logging.__file__):
                frame, depth = frame.f_back, depth + 1  # type: ignore[assignment]
            seen.append(frame.f_code.co_name)

    with exporting(Intercepting()) as taken:
        app.warning("x", stack_info=True)

    assert seen == ["test_stacks_show_nothing_of_ours"]
    assert "funcscope/telemetry" not in str(taken[0].attributes)


def test_stacks_show_no_measured_stage() -> None:
    """`stack_info` of what a measured function logs shows no code of any room of ours."""

    @timed("stage")
    def work() -> None:
        app.warning("x", stack_info=True)

    with exporting(logging.NullHandler()) as taken:
        work()

    stack = str((taken[0].attributes or {})["code.stacktrace"])
    assert "in work" in stack
    assert "funcscope/telemetry" not in stack
