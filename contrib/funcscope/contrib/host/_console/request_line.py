"""A request on one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from funcscope.contrib._local.printable import printable_line
from funcscope.contrib.host._console.failures import EXCEPTION_EVENTS, failure_of
from funcscope.contrib.host._console.values import first_line, milliseconds
from funcscope.contrib.host._traces.traces import invocation_id, own_span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from funcscope.contrib.host._traces.otlp import ReceivedSpan
    from funcscope.contrib.host._traces.traces import HostRequest, Trace

WARNING, ERROR = 13, 17  # severity numbers of the OpenTelemetry log data model
_MIN_WAIT_NS = 50_000_000  # shorter ones are the worker's own work


def request_line(
    request: HostRequest, note: str, *, problem: str = "", marks: Sequence[tuple[str, str]] = ()
) -> Text:
    """
    Write a request: its title, result and duration, what went wrong, and a note.

    Args:
        request: What to write.
        note: The trace's id, or that nothing came of it.
        problem: What went wrong, where nothing below the line says it.
        marks: What else to say of it, each with a style.
    """
    line = Text.assemble((printable_line(request.title), "bold"), " → ")
    result = printable_line(request.result or "still running")
    line.append(result, style="green" if request.is_ok else "red")
    if request.result is not None:
        line.append(f"  {milliseconds(request.duration_s)}", style="cyan")
    for mark, style in marks:
        line.append(f"  {mark}", style=style)
    if problem:
        line.append(f"  {problem}", style="red")
    return line.append(f"  {note}", style="dim")


def lone_line(request: HostRequest, trace: Trace, *, nothing: str) -> Text:
    """Write a request that has no tree: with its function, and what failed below it."""
    own = own_span(request, trace)
    has_some = trace.spans or trace.logs or not request.has_span
    note = f"trace {trace.trace_id}" if has_some else nothing
    marks = [(printable_line(request.function), "yellow")] if request.function else []
    if own is not None:
        marks = marks_of(request, own)
    marks += _log_marks(request, trace)
    return request_line(request, note, problem=_first_problem(request, trace, own), marks=marks)


def marks_of(request: HostRequest | None, span: ReceivedSpan) -> list[tuple[str, str]]:
    """Return what is said of an invocation's span beside its name, each with a style."""
    marks: list[tuple[str, str]] = []
    name = span.attributes.get("faas.name")
    if name:
        marks.append((printable_line(str(name)), "yellow"))
    if span.attributes.get("faas.coldstart") is True:
        marks.append(("cold start", "blue"))
    elif request is not None and (waited_ns := _waited_ns(request, span)):
        marks.append((f"waited {milliseconds(waited_ns / 1e9)} for a thread", "magenta"))
    return marks


def _log_marks(request: HostRequest, trace: Trace) -> list[tuple[str, str]]:
    """Count the warnings and errors that a request logged; what it raised is told by itself."""
    is_only = len(trace.requests) == 1
    own = (log for log in trace.logs if is_only or invocation_id(log) == request.invocation_id)
    logs = [log for log in own if log.event_name not in EXCEPTION_EVENTS]
    errors = sum(log.severity_number >= ERROR for log in logs)
    warnings = sum(WARNING <= log.severity_number < ERROR for log in logs)
    marks = (_counted(warnings, "warning"), "yellow"), (_counted(errors, "error"), "red")
    return [(mark, style) for mark, style in marks if mark]


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}" if count else ""


def _waited_ns(request: HostRequest, span: ReceivedSpan) -> int:
    """
    Return how long an invocation waited for the worker to begin it, 0 for as good as not.

    A worker that has taken a request begins its function at once, unless all threads of its pool
    (`PYTHON_THREADPOOL_THREAD_COUNT`) are in functions, or its event loop is held by one. Where no
    other one runs, the time is what a large payload takes on its way.
    """
    if request.is_alone or not request.started_ns or request.span_id != span.parent_id:
        return 0
    waited_ns = span.start_ns - request.started_ns
    return waited_ns if waited_ns >= _MIN_WAIT_NS else 0


def _first_problem(request: HostRequest, trace: Trace, own: ReceivedSpan | None) -> str:
    if request.problem or request.error:
        return first_line(request.problem or request.error)
    if own is not None and (failure := failure_of(own)):
        return failure
    if len(trace.requests) > 1:  # a failed span may be another's
        return ""
    return next((failure for span in trace.spans if (failure := failure_of(span))), "")
