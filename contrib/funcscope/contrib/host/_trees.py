"""Drawing a trace as a tree for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from rich.text import Text
from rich.tree import Tree

from funcscope.contrib.host._otlp import ReceivedLog, ReceivedSpan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from funcscope.contrib.host._traces import HostRequest, Trace

_Item: TypeAlias = ReceivedSpan | ReceivedLog

_WARNING, _ERROR = 13, 17  # severity numbers of the OpenTelemetry log data model


def draw_trace(trace: Trace) -> list[Tree]:
    """Draw one tree for each request of a trace, and one for what belongs to none of them."""
    items: list[_Item] = [*trace.spans, *trace.logs]
    items.sort(key=_time)
    children = _by_parent(items, trace)
    trees: list[Tree] = []
    for request in trace.requests.values():
        tree = Tree(_request_line(request))
        _grow(tree, children.pop(request.span_id, []), children)
        trees.append(tree)
    rest = children.pop("", [])
    if rest:
        tree = Tree(_rest_line(trace))
        _grow(tree, rest, children)
        trees.append(tree)
    return trees


def _by_parent(items: Iterable[_Item], trace: Trace) -> dict[str, list[_Item]]:
    """Group spans and log records by what they hang from; `""` where that did not come."""
    known = {span.span_id for span in trace.spans}
    known.update(request.span_id for request in trace.requests.values())
    children: dict[str, list[_Item]] = {}
    for item in items:
        parent_id = _parent_id(item)
        children.setdefault(parent_id if parent_id in known else "", []).append(item)
    return children


def _grow(tree: Tree, items: list[_Item], children: dict[str, list[_Item]]) -> None:
    for item in items:
        if isinstance(item, ReceivedLog):
            tree.add(_log_line(item))
        else:
            # pop: spans that name each other as parents would never end
            _grow(tree.add(_span_line(item)), children.pop(item.span_id, []), children)


def _request_line(request: HostRequest) -> Text:
    line = Text.assemble((request.title, "bold"), " → ")
    line.append(request.result or "still running", style="green" if request.is_ok else "red")
    if request.result is not None:
        line.append(f"  {_milliseconds(request.duration_s)}", style="cyan")
    return line.append(f"  trace {request.trace_id}", style="dim")


def _rest_line(trace: Trace) -> Text:
    return Text.assemble(("outside of any request", "bold"), (f"  trace {trace.trace_id}", "dim"))


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
    """Say what went wrong: the recorded exception, else the status."""
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
