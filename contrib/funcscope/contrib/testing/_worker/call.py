"""One call, as a host asks a worker for it, and its result."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class HostCall:
    """
    A host's request for an invocation.

    Attributes:
        invocation_id: A GUID.
        trace_parent: The W3C `traceparent` of the host's request; empty where it sends none.
        trace_state: The W3C `tracestate`.
        retry_count: How often the host has retried it.
        max_retry_count: How often it would.
    """

    invocation_id: str
    trace_parent: str
    trace_state: str = ""
    retry_count: int = 0
    max_retry_count: int = 0

    @property
    def trace_context(self) -> SimpleNamespace:
        """The `trace_context` of the `context` argument."""
        return SimpleNamespace(
            trace_parent=self.trace_parent, trace_state=self.trace_state, attributes={}
        )

    @property
    def retry_context(self) -> SimpleNamespace:
        """The `retry_context` of the `context` argument."""
        return SimpleNamespace(
            retry_count=self.retry_count, max_retry_count=self.max_retry_count, exception=None
        )


@dataclass(frozen=True, slots=True)
class CallResult:
    """A function's result or error, with the values of its output bindings."""

    value: object = None
    error: BaseException | None = None
    outputs: Mapping[str, object] = field(default_factory=dict[str, object])
