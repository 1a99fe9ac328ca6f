"""The invocation, the span and the app's own fields on each log record (docs/decisions/003)."""

from __future__ import annotations

import logging
import sys
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from opentelemetry.context import Context, attach
from opentelemetry.trace import Span

from funcscope.extensions import current_invocation
from funcscope.extensions.integration import OnceLog, lock_of, look_up_invocation, when_adopted
from funcscope.telemetry._context import (
    INVOCATION_SPAN,
    LOG_IDS,
    SPAN_KEY,
    current_context,
    host_parent,
    host_trace_headers,
    log_ids,
    valid_span_context,
)
from funcscope.telemetry._logs.frames import without_own_frames
from funcscope.telemetry._values.asking import ASKING, lets_by

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from funcscope.extensions import Invocation
    from funcscope.telemetry._context import LogIds

FIELDS = ("invocation_id", "function_name", "trace_id", "span_id", "trace_sampled")
"""The fields of every log record once telemetry is on: strings, empty where nothing is known."""

PLAIN = vars(logging.LogRecord("", logging.NOTSET, "", 0, "", None, None)).keys()
"""The fields of a log record in this Python; an app's own factory may add to them."""
RESERVED = PLAIN | {"message", "asctime", "taskName"}
"""The fields that Python itself has on a log record (3.10 to 3.14)."""

_BOUND = object()

_logger = logging.getLogger("funcscope.telemetry")
_lock = lock_of(sys.modules[__name__])
_patched: list[str] = []
_once = OnceLog(_logger)
warn_once = _once.log
"""Warns of something, once in a process."""


class Correlation(NamedTuple):
    """
    The invocation and span of a log record, as texts and numbers; the first five are `FIELDS`.

    Attributes:
        invocation_id: The invocation's id, empty outside any.
        function_name: The name of its function.
        trace_id: The trace's id in hexadecimal digits, empty where there is none.
        span_id: The span's.
        trace_sampled: `true` or `false`.
        flags: The span's trace flags.
        given: Which of `FIELDS` the app has set on the record itself.
    """

    invocation_id: str = ""
    function_name: str = ""
    trace_id: str = ""
    span_id: str = ""
    trace_sampled: str = ""
    flags: int = 0
    given: tuple[str, ...] = ()


UNCORRELATED = Correlation()


def add_record_fields() -> None:
    """
    Give every log record that is handled from now on the fields in `FIELDS`, and what was bound.

    They are empty outside an invocation or span, so that one format serves. A field that the app
    sets itself, by `extra=` or in a record factory, stays as it is: that is why they are added
    when a record is handled, and not by a record factory, which would make
    `extra={"trace_id": …}` raise.

    It is done where the logger asks its filters, which may use the fields, too; that is over when
    handlers run, so nothing of it is in the stacks that they show.
    """
    with _lock:
        if not _patched:
            setattr(logging.Logger, "filter", _filtering(logging.Logger.filter))  # noqa: B010  (for mypy)
            _patched.append("logging.Logger.filter")
        when_adopted(follow)


def follow(invocation: Invocation | None) -> None:
    """
    Make an invocation's own span current where code says of itself that it is in that invocation.

    By Microsoft's recipe (docs/decisions/014), which has no end but the next: so nothing is put
    back. Where the invocation is unknown, or none, no span is current from then on.
    """
    span = None if invocation is None else invocation.state.get(INVOCATION_SPAN)
    attach(Context() if span is None else Context({SPAN_KEY: span}))


def bind(**fields: object) -> None:
    """
    Add fields to all later log records of the running invocation, from whichever thread.

    They are attributes of the records, as `extra=` makes them: exported, and there for formats
    and filters. What a record has by `extra=` wins. Bound again, a field has its new value;
    bound to None, it is gone.

    Nothing is raised here: what cannot be bound, because no invocation runs or a name is one
    that log records have themselves, is named once in the log.

    Args:
        fields: Fields by name, such as `order_id=17`.
    """
    invocation = current_invocation()
    if invocation is None:
        warn_once("bind() outside an invocation binds nothing: call it in a function")
        return
    reserved = sorted(name for name in fields if name in RESERVED or name in FIELDS)
    if reserved:
        warn_once(
            f"bind() leaves out {', '.join(reserved)}: log records have that themselves; "
            "use another name"
        )
    with _lock:  # a new dict each time: records that are made meanwhile read the old one
        bound = {
            **bound_fields(invocation),
            **{n: v for n, v in fields.items() if n not in reserved},
        }
        invocation.state[_BOUND] = {name: v for name, v in bound.items() if v is not None}


