"""What is hooked in this process: data for people and for tools."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """
    One worker found in this process.

    Attributes:
        package: Its import package.
        version: Its version, `unknown` where it does not tell.
        problem: Why it is not hooked; None where it is.
        functions: The names of the functions that extensions run around, sorted.
    """

    package: str
    version: str
    problem: str | None
    functions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """
    The state of the hooks in this process.

    Attributes:
        workers: The workers found, by package; none outside a Functions worker.
    """

    workers: tuple[WorkerStatus, ...]

    @property
    def is_hooked(self) -> bool:
        """Whether extensions run around the functions of some worker."""
        return any(worker.problem is None for worker in self.workers)
