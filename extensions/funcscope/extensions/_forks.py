"""Forked children: first of all they get locks of their own, and are reset."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from types import MethodType
from typing import TYPE_CHECKING
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

_renewed: list[tuple[Callable[[], object | None], str, Callable[[], object]]] = []
_calls: list[tuple[Callable[[], object | None] | None, Callable[..., object]]] = []
_held: set[int] = set()


class _Mask(threading.local):
    """The signals that a thread had blocked before it forked."""

    before: set[int | signal.Signals] | None = None


_mask = _Mask()


def lock_of(
    owner: object,
    name: str = "_lock",
    make: Callable[[], AbstractContextManager[bool]] = threading.Lock,
) -> AbstractContextManager[bool]:
    """
    Make a lock, and another one in a forked child, where nobody is left to release the first.

    Args:
        owner: An object that can be referred to weakly, or a module, which has it as an attribute
            and looks that up each time that it is taken.
        name: The attribute's name.
        make: Makes one.
    """
    _renewed.append((ref(owner, _forget), name, make))
    return make()


def reset_after_fork(call: Callable[[], object], *, before: Iterable[int] = ()) -> None:
    """
    Call a function in each forked child, before that goes on; what it raises is passed over.

    The one that was given last is called first, so that layers come off from the outermost.

    Args:
        call: A function; or a bound method, whose object is not kept alive.
        before: Signals that reach the child after that alone, as they would be lost otherwise: one
            that comes while a process forks is forgotten by Python, where a handler is set for it.
    """
    _held.update(before)
    # No `WeakMethod`, which complains where it goes at the interpreter's end (`weakref.py`, 3.13).
    if isinstance(call, MethodType) and not isinstance(call.__self__, type):
        _calls.append((ref(call.__self__, _forget), call.__func__))
    else:
        _calls.append((None, call))


def _hold() -> None:
    if _held:
        _mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, _held)


def _let_go() -> None:
    before, _mask.before = _mask.before, None
    if before is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    try:
        _renew()
    finally:
        _let_go()


def _renew() -> None:
    for owner, name, make in _renewed:
        if (living := owner()) is not None:
            with suppress(Exception):
                setattr(living, name, make())
    for owner, call in reversed(_calls):
        with suppress(Exception):
            if owner is None:
                call()
            elif (living := owner()) is not None:
                call(living)


def _forget(gone: object) -> None:
    _renewed[:] = [lock for lock in _renewed if lock[0] is not gone]
    _calls[:] = [call for call in _calls if call[0] is not gone]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_begin)
