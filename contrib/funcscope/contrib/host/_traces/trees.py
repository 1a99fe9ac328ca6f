"""Drawing a trace as a tree for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from rich.text import Text
from rich.tree import Tree

from funcscope.contrib.host._traces.otlp import ReceivedLog, ReceivedSpan
from funcscope.contrib.host._traces.traces import invocation_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from funcscope.contrib.host._traces.traces import HostRequest, Trace

_Item: TypeAlias = ReceivedSpan | ReceivedLog

_WARNING, _ERROR = 13, 17  # severity numbers of the OpenTelemetry log data model


def draw_trace(trace: Trace, *, nothing: str = "no telemetry") -> list[Tree]:
    """
    Draw one tree for each request of a trace, and one for what belongs to none of them.

    Args:
        trace: What to draw.
        nothing: The note beside a request without telemetry.
    """
    items: list[_Item] = [*trace.spans, *trace.logs]
    items.sort(key=_time)
    children = _by_parent(items, trace)
    trees: list[Tree] = []
    for request in trace.requests.values():
        own = children.pop(request.span_id, [])
        note = f"trace {trace.trace_id}" if own or "" in children else nothing
        tree = Tree(_request_line(request, note))
        _grow(tree, own, children, trace.trace_id)
        trees.append(tree)
    orphans = children.pop("", [])
    if orphans:
        tree = Tree(_orphans_line(trace))
        _grow(tree, orphans, children, trace.trace_id)
        trees.append(tree)
    return trees


def _by_parent(items: Iterable[_Item], trace: Trace) -> dict[str, list[_Item]]:
    """
    Group spans and log records by the id of their parent.

    Where the parent did not come, it is the request that they belong to; `""` where that is
    not known.
    """
    known = {span.span_id for span in trace.spans}
    known.update(request.span_id for request in trace.requests.values())
    find_request = _request_finder(trace)
    children: dict[str, list[_Item]] = {}
    for item in items:
        parent_id = _parent_id(item)
        if parent_id not in known:
            request = find_request(item)
            parent_id = request.span_id if request is not None else ""
        children.setdefault(parent_id, []).append(item)
    return children


def _request_finder(trace: Trace) -> Callable[[_Item], HostRequest | None]:
    """Return what finds the request of an item: by invocation id, by trace, or the only one."""
    items: list[_Item] = [*trace.spans, *trace.logs]
    by_trace = {
        item.trace_id: request
        for item in items
        if item.trace_id != trace.trace_id and (request := trace.requests.get(invocation_id(item)))
    }
    only = next(iter(trace.requests.values())) if len(trace.requests) == 1 else None

    def find(item: _Item) -> HostRequest | None:
        if named := invocation_id(item):
            return trace.requests.get(named)
        return by_trace.get(item.trace_id, only)

    return find


def _grow(tree: Tree, items: list[_Item], children: dict[str, list[_Item]], trace_id: str) -> None:
    for item in items:
        if isinstance(item, ReceivedLog):
            tree.add(_log_line(item))
        else:
            line = _span_line(item)
            if item.trace_id != trace_id and not item.parent_id:
                line.append(f"  trace {item.trace_id}", style="dim")
            # pop: spans that name each other as parents would never end
            _grow(tree.add(line), children.pop(item.span_id, []), children, trace_id)


def _request_line(request: HostRequest, note: str) -> Text:
    line = Text.assemble((request.title, "bold"), " → ")
    line.append(request.result or "still running", style="green" if request.is_ok else "red")
    if request.result is not None:
        line.append(f"  {_milliseconds(request.duration_s)}", style="cyan")
    return line.append(f"  {note}", style="dim")


def _orphans_line(trace: Trace) -> Text:
    title = "request not known" if trace.requests else "outside of any request"
    return Text.assemble((title, "bold"), (f"  trace {trace.trace_id}", "dim"))


def _span_line(span: ReceivedSpan) -> Text:
    is_failed = span.status == "ERROR"
    line = Text.assemble(
        (span.name, "red" if is_failed else "green"),
        (f"  {_milliseconds((span.end_ns - span.start_ns) / 1e9)}", "cyan"),
    )
    name = span.attributes.get("faas.name")
    if name:
        line.append(f"  {name}", style="yellow")
    if span.attributes.get("faas.coldstart") is True:
        line.append("  cold start", style="blue")
    return line.append(f"  {_error(span)}", style="red") if is_failed else line


def _error(span: ReceivedSpan) -> str:
    """Describe a failed span: by its recorded exception, else by its status."""
    for event in span.events:
        if event.name == "exception":
            kind = event.attributes.get("exception.type")
            return f"{kind}: {event.attributes.get('exception.message', '')}"
    kind = span.attributes.get("error.type", "error")
    return f"{kind}: {span.status_message}" if span.status_message else str(kind)


def _log_line(log: ReceivedLog) -> Text:
    style = "dim"
    if log.severity_number >= _WARNING:
        style = "red" if log.severity_number >= _ERROR else "yellow"
    text = str(log.body or log.event_name)
    return Text.assemble((f"{log.severity or 'LOG':<5} ", style), text)


def _parent_id(item: _Item) -> str:
    return item.span_id if isinstance(item, ReceivedLog) else item.parent_id


def _time(item: _Item) -> int:
    return item.time_ns if isinstance(item, ReceivedLog) else item.start_ns


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
