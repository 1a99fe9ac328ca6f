"""What an integration notes on a running invocation, for whoever records it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from funcscope.extensions.integration import look_up_invocation, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from funcscope.extensions import Invocation

MUTED = object()
"""The key of an invocation's state that says when nothing of it is exported."""
FAILURES = object()
"""The key of an invocation's state under which failures are noted."""
ANSWER = object()
"""The same for the status of an answer."""


def mute_logs_while(invocation: Invocation, is_muted: Callable[[], bool]) -> None:
    """
    Export nothing of an invocation that is recorded while something holds.

    Log records that are made, spans that end, and stages that are measured.

    Args:
        invocation: The running one.
        is_muted: Tells whether it holds; asked on the thread that records, each time.
    """
    invocation.state[MUTED] = is_muted


def are_logs_muted() -> bool:
    """Tell whether what is recorded now, a log or a span, is not to be exported."""
    invocation = look_up_invocation()
    if invocation is None or MUTED not in invocation.state:
        return False
    # A thread may outlive it, and goes on recording.
    return runs(invocation.id) and cast("Callable[[], bool]", invocation.state[MUTED])()


def note_failure(invocation: Invocation, error: BaseException) -> None:
    """Note what failed in an invocation whose function returns nevertheless."""
    cast("list[BaseException]", invocation.state.setdefault(FAILURES, [])).append(error)


def noted_failures(invocation: Invocation) -> Sequence[BaseException]:
    """Return what was noted, in order."""
    return cast("Sequence[BaseException]", invocation.state.get(FAILURES, ()))


def note_answer(invocation: Invocation, status: int) -> None:
    """Note the status that a function answers with by raising what holds the response's body."""
    invocation.state[ANSWER] = status