def _filtering(original: Callable[..., Any]) -> Callable[..., Any]:  # a bool, or also a record
    @wraps(original)
    def filter(self: logging.Logger, record: logging.LogRecord) -> Any:  # noqa: A001  (its name)
        if ASKING and not lets_by(self, record):
            return False
        try:
            fields = record.__dict__
            # As in all that a worker says before it calls a function: three functions would be felt
            # there (docs/decisions/022), as `add_fields` is, which does this for all other records.
            if (
                look_up_invocation() is None
                and SPAN_KEY not in current_context()
                and fields.get("stack_info") is None
                and "invocation_id" not in fields
                and "function_name" not in fields
                and "trace_id" not in fields
                and "span_id" not in fields
                and "trace_sampled" not in fields
            ):
                fields["invocation_id"] = fields["function_name"] = ""
                fields["trace_id"] = fields["span_id"] = fields["trace_sampled"] = ""
            else:
                add_fields(record)
        except Exception as error:  # noqa: BLE001  (a log call never fails because of us)
            _warn_incomplete(error)
        passed = original(self, record)
        if passed is not record and passed is not True and isinstance(passed, logging.LogRecord):
            try:  # a filter's own, in the record's place (from Python 3.12 on)
                add_fields(passed)
            except Exception as error:  # noqa: BLE001  (as above)
                _warn_incomplete(error)
        return passed

    return filter


def _warn_incomplete(error: Exception) -> None:
    warn_once(f"a log record cannot have its invocation's fields: {error!r}")


def add_fields(record: logging.LogRecord) -> None:
    """Add the fields that a record lacks."""
    fields, invocation = record.__dict__, look_up_invocation()
    if type(stack := fields.get("stack_info")) is str:
        fields["stack_info"] = without_own_frames(stack)
    invocation_id, function_name, trace_id, span_id, sampled, _, _ = current_correlation(invocation)
    add = fields.setdefault
    add("invocation_id", invocation_id)
    add("function_name", function_name)
    add("trace_id", trace_id)
    add("span_id", span_id)
    add("trace_sampled", sampled)
    if invocation is not None and _BOUND in invocation.state:
        for name, value in bound_fields(invocation).items():
            add(name, value)


def correlation_of(record: logging.LogRecord, invocation: Invocation | None) -> Correlation:
    """Return a record's correlation, with which of the fields the app has set."""
    current, fields = current_correlation(invocation), record.__dict__
    invocation_id, function_name, trace_id, span_id, sampled, _, _ = current
    try:
        if (  # nearly always
            fields["trace_id"] is trace_id
            and fields["span_id"] is span_id
            and fields["trace_sampled"] is sampled
            and fields["invocation_id"] is invocation_id
            and fields["function_name"] is function_name
        ):
            return current
    except KeyError:  # somebody has taken one away
        pass
    given = tuple(
        name
        for name, own in zip(FIELDS, current, strict=False)
        # A record that is handled again has these already.
        if type(value := fields.get(name, own)) is not str or value != own
    )
    return current._replace(given=given)


def current_correlation(invocation: Invocation | None) -> Correlation:
    """Return the correlation of what is logged here and now."""
    span = current_context().get(SPAN_KEY)
    known, last = _last
    if invocation is None:
        if span is None:
            return UNCORRELATED
        if known is span and not last.function_name:
            return last
    elif known is span and last.invocation_id is invocation.id:
        return last
    return _correlate(span, invocation)


_NO_SPAN: LogIds = ("", "", "", 0)
_last: tuple[object, Correlation] = (object(), UNCORRELATED)


def _correlate(span: object, invocation: Invocation | None) -> Correlation:
    """Correlate with a span and an invocation, and remember it: many records are alike."""
    global _last  # replaced whole, so that no thread sees half of it
    own = _ids_of(span)
    trace_id, span_id, sampled, flags = own or _ids_of_invocation(invocation) or _NO_SPAN
    invocation_id = "" if invocation is None else invocation.id
    name = "" if invocation is None else invocation.function.name
    current = Correlation(invocation_id, name, trace_id, span_id, sampled, flags)
    if own is not None:
        _last = (span, current)
    return current


def _ids_of(span: object) -> LogIds | None:
    """Return a span's ids as records have them; None where it has none that are valid."""
    read_ids = cast("Callable[[object], LogIds | None] | None", getattr(type(span), LOG_IDS, None))
    if read_ids is not None:
        return read_ids(span)
    context = valid_span_context(span) if isinstance(span, Span) else None
    return None if context is None else log_ids(context)


def _ids_of_invocation(invocation: Invocation | None) -> LogIds | None:
    """Return the ids of an invocation's span, or of the host's where its own has none."""
    span = None if invocation is None else invocation.state.get(INVOCATION_SPAN)
    if invocation is None or span is None:
        return None
    ids = _ids_of(span)
    if ids is None and (parent := host_parent(host_trace_headers(invocation.context))) is not None:
        return log_ids(parent)
    return ids


def bound_fields(invocation: Invocation) -> Mapping[str, Any]:  # whatever the app binds
    """Return what `bind` has added to an invocation's records."""
    return cast("Mapping[str, Any]", invocation.state.get(_BOUND, {}))
