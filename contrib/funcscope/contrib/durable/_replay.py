"""Replays: an orchestrator goes through its past again at each step."""

from __future__ import annotations

import logging
import sys
import weakref
from typing import TYPE_CHECKING, Protocol, cast

from funcscope.extensions import current_invocation
from funcscope.telemetry.integration import suppress_export_while

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from funcscope.extensions import Invocation

_CONTEXT, _EPISODE, _DROPPED = object(), object(), object()
_DRIVER = "azure.durable_functions.orchestrator"


class Orchestration(Protocol):
    """`DurableOrchestrationContext`, or durabletask's own, as far as we read it."""

    @property
    def instance_id(self) -> str:
        """The orchestration's instance id."""
        ...

    @property
    def is_replaying(self) -> bool:
        """Whether the code that runs has run in an earlier episode."""
        ...

    @property
    def will_continue_as_new(self) -> bool:
        """Whether the orchestration begins anew after this episode."""
        ...


def is_replaying() -> bool:
    """
    Tell whether the code that runs now belongs to an orchestrator that replays.

    False outside orchestrators, where nothing replays. It is `context.is_replaying` for code that
    has no context at hand, such as a logging filter.
    """
    invocation = current_invocation()
    context = None if invocation is None else invocation.state.get(_CONTEXT)
    return context is not None and bool(cast("Orchestration", context).is_replaying)


class ReplayFilter(logging.Filter):
    """
    Keeps what did not happen now from a handler: what an orchestrator logs while it replays.

    Also what its `finally:` logs at the end of an episode in which it goes on waiting. What
    funcscope exports is without both anyway. This is for handlers of others, such as the one
    that sends to the host or Azure Monitor's: `handler.addFilter(ReplayFilter())`.
    """

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002  (which one, does not matter)
        """Let a record through unless it is made in a replay."""
        return not _is_unreal()


def follow(invocation: Invocation, context: Orchestration) -> None:
    """Export nothing of an invocation while its orchestrator replays, or is dropped."""
    invocation.state[_CONTEXT] = context
    suppress_export_while(invocation, _is_unreal)


def followed(invocation: Invocation) -> object:
    """Return the context of an invocation's orchestration; None where it has none."""
    return invocation.state.get(_CONTEXT)


def drop(invocation: Invocation, let_go: Callable[[], object]) -> None:
    """Let go of an orchestrator that waits; what it records as it is closed did not happen."""
    invocation.state[_DROPPED] = True
    try:
        let_go()
    finally:
        del invocation.state[_DROPPED]


class _Episode:
    """
    An orchestrator's generator in one episode.

    At the end of an episode in which it waits, the SDK drops it: Python closes it, and each
    `finally:` around what it waits for runs, in every episode.

    Args:
        generator: What the SDK drives; it is not kept.
    """

    __slots__ = ("_ref",)

    def __init__(self, generator: object) -> None:
        self._ref = weakref.ref(generator)

    def is_dropped(self) -> bool:
        """
        Tell whether the code that runs is what is left of a generator that was dropped.

        No weak reference finds it then, and it runs within what drove it; what a user's own code
        does after that, around the SDK's, does not.
        """
        if self._ref() is not None:
            return False
        frame: FrameType | None = sys._getframe()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        while frame is not None and frame.f_globals.get("__name__") != _DRIVER:
            frame = frame.f_back
        return frame is not None


def watch(generator: object) -> None:
    """Know the generator of the invocation that runs, which the SDK is about to drive."""
    invocation = current_invocation()
    if invocation is not None:
        invocation.state[_EPISODE] = _Episode(generator)


def _is_unreal() -> bool:
    """Tell whether the code that runs is an orchestrator's past, or its being dropped."""
    if is_replaying():
        return True
    invocation = current_invocation()
    if invocation is None or _EPISODE not in invocation.state:
        return invocation is not None and _DROPPED in invocation.state
    # The generator of an orchestration that continues as new is dropped for good.
    context = cast("Orchestration", invocation.state[_CONTEXT])
    if context.will_continue_as_new:
        return False
    return cast("_Episode", invocation.state[_EPISODE]).is_dropped()
