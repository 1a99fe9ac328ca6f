"""Whether what runs now is an orchestrator's past, which it goes through again at each step."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol, cast

from funcscope.extensions import current_invocation
from funcscope.telemetry._notes import mute_logs_while

if TYPE_CHECKING:
    from funcscope.extensions import Invocation

_CONTEXT = object()


class Orchestration(Protocol):
    """`DurableOrchestrationContext`, as far as we read it."""

    @property
    def instance_id(self) -> str:
        """The orchestration's instance id."""
        ...

    @property
    def is_replaying(self) -> bool:
        """Whether the code that runs has run in an earlier episode."""
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
    Keeps what an orchestrator logs while it replays from a handler.

    What funcscope exports is without it anyway. This is for handlers of others, such as the one
    that sends to the host or Azure Monitor's: `handler.addFilter(ReplayFilter())`.
    """

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002  (which one, does not matter)
        """Let a record through unless it is made in a replay."""
        return not is_replaying()


def follow(invocation: Invocation, context: Orchestration) -> None:
    """Export no log record of an invocation while its orchestrator replays."""
    invocation.state[_CONTEXT] = context
    mute_logs_while(invocation, is_replaying)
