"""The rows of the live list: one for each invocation, or for a trace that has none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from funcscope.contrib.host._view.records import plain
from funcscope.telemetry.integration import INVOCATION_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from funcscope.contrib.host._traces.otlp import ReceivedLog, ReceivedSpan
    from funcscope.contrib.host._traces.traces import HostRequest

STATUSES = ("running", "ok", "error", "unfinished")
"""Of rows; `unfinished` is one whose end has not come, and maybe never will."""

ROW_SIZE = 1_000  # roughly the bytes of memory that a row takes

_ERROR = 17  # severity number of the OpenTelemetry log data model
_MAX_WORD = 300  # characters of a name or an error


_INVOCATION_IDS = (INVOCATION_ID, "faas.invocation_id", "faas.invocation.id")


def named_invocation(attributes: Mapping[str, object]) -> str:
    """Return the invocation's id that attributes name, `""` for none."""
    return str(next(filter(None, (attributes.get(name) for name in _INVOCATION_IDS)), ""))


@dataclass(frozen=True, slots=True)
class SpanFacts:
    """
    What a row tells of its span.

    Attributes:
        is_unfinished: Whether it was sent before it has ended.
    """

    span_id: str
    is_root: bool
    name: str
    function: str
    trigger: str
    start_ns: int
    duration_us: float
    is_failed: bool
    is_unfinished: bool
    is_cold: bool
    result: str
    error: str

    @property
    def rank(self) -> tuple[bool, int]:
        """Order spans: one without a parent is further out, then one that started earlier."""
        return not self.is_root, self.start_ns


def read_facts(span: ReceivedSpan) -> SpanFacts:
    """Read what a row tells of a span; names are of the semantic conventions, or funcscope's."""
    named = span.attributes
    trigger = _word(named.get("azure.functions.trigger_type")).removesuffix("Trigger")
    is_failed = span.status == "ERROR"
    return SpanFacts(
        span_id=span.span_id,
        is_root=not span.parent_id,
        name=_word(span.name),
        function=_word(named.get("faas.name") or span.resource.get("service.name")),
        trigger=trigger or _word(named.get("faas.trigger") or span.kind.lower()),
        start_ns=span.start_ns,
        duration_us=max(0, span.end_ns - span.start_ns) / 1000,
        is_failed=is_failed,
        is_unfinished=named.get("funcscope.is_unfinished") is True,
        is_cold=named.get("faas.coldstart") is True,
        result=_word(named.get("http.response.status_code")),
        error=_word(_error(span)) if is_failed else "",
    )


@dataclass(frozen=True, slots=True)
class InvocationRow:
    """
    What the list shows of an invocation, told by its request, its span or both.

    One that changes is another object, so that a list of rows may be read without a lock.

    Attributes:
        id: The invocation's id; the trace's for a trace without invocations.
        started_at_ns: When the request came, by this machine's clock; 0 without one.
        logged_at_ns: When it first logged, 0 for never.
        error_logs: How many of its log records are errors.
    """

    id: str
    trace_id: str
    started_at_ns: int = 0
    request: HostRequest | None = None
    span: SpanFacts | None = None
    logged_at_ns: int = 0
    error_logs: int = 0

    def with_request(self, request: HostRequest, now_ns: int) -> InvocationRow:
        """Return it with what the host says of its request."""
        return replace(self, request=request, started_at_ns=self.started_at_ns or now_ns)

    def with_span(self, span: ReceivedSpan) -> InvocationRow:
        """Return it with a span, if that is further out, or newer, than the one so far."""
        facts, own = read_facts(span), self.span
        if own is None or own.span_id == facts.span_id or facts.rank < own.rank:
            return replace(self, span=facts)
        return self

    def with_log(self, log: ReceivedLog) -> InvocationRow:
        """Return it with a log record: the first tells of its start where nothing else does."""
        return replace(
            self,
            logged_at_ns=self.logged_at_ns or log.time_ns,
            error_logs=self.error_logs + (log.severity_number >= _ERROR),
        )

    def has(self, text: bytes) -> bool:
        """Tell whether a text in lower case stands in what the list shows of it."""
        words = (self.id, self.trace_id, self.function, self.title, self.error)
        return text in "\n".join(words).lower().encode()

    @property
    def function(self) -> str:
        """The function's name; a service's where spans name no function."""
        named = "" if self.request is None else self.request.function
        return named or ("" if self.span is None else self.span.function)

    @property
    def trigger(self) -> str:
        """What it was triggered by: `http`, `queue`, …; the span's kind where nothing tells."""
        named = "" if self.request is None else self.request.trigger
        return named.removesuffix("Trigger") or ("" if self.span is None else self.span.trigger)

    @property
    def title(self) -> str:
        """The request's name, else the span's."""
        if self.request is not None:
            return _word(self.request.title)
        return "" if self.span is None else self.span.name

    @property
    def error(self) -> str:
        """What its span failed with, `""` for nothing."""
        return "" if self.span is None else self.span.error

    @property
    def status(self) -> str:
        """One of `STATUSES`."""
        request, span = self.request, self.span
        if request is not None and request.result is None:
            return "running"
        if (request is not None and not request.is_ok) or (span is not None and span.is_failed):
            return "error"
        is_over = request is not None or (span is not None and not span.is_unfinished)
        return "ok" if is_over else "unfinished"

    @property
    def duration_us(self) -> float | None:
        """As the host measured it, else as the span says; None while it runs."""
        if self.request is not None:
            return None if self.request.result is None else self.request.duration_s * 1e6
        return None if self.span is None else self.span.duration_us

    @property
    def is_cold(self) -> bool:
        """Whether its function was called for the first time in its process."""
        return self.span is not None and self.span.is_cold

    def as_json(self) -> dict[str, object]:
        """Return it as the page gets it."""
        request, span = self.request, self.span
        start_ns = self.started_at_ns or (self.logged_at_ns if span is None else span.start_ns)
        return {
            "id": self.id,
            "trace": self.trace_id,
            "span": "" if span is None else span.span_id,
            "request_span": "" if request is None else request.span_id,
            "function": self.function,
            "trigger": self.trigger,
            "title": self.title,
            "status": self.status,
            "result": (request.result or "") if request else span.result if span else "",
            "error": self.error,
            "start_us": start_ns // 1000,
            "duration_us": self.duration_us,
            "cold": self.is_cold,
            "error_logs": self.error_logs,
        }


def _error(span: ReceivedSpan) -> str:
    """Describe a failed span: by its exception, else by its status."""
    for event in span.events:
        if event.name == "exception":
            kind = event.attributes.get("exception.type", "")
            return f"{kind}: {event.attributes.get('exception.message', '')}"
    kind = span.attributes.get("error.type", "")
    return f"{kind}: {span.status_message}".strip(": ")


def _word(value: object) -> str:
    """Return a short text of a value, `""` for None."""
    return "" if value is None else str(plain(value))[:_MAX_WORD]
