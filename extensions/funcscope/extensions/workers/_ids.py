"""Where a worker's log stream finds the invocation that a line belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from contextvars import ContextVar, Token


@dataclass(frozen=True, slots=True)
class InvocationIds:
    """
    One worker's places for the running invocation's id.

    Attributes:
        thread_local: The storage behind `context.thread_local_storage`.
        variable: The library workers' `invocation_id_cv` (`utils/executor.py`,
            azure-functions-runtime 1.3.0); None where a worker has none.
        of_task: The classic worker's look-up, which asks the running task before the thread
            (`dispatcher.get_current_invocation_id`, worker 4.34); None where there is none.
    """

    thread_local: threading.local | None
    variable: ContextVar[str | None] | None = None
    of_task: Callable[[], str | None] | None = None

    def current(self) -> str | None:
        """Return the id of the invocation that this thread or task runs."""
        for look in (self.of_task, self.variable and self.variable.get):
            if look is not None and (found := look()):
                return found
        return getattr(self.thread_local, "invocation_id", None)

    def enter_task(self, invocation_id: str) -> Token[str | None] | None:
        """
        Put the id where the log stream of an async function looks for it.

        The workers do so themselves for sync functions; for async ones classic does, and the
        library workers on their native path alone. The thread-local is left alone: all tasks
        share the loop's thread.

        Returns:
            What `leave_task` takes.
        """
        if self.variable is None or not invocation_id:
            return None
        return self.variable.set(invocation_id)

    def leave_task(self, token: Token[str | None] | None) -> None:
        """Put back what was there before `enter_task`."""
        if self.variable is not None and token is not None:
            try:
                self.variable.reset(token)
            except ValueError:
                return  # closed from another context, as `leave` says
