"""Where a worker's log stream finds the invocation that a line belongs to."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator
    from contextvars import ContextVar


@dataclass(frozen=True, slots=True)
class InvocationIds:
    """
    One worker's places for the running invocation's id.

    Attributes:
        variable: The library workers' `invocation_id_cv` (`utils/executor.py`,
            azure-functions-runtime 1.3.0); None where a worker has none.
        thread_local: The storage behind `context.thread_local_storage`.
    """

    variable: ContextVar[str | None] | None
    thread_local: threading.local | None

    def current(self) -> str | None:
        """Return the id of the invocation that this thread or task runs."""
        found = self.variable.get() if self.variable is not None else None
        return found or getattr(self.thread_local, "invocation_id", None)

    @contextmanager
    def in_task(self, invocation_id: str) -> Generator[None]:
        """
        Put the id where the log stream of an async function looks for it.

        The workers do so themselves for sync functions and, on the native path alone, for
        async ones. The thread-local is left alone: all tasks share the loop's thread.
        """
        if self.variable is None or not invocation_id:
            yield
            return
        token = self.variable.set(invocation_id)
        try:
            yield
        finally:
            with suppress(ValueError):  # closed from another context, see `Entered`
                self.variable.reset(token)
