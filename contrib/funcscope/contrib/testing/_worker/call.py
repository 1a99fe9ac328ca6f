"""One call, as a host asks a worker for it, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Call:
    """
    What the host says of an invocation.

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


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker has of a call: a result or an error."""

    value: object = None
    error: BaseException | None = None
    outputs: Mapping[str, object] = field(default_factory=dict[str, object])
