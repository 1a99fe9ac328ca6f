"""
The span of an invocation: the SDK's own, made only when somebody asks more of it than its ids.

Making an SDK span takes most of what recording an invocation costs, and most functions never look
at it. So an object stands for it that has the ids and the times, and becomes the SDK's span, by
the SDK's own constructor and methods, at the first call that needs more. What is set on it before,
as long as it is plain, is kept and replayed then. If nobody asks, what is exported is put together
on the exporter's thread (opentelemetry-sdk 1.45, `sdk/trace/__init__.py`).

docs/decisions/015 says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    SpanContext,
    Status,
    StatusCode,
)

from funcscope.telemetry._context import log_ids, match_traceparent
from funcscope.telemetry._spans.ids import FLAGS, RANDOM, LazyField, make_ids
from funcscope.telemetry._spans.readable import (
    RENAME,
    EncodableSpan,
    last_name,
    replay,
    set_again,
)
from funcscope.telemetry._spans.template import NO_HOST_FACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.trace import Link
    from opentelemetry.util.types import AnyValue

    from funcscope.telemetry._semconv import Attributes
    from funcscope.telemetry._spans.ids import Origin
    from funcscope.telemetry._spans.readable import Call
    from funcscope.telemetry._spans.template import HostFacts, SpanTemplate

    Deliver = Callable[["InvocationSpan", bool], object]

_PLAIN = (str, bool, int, float)
_SEAL = ("", ())
"""Ends the calls that the SDK's span is made of; one that is kept behind it came too late."""


class SdkSpan(Span):
    """A span of the SDK's, which lets itself be made by its tracer alone."""


