"""
Log records that an app's objects make while they are asked for their text.

Telemetry asks them before handlers do, and an object may log only the first time: one that loads
what it shows, as an ORM's does. So its record is handled there and then, and not once more where a
handler asks again. A record that comes meanwhile and is nobody's answer, of a finalizer or a
signal's handler, is handled as ever (docs/decisions/025).
"""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING

from funcscope.extensions.integration import reset_after_fork

if TYPE_CHECKING:
    import logging

    Call = tuple[logging.Logger, object, object, object]  # which code has logged, and how

_DEEPER = 2


class Asked:
    """
    Records that one thread's objects have logged.

    Attributes:
        depth: 1 while we ask for a record's text, 0 while its handlers do; more where what is
            logged is not handled: it would not be without us.
    """

    __slots__ = ("_handled", "_record", "_shown", "depth")

    def __init__(self) -> None:
        self.depth = 1
        self._record: logging.LogRecord | None = None
        self._handled = 0
        self._shown: list[Call] = []

    def lets_by(self, logger: logging.Logger, record: logging.LogRecord) -> bool:
        """Tell whether a record is to be handled."""
        if self.depth > 1:
            return False
        call = _call(logger, record)
        if self.depth or call not in self._shown:
            return True
        self._shown.remove(call)
        return False

    def begin_handlers(self, record: logging.LogRecord) -> None:
        """Note that handlers get a record."""
        if self.depth:
            self._handled += 1
        elif self._record is None:
            self._record = record

    def was_handled(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        """Note that they have had it, and none has raised."""
        if self.depth and self._handled == 1:
            self._shown.append(_call(logger, record))

    def end_handlers(self, record: logging.LogRecord) -> None:
        """Note that their turn is over."""
        if self.depth:
            self._handled -= 1
        elif self._record is record:
            ASKING.pop(get_ident(), None)

    def end(self) -> bool:
        """Come up by one, and tell whether that was all."""
        self.depth -= _DEEPER if self.depth > 1 else 1
        return not self.depth and not self._shown


ASKING: dict[int, Asked | None] = {}
"""The threads that ask objects for their text; None as long as these have logged nothing."""
reset_after_fork(ASKING.clear)


def lets_by(logger: logging.Logger, record: logging.LogRecord) -> bool:
    """Tell whether a record is to be handled, if this thread asks objects right now."""
    return get_ident() not in ASKING or _here().lets_by(logger, record)


def begin_asking() -> int:
    """
    Ask objects from now on, on this thread, which is returned.

    Begun again before it ends, it is for what no handler asks, or for what another record's objects
    have logged: what is logged then is not handled.
    """
    thread = get_ident()
    if thread in ASKING:
        _here().depth += _DEEPER
    else:
        ASKING[thread] = None
    return thread


def end_asking(thread: int) -> None:
    """Ask no more."""
    asked = ASKING.pop(thread, None)
    if asked is not None and not asked.end():
        ASKING[thread] = asked


def _here() -> Asked:
    thread = get_ident()
    asked = ASKING.get(thread)
    if asked is None:
        asked = ASKING[thread] = Asked()
    return asked


def _call(logger: logging.Logger, record: logging.LogRecord) -> Call:
    place = record.__dict__
    return logger, place.get("levelno"), place.get("pathname"), place.get("lineno")
