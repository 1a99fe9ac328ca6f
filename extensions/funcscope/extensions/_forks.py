"""What a forked child has done first: it takes over no lock and no wait of its parent's."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakMethod, ref

if TYPE_CHECKING:
    from collections.abc import Callable

_renewed: list[tuple[Callable[[], object | None], str]] = []
_calls: list[Callable[[], Callable[[], object] | None]] = []


def lock_of(owner: object, name: str = "_lock") -> threading.Lock:
    """
    Make a lock that is another one in a forked child, where nobody is left to release it.

    Args:
        owner: What has it as an attribute, which is looked up again each time that it is taken: an
            object that can be referred to weakly, or a module.
        name: The attribute's name.
    """
    _renewed.append((ref(owner, _forget), name))
    return threading.Lock()


def in_child(call: Callable[[], object]) -> None:
    """
    Have something called in each forked child, before it goes on; what it raises is passed over.

    Args:
        call: A function; or a bound method, whose object is kept by nothing here.
    """
    _calls.append(WeakMethod(call, _forget) if hasattr(call, "__self__") else lambda: call)


def _begin() -> None:
    for owner, name in _renewed:
        if (found := owner()) is not None:
            with suppress(Exception):
                setattr(found, name, threading.Lock())
    for look_up in _calls:
        if (call := look_up()) is not None:
            with suppress(Exception):
                call()


def _forget(gone: object) -> None:
    _renewed[:] = [pair for pair in _renewed if pair[0] is not gone]
    _calls[:] = [call for call in _calls if call is not gone]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin)
