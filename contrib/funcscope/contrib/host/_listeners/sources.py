"""Which listeners an app needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from funcscope.contrib.host._listeners.listener import Listener, RunningApp

    _Maker: TypeAlias = Callable[[RunningApp], Iterable[Listener]]

_MAKERS: tuple[_Maker, ...] = ()
"""Each makes the listeners of one kind of trigger."""


def make_listeners(running: RunningApp) -> list[Listener]:
    """Make all listeners of an app; those that cannot be made are named on its console."""
    return [listener for make in _MAKERS for listener in make(running)]
