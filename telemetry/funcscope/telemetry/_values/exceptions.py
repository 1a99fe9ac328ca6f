"""
Exceptions as text: made once, when they are raised, and no larger than a limit.

`traceback` shows them as Python does (CPython 3.10 to 3.14). What that takes depends on how many
exceptions, frames and characters there are, so these are bounded before it begins.
"""

from __future__ import annotations

import builtins
from traceback import StackSummary, TracebackException, format_tb
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from funcscope.extensions.integration import INTERRUPTS
from funcscope.telemetry._values.limits import MAX_TEXT_LENGTH, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import FrameType, TracebackType

MOST_FRAMES = 1000
"""Python's usual limit of calls; of a deeper stack the innermost are shown."""
MOST_EXCEPTIONS = 100
"""In a chain or group; of one with more the outermost alone is shown."""
_MOST_NOTES = 100
_LONGEST_NAME = 1000
_FRAME = "  File "
_NOTE_LENGTH = 32
_ALONE = "[with more exceptions than are shown]\n"
_GROUP: type | tuple[()] = getattr(builtins, "BaseExceptionGroup", ())  # from Python 3.11 on
# To the messages of these `traceback` adds what was meant (CPython 3.12 to 3.14).
_SUGGESTED = (NameError, AttributeError, ImportError)


class ExceptionText(NamedTuple):
    """
    An exception, as an `exception` event has it: semantic conventions 1.44.

    Attributes:
        kind: Its class, as `error.type` has it.
        message: What it says; empty where it cannot say it.
        stack: It with all that led to it, as Python shows it.
    """

    kind: str
    message: str
    stack: str

    @property
    def summary(self) -> str:
        """The kind, and the message if there is one."""
        return f"{self.kind}: {self.message}" if self.message else self.kind

    def attributes(self) -> dict[str, str]:
        """Return what an `exception` event says."""
        return {
            "exception.type": self.kind,
            "exception.message": self.message,
            "exception.stacktrace": self.stack,
        }


def exception_text(
    error: BaseException, frames: TracebackType | None, limit: int = MAX_TEXT_LENGTH
) -> ExceptionText:
    """
    Turn an exception into text; nothing of it is kept.

    Args:
        error: The exception; it is asked for its message once, unless that fails.
        frames: Its traceback, or a part of it.
        limit: The most characters of message and stack, each.
    """
    kind, frames = type_name(error), _innermost(frames)
    if _is_small_enough(error):
        try:
            formatted = TracebackException(type(error), error, frames, compact=True)
            message = str(error) if isinstance(error, _SUGGESTED) else str(formatted)
            _cut(formatted, limit)
            return ExceptionText(kind, shorten(message, limit), _joined(formatted.format(), limit))
        except INTERRUPTS:
            raise
        except BaseException:  # noqa: BLE001, S110  (a user's exception)
            pass
    return _alone(kind, error, frames, limit)


def stack_text(frames: Sequence[FrameType], limit: int = MAX_TEXT_LENGTH) -> str:
    """Show frames, the outermost first, as `logging` shows a stack."""
    shown = StackSummary.extract((frame, frame.f_lineno) for frame in frames[-MOST_FRAMES:])
    return _joined(["Stack (most recent call last):\n", *shown.format()], limit).rstrip("\n")


def message_of(error: BaseException, limit: int = MAX_TEXT_LENGTH) -> str:
    """Return what an exception says, as a plain string; nothing where that raises."""
    try:
        return shorten("".join((str(error),)), limit)  # without what a subclass adds
    except INTERRUPTS:
        raise
    except BaseException:  # noqa: BLE001  (a user's `__str__`)
        return ""


def type_name(error: BaseException) -> str:
    """Return an exception's class as `error.type` has it: with its module, if not built in."""
    kind = type(error)
    try:
        builtin = kind.__module__ in ("builtins", "exceptions")
        name = kind.__qualname__ if builtin else f"{kind.__module__}.{kind.__qualname__}"
        return name if len(name) <= _LONGEST_NAME else shorten(name, _LONGEST_NAME)
    except Exception:  # noqa: BLE001  (a user's metaclass)
        return "Exception"


