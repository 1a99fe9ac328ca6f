"""Requests and traces, as the terminal shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from funcscope.contrib.host._traces.otlp import ReceivedLog, ReceivedSpan
from funcscope.telemetry.integration import INVOCATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_WEIGHT = 2_000  # of one trace; a loop may make spans without an end
_CHARACTERS = 4_096  # what weighs as much as a span does


@dataclass(frozen=True, slots=True)
class HostRequest:
    """
    A request for an invocation, as its trace shows it.

    Attributes:
        span_id: The span that stands for the request; the invocation's parent.
        title: Its name, such as `GET /api/hello`.
        result: Its result, such as `200`; None while it runs.
        problem: Why the host could not give the function's answer, `""` where it could.
        error: What the function raised, its type and message; `""` where it did not.
        function: The function's name.
        trigger: The type of its trigger, such as `queueTrigger`.
        parent_id: The caller's span, `""` where the trace starts here.
        trace_state: The W3C `tracestate`.
        is_sampled: Whether the trace is meant to be recorded.
        started_ns: When it came, in nanoseconds since 1970; 0 where that is not known.
        is_alone: Whether no other invocation ran when it came.
    """

    invocation_id: str
    trace_id: str
    span_id: str
    title: str
    result: str | None = None
    is_ok: bool = True
    duration_s: float = 0.0
    problem: str = ""
    error: str = ""
    function: str = ""
    trigger: str = ""
    parent_id: str = ""
    trace_state: str = ""
    is_sampled: bool = True
    started_ns: int = 0
    is_alone: bool = False

    @property
    def has_span(self) -> bool:
        """Whether its invocation becomes a span; an orchestrator's, which is a replay, does not."""
        return self.trigger.lower() != "orchestrationtrigger"


Observer: TypeAlias = "Callable[[HostRequest], object]"
"""Called with a request when its invocation starts, and with its result when that has ended."""


@dataclass(slots=True)
class Trace:
    """
    The parts of one trace, and of those that its functions started instead of joining it.

    Attributes:
        seen: The ids of the invocations whose own span is here, or that were shown before.
        is_crowded: Whether another trace's requests ran at the same time.
        is_late: Whether its requests were shown before, and this came afterwards.
        left_out: How many spans and log records it had beyond what is kept.
        weight: What is kept, in spans of a usual size.
    """

    trace_id: str
    requests: dict[str, HostRequest] = field(default_factory=dict[str, HostRequest])
    spans: list[ReceivedSpan] = field(default_factory=list[ReceivedSpan])
    logs: list[ReceivedLog] = field(default_factory=list[ReceivedLog])
    changed_at: float = 0.0
    seen: set[str] = field(default_factory=set[str])
    is_crowded: bool = False
    is_late: bool = False
    left_out: int = 0
    weight: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether there are requests, and each one's own span came if there is to be one."""
        awaited = {key for key, request in self.requests.items() if request.has_span}
        return bool(self.requests) and awaited <= self.seen

    @property
    def is_running(self) -> bool:
        """Whether one of its requests runs."""
        return any(request.result is None for request in self.requests.values())

    @property
    def is_failed(self) -> bool:
        """Whether a request or a span of it failed."""
        requests = self.requests.values()
        if any(r.result is not None and not r.is_ok for r in requests):
            return True
        return any(span.status == "ERROR" for span in self.spans)

    @property
    def duration_s(self) -> float:
        """How long its longest request took."""
        return max((request.duration_s for request in self.requests.values()), default=0.0)

    def add(self, item: ReceivedSpan | ReceivedLog) -> int:
        """Keep a span or log record if it has room, and return what it weighs."""
        weight = _weight(item)
        if self.weight + weight > _MAX_WEIGHT and not self._is_own(item):
            self.left_out += 1
            return 0
        self.weight += weight
        if isinstance(item, ReceivedLog):
            self.logs.append(item)
        else:
            self.spans.append(item)
        return weight

    def _is_own(self, item: ReceivedSpan | ReceivedLog) -> bool:
        """Tell whether an item is an invocation's span, which comes last and holds the others."""
        return isinstance(item, ReceivedSpan) and any(
            item.parent_id == request.span_id for request in self.requests.values()
        )


def invocation_id(item: ReceivedSpan | ReceivedLog) -> str:
    """Return the id of the invocation that a span or log record names, `""` for none."""
    return str(item.attributes.get(INVOCATION_ID, ""))


def own_span(request: HostRequest, trace: Trace) -> ReceivedSpan | None:
    """Return the span of a request's invocation, None where it did not come."""
    spans = (span for span in trace.spans if invocation_id(span) == request.invocation_id)
    return next((span for span in spans if "faas.name" in span.attributes), None)


def _weight(item: ReceivedSpan | ReceivedLog) -> int:
    """Weigh an item by its longest texts: what it takes of memory, in spans of a usual size."""
    texts = [value for value in item.attributes.values() if isinstance(value, str)]
    if isinstance(item, ReceivedLog):
        texts.append(str(item.body))
    return 1 + sum(map(len, texts)) // _CHARACTERS