class InvocationSpan(Span):
    """
    A span that is the SDK's in all that can be asked of it, and costs little until it is asked.

    The SDK's fields are made when one of them is read (`LazyField`): the methods that are not
    overridden are the SDK's own and work on them.

    It has no lock: the SDK and what describes a trigger are not ours, and log. What several threads
    may do at once is decided by single operations on its dict and its list of calls, which are
    atomic, and the thread that comes second goes on with what the first one has made
    (docs/decisions/029).

    Args:
        template: What it has in common with others of its function.
        origin: Its ids, or what its host sent, to make them of when they are wanted.
        snapshot: The extractor's, of the invocation's trigger.
        links: Its links.
        deliver: Takes it when it has ended, and whether a status was set on it.
        record_end: What the SDK calls then, for metrics of its own.
        invocation_id: Whose it is.
        host_facts: What else the invocation's own attributes are made of.

    Attributes:
        is_materialized: Whether it is the SDK's span by now.
        has_status: Whether a status was set on it.
    """

    takes_outcome = True
    # Until an object has its own.
    _fs_span_id = 0
    fs_calls: list[Call] | None = None
    _fs_is_shared = False
    is_materialized: bool = False
    _context: Any = LazyField("_context", "_identify")
    _parent: Any = LazyField("_parent", "_identify")

    def __init__(  # pyright: ignore[reportMissingSuperCall]  # the SDK's work is put off
        self,
        template: SpanTemplate,
        origin: Origin,
        snapshot: object,
        links: Sequence[Link],
        deliver: Deliver,
        record_end: Callable[[], object] | None = None,
        invocation_id: str = "",
        host_facts: HostFacts = NO_HOST_FACTS,
    ) -> None:
        # Each by itself, as the garbage collector counts tuples, too: what waits to be sent makes
        # it look through all that is young, which takes milliseconds (docs/decisions/022). `fs_`,
        # as the SDK's own names are in the same dict.
        self.fs_template = template
        self.fs_origin = origin
        self.fs_snapshot = snapshot
        self.fs_invocation_id = invocation_id
        self.fs_host_facts = host_facts
        self.fs_links = links
        self._fs_deliver = deliver
        self._fs_record_end = record_end
        self.fs_outcome_attributes: Attributes | None = None
        self._start_time = template.clock()
        self._end_time = None
        self.has_status: bool = False

    def _identify(self) -> None:
        ids = self.fs_template.tracer.id_generator
        make_ids(self, self.fs_origin, ids, self.span_id, is_sampled=True)

    def span_id(self) -> int:
        """Return its id, the same for all who ask, whichever thread is first."""
        if self._fs_span_id:
            return self._fs_span_id
        span_id = self.fs_template.tracer.id_generator.generate_span_id()
        return cast("int", vars(self).setdefault("_fs_span_id", span_id))

    def funcscope_log_ids(self) -> tuple[str, str, str, int] | None:
        """Return the span's ids as log records have them, without a `SpanContext`."""
        parent = match_traceparent(origin) if isinstance(origin := self.fs_origin, str) else None
        if parent is None:
            return log_ids(self.get_span_context())
        flags = FLAGS[1 | int(parent[3], 16) & RANDOM]
        return parent[1], f"{self.span_id():016x}", "true", flags

    def funcscope_redacts(self) -> bool:
        """Return whether secrets are taken out of the span when it is exported."""
        return self.fs_template.redactor is not None

    def get_span_context(self) -> SpanContext:
        """Return the span's ids."""
        return cast("SpanContext", self._context)

    def is_recording(self) -> bool:
        """Return whether the span has not ended."""
        return self._end_time is None

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Keep a plain attribute; become the SDK's span for any other, which it copies."""
        if not (
            isinstance(value, _PLAIN) and _is_name(key) and self._keep("set_attribute", key, value)
        ):
            super().set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Keep plain attributes; become the SDK's span for any others."""
        is_plain = isinstance(attributes, dict) and all(
            isinstance(value, _PLAIN) and _is_name(key) for key, value in attributes.items()
        )
        if not (is_plain and self._keep("set_attributes", dict(attributes))):
            super().set_attributes(attributes)

    @property
    def name(self) -> str:
        """The span's name."""
        if self.is_materialized:
            return super().name
        return last_name(self.fs_template.span_name(self.fs_snapshot), self._calls_in_time())

    def update_name(self, name: str) -> None:
        """Keep a new name."""
        if not (_is_name(name) and self._keep(RENAME, name)):
            super().update_name(name)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Keep a status; the SDK's rules decide which one counts when they are replayed."""
        self.has_status = True
        if not self._keep("set_status", status, description):
            super().set_status(status, description)

    def end(self, end_time: int | None = None) -> None:
        """End the span, and hand it over to be read by who exports it."""
        self._fs_is_shared = True  # before anything is read, as in `end_with`
        is_left_to_end_with = self.fs_outcome_attributes is not None
        if is_left_to_end_with or self._end_time is not None or not self._claim_end():
            if self._end_time is not None:
                super().end(end_time)  # which says so
            return
        if self._is_sealed:
            self.materialize()
            super().end(end_time)
            return
        self._end_time = self.fs_template.clock() if end_time is None else end_time
        self._hand_over(self.has_status)

    def end_with(self, attributes: Attributes) -> None:
        """
        Set plain attributes that are not changed afterwards, and end it, unless that was done.

        It does what `set_attributes` and `end` do, without looking at each attribute. It is called
        once, and nearly always the first to end the span. So it notes that it does, and looks
        whether `end` has noted the same; `end` does so too, and looks for this after that.
        """
        now = self.fs_template.clock()
        if self._end_time is not None:
            return
        self.fs_outcome_attributes = attributes
        if self._fs_is_shared:
            self._end_shared_with(attributes, now)
            return
        self._end_time = now
        if self._fs_record_end is not None:
            self._fs_record_end()
        self._fs_deliver(self, self.has_status)

    def _end_shared_with(self, attributes: Attributes, now: int) -> None:
        """End a span that another thread may have ended, or made the SDK's, meanwhile."""
        if not self._claim_end():
            self.fs_outcome_attributes = None
        elif self._is_sealed:
            self.materialize()
            super().set_attributes(attributes)
            super().end()
        else:
            self._end_time = now
            self._hand_over(self.has_status)

    def _claim_end(self) -> bool:
        """Return whether the caller is the one to end it: the first who asks."""
        claim = object()
        return vars(self).setdefault("_fs_end_claim", claim) is claim

    def _hand_over(self, is_error: bool) -> None:  # noqa: FBT001  (as `Deliver` has it)
        if self._fs_record_end is not None:
            self._fs_record_end()
        self._fs_deliver(self, is_error)

    def to_readable(self) -> ReadableSpan:
        """Return the span as exporters read it once it has ended, its secrets taken out."""
        span = self.to_encodable()
        return span if isinstance(span, ReadableSpan) else span.to_readable()

    def to_encodable(self) -> ReadableSpan | EncodableSpan:
        """
        Return the span as our encoder reads it once it has ended, its secrets taken out.

        It is the SDK's where the SDK's limits and checks would change something.
        """
        template, calls = self.fs_template, self._calls_in_time()
        if self.needs_sdk:
            return self._readable_sdk_span()
        described = template.describe(self.fs_snapshot, self.fs_invocation_id, self.fs_host_facts)
        attributes = {**template.redacted_constants, **described}
        unredacted = {} if template.is_redacted else described
        status = replay(calls, attributes, unredacted)
        set_again(attributes, self.fs_outcome_attributes)
        max_count = template.limits.max_span_attributes
        is_over = max_count is not None and len(attributes) > max_count
        if status is None or "" in attributes or is_over:
            return self._readable_sdk_span()
        name = last_name(template.span_name(self.fs_snapshot), calls)
        redactor = template.redactor
        if redactor is not None:
            if unredacted:
                attributes = redactor.redact_attributes(attributes, unredacted) or attributes
            name = redactor.redact(name)
            if status.description:
                status = Status(status.status_code, redactor.redact(status.description))
        return EncodableSpan(
            name=name,
            context=self.get_span_context(),
            parent=self.parent,
            resource=template.tracer.resource,
            attributes=attributes,
            kind=template.kind,
            status=status,
            start_time=self.start_time,
            end_time=self.end_time,
            instrumentation_scope=template.scope,
        )

    @property
    def needs_sdk(self) -> bool:
        """Whether the SDK has to see what is exported: it has already, or would change it."""
        template = self.fs_template
        return (
            template.is_cut
            or self.is_materialized
            or bool(self.fs_links)
            or template.limits.max_span_attribute_length is not None
        )

    def _readable_sdk_span(self) -> ReadableSpan:
        self.materialize()
        redacting = self.fs_template.redacting
        if redacting is not None:
            redacting.rewrite(self)
        return self._readable_span()

    def _keep(self, method: str, *args: Any) -> bool:
        """Keep a call of a setter to be replayed; False where it is too late for that."""
        if self.is_materialized or self._end_time is not None:
            return False
        call = (method, args)
        calls = self._calls()
        calls.append(call)
        # Who seals the calls says so before, so this was in time if nobody has.
        return not self._fs_is_shared or _is_before_seal(calls, call)

    def _calls(self) -> list[Call]:
        """Return the list of calls, the same for all threads."""
        calls = self.fs_calls
        return vars(self).setdefault("fs_calls", []) if calls is None else calls

    def _calls_in_time(self) -> Sequence[Call]:
        """Return the calls before the seal."""
        # All at once, as another thread, or what describes the trigger, may seal them meanwhile.
        calls = tuple(self.fs_calls or ())
        return calls[: calls.index(_SEAL)] if _SEAL in calls else calls

    @property
    def _is_sealed(self) -> bool:
        """Whether it is the SDK's span, or somebody is about to make it that."""
        calls = self.fs_calls
        return calls is not None and _SEAL in calls

    def materialize(self) -> None:
        """
        Become the SDK's span, as if it had been that from the start.

        Threads that do so at once each make one of the same calls, and all go on with the first.
        """
        if self.is_materialized:
            return
        known = vars(self)
        if "_fs_sdk_fields" not in known:
            self._fs_is_shared = True
            self._calls().append(_SEAL)
            known.setdefault("_fs_sdk_fields", self._sdk_fields())
        fields = cast("dict[str, Any]", known["_fs_sdk_fields"])
        for name in _FIELDS:  # none that is there: it was set by its private name, or since
            known.setdefault(name, fields[name])
        if self._end_time is not None:
            known["_attributes"]._immutable = True  # noqa: SLF001
        self.is_materialized = True

    def _sdk_fields(self) -> dict[str, Any]:
        """Make the SDK's span, and return its fields."""
        template, snapshot = self.fs_template, self.fs_snapshot
        tracer = template.tracer
        described = template.describe(snapshot, self.fs_invocation_id, self.fs_host_facts)
        span = SdkSpan(
            name=template.span_name(snapshot),
            context=self.get_span_context(),
            parent=self._parent,
            sampler=tracer.sampler,
            resource=tracer.resource,
            attributes={**template.redacted_constants, **described},
            links=self.fs_links,
            kind=template.kind,
            span_processor=tracer.span_processor,
            instrumentation_info=tracer.instrumentation_info,
            limits=template.limits,
            instrumentation_scope=template.scope,
            record_end_metrics=cast("Callable[[], None] | None", self._fs_record_end),
        )
        for method, args in self._calls_in_time():
            getattr(span, method)(*args)
        span.set_attributes(self.fs_outcome_attributes or {})
        return vars(span)


# What a span has that InvocationSpan has not from the start.
_FIELDS = vars(SdkSpan("", INVALID_SPAN_CONTEXT, resource=Resource.get_empty())).keys() - {
    "_context",
    "_parent",
    "_start_time",
    "_end_time",
}
for _name in _FIELDS:
    setattr(InvocationSpan, _name, LazyField(_name, "materialize"))


def _is_before_seal(calls: Sequence[object], call: object) -> bool:
    """Return whether a call was kept in time."""
    return next(known is call for known in calls if known is call or known is _SEAL)


def _is_name(key: object) -> bool:
    return isinstance(key, str)