def _alone(
    kind: str, error: BaseException, frames: TracebackType | None, limit: int
) -> ExceptionText:
    """Show an exception without those that led to it, or that it is a group of."""
    message = message_of(error, limit)
    try:
        lines = ["Traceback (most recent call last):\n", *format_tb(frames)] if frames else []
        lines.append(f"{kind}: {message}\n" if message else f"{kind}\n")
        return ExceptionText(kind, message, _joined([*lines, _ALONE], limit))
    except Exception:  # noqa: BLE001  (a user's source lines)
        return ExceptionText(kind, message, shorten(f"{kind}: {message}", limit))


def _is_small_enough(error: BaseException) -> bool:
    """Tell whether `traceback` has few enough exceptions and frames to look at."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    frames = 0
    try:
        while waiting:
            each = waiting.pop()
            if each is None or id(each) in seen:
                continue
            seen.add(id(each))
            frames += _depth(each.__traceback__, MOST_FRAMES)
            members: Sequence[BaseException] = ()
            if isinstance(each, _GROUP):
                members = cast("Any", each).exceptions
            count = len(seen) + len(waiting) + len(members)
            if count > MOST_EXCEPTIONS or frames > 2 * MOST_FRAMES:
                return False
            waiting += (each.__cause__, each.__context__, *members)
    except Exception:  # noqa: BLE001  (a user's properties)
        return False
    return True


def _depth(frames: TracebackType | None, most: int | None = None) -> int:
    depth = 0
    while frames is not None and (most is None or depth <= most):
        depth, frames = depth + 1, frames.tb_next
    return depth


def _innermost(frames: TracebackType | None) -> TracebackType | None:
    """Skip the outermost frames where there are too many."""
    for _ in range(_depth(frames) - MOST_FRAMES):
        frames = frames.tb_next if frames is not None else None
    return frames


def _cut(formatted: TracebackException, limit: int) -> None:
    """Cut what `traceback` has found of each exception, before it is put together."""
    waiting: list[Any] = [formatted]  # its messages have no public setter
    while waiting:
        each = waiting.pop()
        if each is None:
            continue
        each._str = shorten(each._str, limit)  # noqa: SLF001
        notes = getattr(each, "__notes__", None)
        if isinstance(notes, (list, tuple)):
            known = cast("Sequence[object]", notes)[:_MOST_NOTES]
            each.__notes__ = [shorten(n, limit) if isinstance(n, str) else n for n in known]
        if len(getattr(each, "text", None) or "") > limit:  # a syntax error's line
            each.text = None
        for name in ("offset", "end_offset"):
            if abs(getattr(each, name, None) or 0) > limit:
                each.offset = each.end_offset = None
        waiting += (each.__cause__, each.__context__, *(getattr(each, "exceptions", None) or ()))


def _joined(parts: Iterable[str], limit: int) -> str:
    """
    Join the parts of a stack, without frames from its middle where it is too long.

    A frame shows code, where a message may have a secret in one line that is named in another: so
    frames go whole, and of the rest the head is kept.
    """
    pieces = list(parts)
    excess = sum(map(len, pieces)) - limit
    if excess > 0:
        frames = [place for place, part in enumerate(pieces) if part.startswith(_FRAME)]
        room = sum(len(pieces[place]) for place in frames) - excess - _NOTE_LENGTH
        outermost = _that_fit(frames, pieces, room // 4)  # they tell where it began
        innermost = _that_fit(frames[outermost:][::-1], pieces, room - room // 4)
        left_out = frames[outermost : len(frames) - innermost]
        for place in left_out:
            pieces[place] = ""
        if left_out:
            pieces[left_out[0]] = f"  [{len(left_out)} frames left out]\n"
    return shorten("".join(pieces), limit)


def _that_fit(frames: Sequence[int], parts: Sequence[str], room: int) -> int:
    """Return how many of these frames there is room for."""
    for count, place in enumerate(frames):
        room -= len(parts[place])
        if room < 0:
            return count
    return len(frames)
