"""Errors of extensions: what this package raises, and the log line that names who is at fault."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_logger = logging.getLogger("funcscope.extensions")


class ExtensionError(Exception):
    """An extension, or a use of one, is wrong; the message says which and what to do."""


class Reject(Exception):  # noqa: N818  (what a guard does, not something that went wrong)
    """
    Raised by an extension before the function runs: the function is not called.

    Extensions further out see it at their yield, as they see an exception; post hooks do not
    run. Raised after the function ran it is a fault like any other.

    Args:
        response: What the worker gets in place of the function's result.
    """

    def __init__(self, response: object = None) -> None:
        super().__init__("the invocation was rejected")
        self.response = response


INTERRUPTS = (KeyboardInterrupt, SystemExit)
"""The exceptions of signals, raised in any code: no extension's fault (docs/decisions/031)."""

_OWN = ("funcscope.extensions.", "funcscope.telemetry.")
_TRACEBACK = vars(BaseException)["__traceback__"]  # an exception's class may define its own


def leave_out_own_frames(error: BaseException) -> None:
    """
    Have a traceback begin below the frames of this library, as hosts show it whole.

    For who raises the exception again, with a bare `raise`, which adds no frame. Nothing else of
    the exception changes. Python 3.10 raises again with the traceback as it was.
    """
    frames = _TRACEBACK.__get__(error)
    while frames and str(frames.tb_frame.f_globals.get("__name__")).startswith(_OWN):
        frames = frames.tb_next
    _TRACEBACK.__set__(error, frames)


class Faults:
    """
    Reports the faults of one function's extensions, each once.

    An extension that fails does so in every invocation: one line names it, with its
    traceback, and `count` tells how often it happened.
    """

    def __init__(self, function_name: str) -> None:
        self._function_name = function_name
        self._counts: dict[tuple[str, str], int] = {}

    @property
    def count(self) -> int:
        """How many faults there were, those that were not logged included."""
        return sum(self._counts.values())

    def report(self, extension: str, fault: str, error: BaseException | None = None) -> None:
        """
        Log a fault of an extension, unless this function's log has it already.

        Args:
            extension: The extension's name and position.
            fault: What it did, from the verb on: `failed in pre_invocation`.
            error: What it raised, if it did.
        """
        key = (extension, fault)
        self._counts[key] = 1 + self._counts.get(key, 0)
        if self._counts[key] > 1:
            return
        log_quietly(
            _logger,
            logging.ERROR,
            "extension %s %s for function %s; what the function gives is not affected, "
            "and this is not said again for this function",
            extension,
            fault,
            self._function_name,
            error=error,
        )


def log_quietly(
    logger: logging.Logger,
    level: int,
    message: str,
    *args: object,
    error: BaseException | None = None,
    stacklevel: int = 2,
) -> None:
    """
    Log where nothing may be raised: a log handler or filter of the app's may be anything.

    Args:
        logger: The logger.
        level: The record's level.
        message: The text, with `%s` for each of `args`.
        args: Texts, or objects that become one.
        error: The exception to show the traceback of.
        stacklevel: Whose place the record has: as of `logging`, counted from here.
    """
    try:
        # Not the error itself, which `logging` asks for its truth.
        shown = None if error is None else (type(error), error, error.__traceback__)
        logger.log(level, message, *args, exc_info=shown, stacklevel=stacklevel)
    except INTERRUPTS:
        raise
    except BaseException:  # noqa: BLE001, S110  (there is nowhere left to log)
        pass


def guarded(
    call: Callable[[], object], logger: logging.Logger, message: str, *args: object
) -> None:
    """Make a call that must not fail its caller: what it raises is logged."""
    try:
        call()
    except INTERRUPTS:
        raise
    except BaseException as error:  # noqa: BLE001  (whatever it is, it is not the caller's)
        log_quietly(logger, logging.ERROR, message, *args, error=error)


def run_all(*calls: Callable[[], object]) -> None:
    """
    Call each, whatever those before it raise, and raise the first of these then.

    An interrupt comes before all others.
    """
    first: BaseException | None = None
    for call in calls:
        try:
            call()
        except BaseException as error:  # noqa: BLE001  (raised below)
            first = first_of(first, error)
    if first is not None:
        raise first


def first_of(first: BaseException | None, error: BaseException) -> BaseException:
    """Return which of two errors is to be raised: the first, unless the second is an interrupt."""
    is_interrupt = issubclass(type(error), INTERRUPTS)
    return error if first is None or is_interrupt else first


def look(thing: object, name: str, default: object = None) -> object:
    """Return an attribute of anything; the default where there is none, or asking for it raises."""
    try:
        return getattr(thing, name, default)
    except INTERRUPTS:
        raise
    except BaseException:  # noqa: BLE001  (a `__getattr__` or property of the app's)
        return default


def named(extension: str, function: Callable[..., object]) -> str:
    """Return an extension's name with the file and line of one of its functions."""
    try:
        code = getattr(inspect.unwrap(getattr(function, "__func__", function)), "__code__", None)
        where = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
    except INTERRUPTS:
        raise
    except BaseException:  # noqa: BLE001  (a callable of the app's may be anything)
        where = ""
    return extension + where


def qualified_name(function: Callable[..., object]) -> str:
    """
    Return `module.qualname` of a function, as far as it has them.

    Of an orchestrator or entity, its own: azure-functions-durable names it by an attribute of the
    handle that it makes (1.7 and 2.0.0rc3).
    """
    own = look(function, "orchestrator_function", look(function, "entity_function", function))
    name, module = look(own, "__qualname__"), look(own, "__module__")
    name = name if isinstance(name, str) and name else type(own).__qualname__
    return f"{module}.{name}" if isinstance(module, str) and module else name
