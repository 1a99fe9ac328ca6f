"""A trace as a tree of text, spans with the log records under them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from funcscope.contrib.testing._captured.records import Log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    _Children = dict[int, list["_Item"]]

_Item: TypeAlias = "ReadableSpan | Log"


def tree_lines(spans: Iterable[ReadableSpan], logs: Iterable[Log] = ()) -> list[str]:
    """
    Draw each trace as a tree, in the order of time.

    Spans whose parent is elsewhere, such as at the host, stand at the root of their trace; log
    records of no span stand at the end.
    """
    items: list[_Item] = [*spans, *logs]
    known = {_own_id(item) for item in items if not isinstance(item, Log)}
    children: _Children = {}
    roots: dict[int, list[_Item]] = {}
    for item in sorted(items, key=_time_of):
        parent = _parent_of(item)
        if parent in known and parent != _own_id(item):
            children.setdefault(parent, []).append(item)
        else:
            roots.setdefault(_trace_of(item), []).append(item)
    lines: list[str] = []
    for trace_id in sorted(roots, key=lambda trace_id: not trace_id):
        title = f"trace {trace_id:032x}" if trace_id else "in no trace"
        lines += [title, *_branches(roots[trace_id], children)]
    return lines


def span_id_of(span: ReadableSpan) -> int:
    """Return a span's own id."""
    return span.context.span_id if span.context is not None else 0


def _branches(items: Sequence[_Item], children: _Children) -> Iterator[str]:
    for item in items:
        is_last = item is items[-1]
        yield f"{'└─' if is_last else '├─'} {_line(item)}"
        # pop: spans that name each other as parents would never end
        below = children.pop(_own_id(item), []) if not isinstance(item, Log) else []
        for line in _branches(below, children):
            yield f"{'  ' if is_last else '│ '} {line}"


def _line(item: _Item) -> str:
    if isinstance(item, Log):
        return f"{item.severity:<5} {_first_line(item.body or item.event_name)}"
    duration = ((item.end_time or 0) - (item.start_time or 0)) / 1e6
    text = f"{item.name}  [{item.kind.name.lower()}, {duration:.1f} ms]"
    return f"{text}  {_error(item)}" if item.status.status_code.name == "ERROR" else text


def _error(span: ReadableSpan) -> str:
    for event in span.events:
        if event.name == "exception":
            attributes = event.attributes or {}
            kind, message = attributes.get("exception.type"), attributes.get("exception.message")
            return _first_line(f"ERROR {kind}: {message}")
    kind = (span.attributes or {}).get("error.type", "")
    return _first_line(f"ERROR {kind} {span.status.description or ''}".rstrip())


def _first_line(value: object) -> str:
    return str(value).partition("\n")[0]


def _time_of(item: _Item) -> int:
    return item.time_ns if isinstance(item, Log) else item.start_time or 0


def _parent_of(item: _Item) -> int:
    if isinstance(item, Log):
        return item.span_id
    return item.parent.span_id if item.parent is not None else 0


def _own_id(item: _Item) -> int:
    return 0 if isinstance(item, Log) else span_id_of(item)


def _trace_of(item: _Item) -> int:
    if isinstance(item, Log):
        return item.trace_id
    return item.context.trace_id if item.context is not None else 0
