"""Drawing a trace as a tree for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from rich.text import Text
from rich.tree import Tree

from funcscope.contrib.host._console.details import log_fields, span_details
from funcscope.contrib.host._console.failures import (
    EXCEPTION_EVENTS,
    above_failures,
    exception_line,
    failure_of,
    told_above,
)
from funcscope.contrib.host._console.peers import called_by
from funcscope.contrib.host._console.request_line import ERROR, WARNING, marks_of, request_line
from funcscope.contrib.host._console.values import first_line, milliseconds, one_line
from funcscope.contrib.host._traces.otlp import ReceivedLog, ReceivedSpan
from funcscope.contrib.host._traces.traces import invocation_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from funcscope.contrib.host._traces.traces import HostRequest, Trace

_Item: TypeAlias = ReceivedSpan | ReceivedLog

_MAX_LINES = 200  # of one tree, unless more of it failed
_LEVEL_NAMES = {"FATAL": "CRITICAL", "WARN": "WARNING"}  # as Python has them


def draw_trace(
    trace: Trace, *, nothing: str = "no telemetry", is_verbose: bool = False
) -> list[Tree]:
    """
    Draw one tree for each request of a trace, and one for what belongs to none of them.

    Args:
        trace: What to draw.
        nothing: The note beside a request without telemetry.
        is_verbose: Whether to write attributes, events, links and fields.
    """
    return list(_Drawing(trace, is_verbose=is_verbose).trees(nothing))


class _Drawing:
    """
    One trace's trees.

    Args:
        trace: What to draw.
        is_verbose: Whether to write what `details` has.
    """

    def __init__(self, trace: Trace, *, is_verbose: bool) -> None:
        self._trace = trace
        self._is_verbose = is_verbose
        items: list[_Item] = [*trace.spans, *trace.logs]
        items.sort(key=_time)
        self._children = _by_parent(items, trace)
        self._told_below = told_above(trace.spans)
        self._told = set(map(failure_of, trace.spans))
        self._failed = above_failures(trace.spans)
        self._lines = self._hidden = 0

    def trees(self, nothing: str) -> Iterator[Tree]:
        """Yield the trees; what is drawn is gone from the children that are left."""
        trace, children = self._trace, self._children
        for request in trace.requests.values():
            own = children.pop(request.span_id, [])
            has_some = own or "" in children or not request.has_span
            note = f"trace {trace.trace_id}" if has_some else nothing
            yield self._tree(request_line(request, note, problem=_problem(request, own)), own)
        orphans = children.pop("", [])
        if orphans:
            yield self._tree(_orphans_line(trace), orphans)

    def _tree(self, line: Text, items: list[_Item]) -> Tree:
        tree = Tree(line)
        self._lines = self._hidden = 0
        self._grow(tree, items)
        if self._hidden:
            tree.add(Text(f"… and {self._hidden} more, which `-v` shows", style="dim"))
        if self._trace.left_out:
            tree.add(Text(f"… and {self._trace.left_out} more spans and log lines", style="dim"))
        return tree

    def _grow(self, tree: Tree, items: list[_Item]) -> None:
        for item in items:
            if self._is_hidden(item):
                self._hidden += 1
                if isinstance(item, ReceivedSpan):
                    self._grow(tree, self._children.pop(item.span_id, []))
            elif isinstance(item, ReceivedLog):
                self._add_log(tree, item)
            else:
                self._add_span(tree, item)

    def _is_hidden(self, item: _Item) -> bool:
        """Tell whether an item is too much for a tree; what failed, or led there, never is."""
        self._lines += 1
        if self._is_verbose or self._lines <= _MAX_LINES:
            return False
        if isinstance(item, ReceivedLog):
            return item.severity_number < WARNING
        return item.span_id not in self._failed

    def _add_log(self, tree: Tree, log: ReceivedLog) -> None:
        exception = exception_line(log.attributes)
        is_told = exception in self._told
        if is_told and log.event_name in EXCEPTION_EVENTS and not self._is_verbose:
            return
        self._told.add(exception)
        node = tree.add(_log_line(log, "" if is_told else exception))
        if self._is_verbose:
            for text in log_fields(dict(log.attributes)):
                node.add(text)

    def _add_span(self, tree: Tree, span: ReceivedSpan) -> None:
        line = self._span_line(span)
        if span.trace_id != self._trace.trace_id and not span.parent_id:
            line.append(f"  trace {span.trace_id}", style="dim")
        node = tree.add(line)
        if self._is_verbose:
            for text in span_details(span):
                node.add(text)
        # pop: spans that name each other as parents would never end
        self._grow(node, self._children.pop(span.span_id, []))

    def _span_line(self, span: ReceivedSpan) -> Text:
        line = Text.assemble(
            (one_line(span.name), "red" if span.status == "ERROR" else "green"),
            (f"  {milliseconds((span.end_ns - span.start_ns) / 1e9)}", "cyan"),
        )
        for mark, style in marks_of(self._trace.requests.get(invocation_id(span)), span):
            line.append(f"  {mark}", style=style)
        if called := called_by(span):
            line.append(f"  {called}", style="blue")
        failure = "" if span.span_id in self._told_below else failure_of(span)
        return line.append(f"  {failure}", style="red") if failure else line


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


def _problem(request: HostRequest, own: list[_Item]) -> str:
    """Return what went wrong with a request: the host's own failure, or one that no span tells."""
    is_told = any(isinstance(item, ReceivedSpan) and failure_of(item) for item in own)
    return first_line(request.problem or ("" if is_told else request.error))


def _orphans_line(trace: Trace) -> Text:
    title = "request not known" if trace.requests else "outside of any request"
    return Text.assemble((title, "bold"), (f"  trace {trace.trace_id}", "dim"))


def _log_line(log: ReceivedLog, exception: str) -> Text:
    style = "dim"
    if log.severity_number >= WARNING:
        style = "red" if log.severity_number >= ERROR else "yellow"
    severity = _LEVEL_NAMES.get(log.severity, log.severity)
    text = exception if log.event_name in EXCEPTION_EVENTS else str(log.body or log.event_name)
    line = Text.assemble((f"{one_line(severity) or 'LOG':<5} ", style), text)
    return line if exception in text else line.append(f"  {exception}", style="red")


def _parent_id(item: _Item) -> str:
    return item.span_id if isinstance(item, ReceivedLog) else item.parent_id


def _time(item: _Item) -> int:
    return item.time_ns if isinstance(item, ReceivedLog) else item.start_ns
