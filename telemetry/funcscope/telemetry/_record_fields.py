"""The invocation, the span and the app's own fields on each log record."""

from __future__ import annotations

import logging
import threading
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.trace import Span, get_current_span

from funcscope.extensions import current_invocation
from funcscope.extensions._invocation import look_up_invocation
from funcscope.telemetry._parent import SPAN_KEY, current_context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import SpanContext

    from funcscope.extensions import Invocation

    Shown = tuple[str, str, str]  # trace id, span id, and whether it is sampled

FIELDS = ("invocation_id", "function_name", "trace_id", "span_id", "trace_sampled")
"""What every log record has once telemetry is on: strings, empty where there is nothing to tell."""

PLAIN = frozenset(vars(logging.LogRecord("", logging.NOTSET, "", 0, "", None, None)))
"""What this Python keeps on each log record; an app's own factory may add to it."""
RESERVED = PLAIN | {"message", "asctime", "taskName"}
"""What Python itself keeps on a log record (3.10 to 3.14)."""

INVOCATION_SPAN = object()
"""Where an invocation's state has its span."""

SHOW = "funcscope_shown"
"""A span's method that shows its ids at less than what making them takes."""

_BOUND = object()

_logger = logging.getLogger("funcscope.telemetry")
_lock = threading.Lock()
_patched: list[str] = []
_said: set[str] = set()


def add_record_fields() -> None:
    """
    Give every log record that is handled from now on the fields in `FIELDS`, and what was bound.

    They are empty outside an invocation or span, so that one format serves. A field that the app
    sets itself, by `extra=` or in a record factory, stays as it is: that is why they are added
    when a record is handled, and not by a record factory, which would make
    `extra={"trace_id": …}` raise.
    """
    with _lock:
        if not _patched:
            completing = _completing(logging.Logger.handle)
            setattr(logging.Logger, "handle", completing)  # noqa: B010  (for mypy)
            _patched.append("logging.Logger.handle")


def bind(**fields: object) -> None:
    """
    Add fields to all later log records of the running invocation, from whichever thread.

    They are attributes of the records, as `extra=` makes them: exported, and there for formats
    and filters. What a record has by `extra=` wins. Bound again, a field has its new value;
    bound to None, it is gone.

    Nothing is raised here: what cannot be bound, because no invocation runs or a name is one
    that log records have themselves, is said once in the log.

    Args:
        fields: Fields by name, such as `order_id=17`.
    """
    invocation = current_invocation()
    if invocation is None:
        _say_once("bind() outside an invocation binds nothing: call it in a function")
        return
    taken = sorted(name for name in fields if name in RESERVED or name in FIELDS)
    if taken:
        _say_once(
            f"bind() leaves out {', '.join(taken)}: log records have that themselves; "
            "use another name"
        )
    with _lock:  # a new dict each time: records that are made meanwhile read the old one
        bound = {**_bound(invocation), **{n: v for n, v in fields.items() if n not in taken}}
        invocation.state[_BOUND] = {name: v for name, v in bound.items() if v is not None}


def remember_span(invocation: Invocation, span: Span) -> None:
    """Keep an invocation's span for its threads that run in no span."""
    invocation.state[INVOCATION_SPAN] = span


def remembered_span(invocation: Invocation) -> SpanContext | None:
    """Return what `remember_span` kept; None where the invocation has no span."""
    span = cast("Span | None", invocation.state.get(INVOCATION_SPAN))
    context = None if span is None else span.get_span_context()
    return context if context is not None and context.is_valid else None


def span_context(invocation: Invocation | None) -> SpanContext | None:
    """Return the span that a record belongs to: the current one, else the invocation's own."""
    context = _current_span()
    if context is not None or invocation is None:
        return context
    return remembered_span(invocation)


def _current_span() -> SpanContext | None:
    context = get_current_span().get_span_context()
    return context if context.is_valid else None


def _completing(
    original: Callable[[logging.Logger, logging.LogRecord], None],
) -> Callable[[logging.Logger, logging.LogRecord], None]:
    @wraps(original)
    def handle(self: logging.Logger, record: logging.LogRecord) -> None:
        fields, invocation = record.__dict__, look_up_invocation()
        if (
            invocation is None
            and SPAN_KEY not in current_context()
            and "invocation_id" not in fields
            and "function_name" not in fields
            and "trace_id" not in fields
            and "span_id" not in fields
            and "trace_sampled" not in fields
        ):
            # As in all that a worker says before it calls a function. Not by `update`, which costs
            # more there.
            fields["invocation_id"] = fields["function_name"] = ""
            fields["trace_id"] = fields["span_id"] = fields["trace_sampled"] = ""
        else:
            _complete(fields, invocation)
        original(self, record)

    return handle


def complete(record: logging.LogRecord) -> None:
    """Add the fields that a record lacks."""
    _complete(record.__dict__, look_up_invocation())


def _complete(fields: dict[str, Any], invocation: Invocation | None) -> None:
    keep = fields.setdefault
    if invocation is None:
        keep("invocation_id", "")
        keep("function_name", "")
    else:
        keep("invocation_id", invocation.id)
        keep("function_name", invocation.function.name)
        if _BOUND in invocation.state:
            for name, value in _bound(invocation).items():
                keep(name, value)
    span = current_context().get(SPAN_KEY)
    known, shown = _last
    trace_id, span_id, sampled = shown if known is span else _show(span, invocation)
    keep("trace_id", trace_id)
    keep("span_id", span_id)
    keep("trace_sampled", sampled)


_NO_SPAN = ("", "", "")
_last: tuple[object, Shown] = (object(), _NO_SPAN)


def _show(span: object, invocation: Invocation | None) -> Shown:
    """Show the span that a record belongs to, and remember it: many follow one another in one."""
    global _last  # replaced whole, so that no thread sees half of it
    shown = _shown(span)
    if shown is not None:
        _last = (span, shown)
        return shown
    remembered = None if invocation is None else invocation.state.get(INVOCATION_SPAN)
    return _shown(remembered) or _NO_SPAN


def _shown(span: object) -> Shown | None:
    """Show a span's ids; None where it has none that are valid."""
    show = cast("Callable[[object], Shown | None] | None", getattr(type(span), SHOW, None))
    if show is not None:
        return show(span)
    return shown_ids(span.get_span_context()) if isinstance(span, Span) else None


def shown_ids(context: SpanContext) -> Shown | None:
    """Show ids as log records have them; None where they are not valid."""
    if not context.is_valid:
        return None
    sampled = "true" if context.trace_flags & 1 else "false"
    return f"{context.trace_id:032x}", f"{context.span_id:016x}", sampled


def _bound(invocation: Invocation) -> Mapping[str, Any]:  # whatever the app binds
    return cast("Mapping[str, Any]", invocation.state.get(_BOUND, {}))


def _say_once(message: str) -> None:
    if message not in _said:
        _said.add(message)
        _logger.warning("%s", message)
