"""
The span of an invocation: the SDK's own, made only when somebody asks more of it than its ids.

Making an SDK span takes most of what recording an invocation costs, and most functions never look
at it. So an object stands for it that has the ids and the times, and becomes the SDK's span, by
the SDK's own constructor and methods, at the first call that needs more. What is set on it before,
as long as it is plain, is kept and replayed then. If nobody asks, what is exported is put together
on the exporter's thread (opentelemetry-sdk 1.45, `sdk/trace/__init__.py`).
"""

from __future__ import annotations

import logging
from time import time_ns
from typing import TYPE_CHECKING, Any, Protocol, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
)

from funcscope.telemetry._context import host_parent, log_ids, match_traceparent, valid_context
from funcscope.telemetry._spans import encoding as _span_messages
from funcscope.telemetry._spans.encoding import SpanMessages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.trace import SpanLimits, Tracer
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanKind
    from opentelemetry.util.types import AnyValue
    from typing_extensions import TypeIs

    from funcscope.extensions import Invocation
    from funcscope.telemetry._context import TraceHeaders
    from funcscope.telemetry._redaction.redactor import Redactor
    from funcscope.telemetry._semconv import Attributes
    from funcscope.telemetry._spans.template import Facts

    Ids = tuple[SpanContext, "SpanContext | None"]  # its own, and its parent's
    # Ids, or what the host sent that they are to be made of: a `traceparent`, or that and a
    # `tracestate`.
    Origin = Ids | TraceHeaders | str
    Deliver = Callable[["InvocationSpan", bool], object]
    Message = tuple[bytes, Resource, InstrumentationScope]

_logger = logging.getLogger("funcscope.telemetry")

_PLAIN = (str, bool, int, float)
_UNSET = Status()
_NAMED = "update_name"
_IDS = ("_context", "_parent")
_SEAL = ("", ())
"""Ends the calls that the SDK's span is made of; one that is kept behind it came too late."""
FLAGS = tuple(TraceFlags(bits) for bits in range(4))
_RANDOM = 2


class Teller(_span_messages.Teller, Protocol):
    """Describes the invocations of one function."""

    @property
    def kind(self) -> SpanKind:
        """The kind of their spans."""
        ...

    @property
    def constants(self) -> Attributes:
        """Attributes that all of them have."""
        ...

    @property
    def links(self) -> Callable[[Invocation], Sequence[Link]] | None:
        """What returns their spans' links; None where they never have any."""
        ...

    @property
    def capture(self) -> Callable[[Invocation], object]:
        """What keeps of a trigger what describes it, which must not be much."""
        ...

    def odd(self, invocation: Invocation, error: Exception) -> object:
        """Keep something of one for which `capture` failed, and say so."""
        ...

    def tell(self, captured: Any, invocation_id: str, facts: Any) -> Telling:
        """Describe an invocation by what was kept of it."""
        ...


class Telling(_span_messages.Telling, Protocol):
    """What describes a span, made when it is wanted."""

    def __call__(self) -> Attributes:
        """Make all its attributes."""
        ...


class SdkSpan(Span):
    """A span of the SDK's, which lets itself be made by its tracer alone."""


class Blueprint:
    """
    What the spans of one function have in common.

    Args:
        tracer: The SDK's; its parts are read when a span needs them, as they may be replaced.
        teller: Describes the function's invocations.
        redactor: Takes secrets out of what is said and set; None where the provider is the app's.
        redact: Rewrites an SDK span that has ended, as the provider's own processor does.
        is_redacted: Whether what describes a span has no secrets.
        is_cut: Whether `redact` cuts attributes, too.
        clock: Nanoseconds since the epoch.

    Attributes:
        facts: What nearly all invocations have alike of what their own attributes are made of.
        facts_hold: For how many more invocations it is not looked at again.
    """

    __slots__ = (
        "capture",
        "clock",
        "constants",
        "facts",
        "facts_hold",
        "is_cut",
        "is_redacted",
        "kind",
        "links",
        "messages",
        "redact",
        "redactor",
        "teller",
        "tracer",
    )

    def __init__(
        self,
        tracer: Tracer,
        teller: Teller,
        redactor: Redactor | None = None,
        redact: Callable[[Span], object] | None = None,
        *,
        is_redacted: bool = False,
        is_cut: bool = False,
        clock: Callable[[], int] = time_ns,
    ) -> None:
        self.tracer = tracer
        self.teller = teller
        self.kind = teller.kind
        self.links = teller.links
        self.capture = teller.capture
        self.constants: dict[str, Any] = dict(teller.constants)
        if redactor is not None:
            self.constants = redactor.redact_attributes(self.constants) or self.constants
        self.redactor = redactor
        self.redact = redact
        self.is_redacted = is_redacted
        self.is_cut = is_cut
        self.facts: Facts = (False, 0, None)
        self.facts_hold = 0
        self.messages = SpanMessages(teller, self.kind, self.constants)
        self.clock = clock

    @property
    def limits(self) -> SpanLimits:
        """The provider's limits, which its tracers keep to themselves."""
        return self.tracer._span_limits  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    @property
    def scope(self) -> InstrumentationScope:
        """The tracer's own scope, which it keeps to itself too."""
        return self.tracer._instrumentation_scope  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


class Encoded:
    """What our encoder reads of a span: the public face of the SDK's, as far as it is needed."""

    __slots__ = (
        "attributes",
        "context",
        "end_time",
        "instrumentation_scope",
        "kind",
        "name",
        "parent",
        "resource",
        "start_time",
        "status",
    )

    dropped_attributes = dropped_events = dropped_links = 0
    events: tuple[Any, ...] = ()
    links: tuple[Any, ...] = ()

    def __init__(
        self,
        span: InvocationSpan,
        blueprint: Blueprint,
        name: str,
        attributes: dict[str, Any],
        status: Status,
    ) -> None:
        self.name = name
        self.context = span.get_span_context()
        self.parent = span.parent
        self.attributes = attributes
        self.kind = blueprint.kind
        self.status = status
        self.start_time = span.start_time
        self.end_time = span.end_time
        self.resource = blueprint.tracer.resource
        self.instrumentation_scope = blueprint.scope

    def get_span_context(self) -> SpanContext:
        """Return its ids."""
        return self.context


class _Lazy:
    """
    A field that an object does not have from the start, and makes when it is first read.

    Python looks here for what an object's own dict lacks, and only then.
    """

    def __init__(self, name: str, maker: str) -> None:
        self._name = name
        self._maker = maker  # the name of the method that makes it

    def __get__(self, span: object, owner: type | None = None) -> Any:
        if span is None:
            return self
        getattr(span, self._maker)()
        return vars(span)[self._name]


class UnsampledSpan(NonRecordingSpan):
    """
    A span that is not recorded, whose ids are made when they are wanted.

    Args:
        origin: Its ids, or what its host sent, to make them of when they are wanted.
        ids: Generates them.
    """

    is_told = False
    """Whether it takes what is said of its invocation."""

    def __init__(self, origin: Origin, ids: IdGenerator) -> None:  # pyright: ignore[reportMissingSuperCall]
        self._fs_origin = origin
        self._fs_id_generator = ids

    def _identify(self) -> None:
        ids = self._fs_id_generator
        _identify(self, self._fs_origin, ids, ids.generate_span_id, is_sampled=False)

    def finish(self, attributes: Attributes) -> None:
        """Leave it unsaid."""


def own_context(
    parent: SpanContext | None,
    trace_id: int,
    ids: IdGenerator,
    make_span_id: Callable[[], int],
    *,
    is_sampled: bool,
) -> SpanContext:
    """Make a span's ids as the SDK's tracer does."""
    if parent is None:
        random, state = _RANDOM if ids.is_trace_id_random() else 0, None
    else:
        random, state = parent.trace_flags & _RANDOM, parent.trace_state
    span_id, flags = make_span_id(), FLAGS[is_sampled | random]
    if state:
        return SpanContext(trace_id, span_id, False, flags, state)  # noqa: FBT003  (not remote)
    return valid_context(trace_id, span_id, flags, is_remote=False)


def _identify(
    span: Any,
    origin: Origin,
    ids: IdGenerator,
    make_span_id: Callable[[], int],
    *,
    is_sampled: bool,
) -> None:
    """Make a span's ids; whichever thread is first, all see the same."""
    if not _is_made(origin):
        parent = host_parent((origin, "") if isinstance(origin, str) else origin)
        trace_id = ids.generate_trace_id() if parent is None else parent.trace_id
        own = own_context(parent, trace_id, ids, make_span_id, is_sampled=is_sampled)
        origin = cast("Ids", span.__dict__.setdefault("_fs_ids", (own, parent)))
    span.__dict__.update(zip(_IDS, origin, strict=True))


def _is_made(origin: Origin) -> TypeIs[Ids]:
    return not isinstance(origin[0], str)


class InvocationSpan(Span):
    """
    A span that is the SDK's in all that can be asked of it, and costs little until it is asked.

    The SDK's fields are made when one of them is read (`_Lazy`): the methods that are not
    overridden are the SDK's own and work on them.

    It has no lock: the SDK and what describes a trigger are not ours, and log. What several threads
    may do at once is decided by single operations on its dict and its list of calls, which are
    atomic, and the thread that comes second goes on with what the first one has made
    (docs/decisions/029).

    Args:
        blueprint: What it has in common with others.
        origin: Its ids, or what its host sent, to make them of when they are wanted.
        captured: What was kept of the invocation's trigger.
        links: Its links.
        deliver: Takes it when it has ended, and whether it tells of an error.
        record_end: What the SDK calls then, for metrics of its own.
        invocation_id: Whose it is.
        facts: What else the invocation's own attributes are made of.
    """

    is_told = True
    # Until an object has its own.
    _fs_span_id = 0
    _fs_calls: list[tuple[str, tuple[Any, ...]]] | None = None
    _fs_is_shared = False
    is_full = False

    def __init__(  # pyright: ignore[reportMissingSuperCall]  # the SDK's work is put off
        self,
        blueprint: Blueprint,
        origin: Origin,
        captured: object,
        links: Sequence[Link],
        deliver: Deliver,
        record_end: Callable[[], object] | None = None,
        invocation_id: str = "",
        facts: tuple[object, ...] = (),
    ) -> None:
        # Each by itself, as the garbage collector counts tuples, too: what waits to be sent makes
        # it look through all that is young, which takes milliseconds.
        self._fs_blueprint = blueprint
        self._fs_origin = origin
        self._fs_captured = captured
        self._fs_id = invocation_id
        self._fs_facts = facts
        self._fs_given_links = links
        self._fs_deliver = deliver
        self._fs_record_end = record_end
        self._fs_said: Attributes | None = None
        self._start_time = blueprint.clock()
        self._end_time = None
        self.has_status = False

    def _identify(self) -> None:
        ids = self._fs_blueprint.tracer.id_generator
        _identify(self, self._fs_origin, ids, self._span_id, is_sampled=True)

    def _span_id(self) -> int:
        """Return its id, the same for all who ask, whichever thread is first."""
        if self._fs_span_id:
            return self._fs_span_id
        made = self._fs_blueprint.tracer.id_generator.generate_span_id()
        return cast("int", vars(self).setdefault("_fs_span_id", made))

    def funcscope_log_ids(self) -> tuple[str, str, str, int] | None:
        """Show its ids as log records have them, without making all that others ask of them."""
        usual = match_traceparent(origin) if isinstance(origin := self._fs_origin, str) else None
        if usual is None:
            return log_ids(self.get_span_context())
        flags = FLAGS[1 | int(usual[3], 16) & _RANDOM]
        return usual[1], f"{self._span_id():016x}", "true", flags

    def funcscope_redacts(self) -> bool:
        """Tell whether secrets are taken out of it when it is exported."""
        return self._fs_blueprint.redactor is not None

    def get_span_context(self) -> SpanContext:
        """Return its ids."""
        return self._context  # type: ignore[return-value]  # the SDK's may be None, as it says

    def is_recording(self) -> bool:
        """Tell whether it has not ended."""
        return self._end_time is None

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Keep a plain attribute; for others become the SDK's span, which copies them."""
        if not (
            isinstance(value, _PLAIN) and _is_name(key) and self._keep("set_attribute", key, value)
        ):
            super().set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Do the same for several."""
        is_plain = isinstance(attributes, dict) and all(
            isinstance(value, _PLAIN) and _is_name(key) for key, value in attributes.items()
        )
        if not (is_plain and self._keep("set_attributes", dict(attributes))):
            super().set_attributes(attributes)

    @property
    def name(self) -> str:
        """Its name."""
        if self.is_full:
            return super().name
        return _name_of(self._describe().name, self._kept())

    def update_name(self, name: str) -> None:
        """Keep a name."""
        if not (_is_name(name) and self._keep(_NAMED, name)):
            super().update_name(name)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Keep a status; which one counts, the SDK's rules say when it is replayed."""
        self.has_status = True
        if not self._keep("set_status", status, description):
            super().set_status(status, description)

    def end(self, end_time: int | None = None) -> None:
        """End it; the rest is found out by whoever exports it."""
        self._fs_is_shared = True  # before anything is asked, as in `finish`
        is_left_to_finish = self._fs_said is not None
        if is_left_to_finish or self._end_time is not None or not self._claim_end():
            if self._end_time is not None:
                super().end(end_time)  # which says so
            return
        if self._is_sealed:
            self._become()
            super().end(end_time)
            return
        self._end_time = self._fs_blueprint.clock() if end_time is None else end_time
        self._hand_over(self.has_status)

    def finish(self, attributes: Attributes) -> None:
        """
        Set plain attributes that are not changed afterwards, and end it, unless that was done.

        What `set_attributes` and `end` do, without looking at each attribute. It is called once,
        and nearly always the first to end the span. So it says what it does, and looks whether
        anybody else has said the same; who does, looks after that whether this has been called.
        """
        now = self._fs_blueprint.clock()
        if self._end_time is not None:
            return
        self._fs_said = attributes
        if self._fs_is_shared:
            self._finish_shared(attributes, now)
            return
        self._end_time = now
        if self._fs_record_end is not None:
            self._fs_record_end()
        self._fs_deliver(self, self.has_status)

    def _finish_shared(self, attributes: Attributes, now: int) -> None:
        """Do so where another thread may have ended it, or made it the SDK's span, meanwhile."""
        if not self._claim_end():
            self._fs_said = None
        elif self._is_sealed:
            self._become()
            super().set_attributes(attributes)
            super().end()
        else:
            self._end_time = now
            self._hand_over(self.has_status)

    def _claim_end(self) -> bool:
        """Tell whether the caller is the one to end it: the first who asks."""
        mine = object()
        return vars(self).setdefault("_fs_ender", mine) is mine

    def _hand_over(self, is_error: bool) -> None:  # noqa: FBT001  (as `Deliver` has it)
        if self._fs_record_end is not None:
            self._fs_record_end()
        self._fs_deliver(self, is_error)

    @property
    def is_error(self) -> bool:
        """Whether its status is an error's, as far as that is known without much ado."""
        if self.is_full:
            return self.status.status_code is StatusCode.ERROR
        return self.has_status

    @property
    def full(self) -> Span:
        """The same, as the SDK's span."""
        self._become()
        return self

    def exported(self) -> ReadableSpan:
        """Return what is to be exported of it once it has ended, its secrets taken out."""
        seen = self.encoded()
        if isinstance(seen, ReadableSpan):
            return seen
        return ReadableSpan(
            name=seen.name,
            context=seen.context,
            parent=seen.parent,
            resource=seen.resource,
            attributes=seen.attributes,
            kind=seen.kind,
            status=seen.status,
            start_time=seen.start_time,
            end_time=seen.end_time,
            instrumentation_scope=seen.instrumentation_scope,
        )

    def message(self) -> Message | None:
        """Return it as OTLP has it, where it shares much with others; None where it does not."""
        blueprint = self._fs_blueprint
        if not blueprint.is_redacted or self._fs_calls is not None or self.is_full:
            return None
        tracer, limits = blueprint.tracer, blueprint.limits
        if limits.max_span_attribute_length is not None or blueprint.is_cut or self._fs_given_links:
            return None
        usual = match_traceparent(origin) if isinstance(origin := self._fs_origin, str) else None
        if usual is None or not self._end_time or not self._start_time:
            return None
        own_id = self._span_id().to_bytes(8, "big")
        ids = bytes.fromhex(usual[1]), own_id, bytes.fromhex(usual[2])
        times = self._start_time, self._end_time
        most = limits.max_span_attributes
        try:
            made = blueprint.messages.make(
                self._fs_captured, self._fs_id, self._fs_facts, self._fs_said, ids, times, most
            )
        except Exception:  # noqa: BLE001  (an odd trigger's; said where all that is not odd is)
            return None
        return None if made is None else (made, tracer.resource, blueprint.scope)

    def encoded(self) -> ReadableSpan | Encoded:
        """
        Return what is to be exported for our own encoder, without the SDK's span if that may be.

        In full where the SDK's limits and checks would change something.
        """
        blueprint, describe, calls = self._fs_blueprint, self._describe(), self._kept()
        if self._needs_sdk:
            return self._exported_in_full(blueprint)
        dynamic = _described(describe)
        attributes: dict[str, Any] = {**blueprint.constants, **dynamic}
        doubtful = {} if blueprint.is_redacted else dynamic
        status = _replay(calls, attributes, doubtful)
        _set_again(attributes, self._fs_said)
        most = blueprint.limits.max_span_attributes
        if status is None or "" in attributes or (most is not None and len(attributes) > most):
            return self._exported_in_full(blueprint)
        name = _name_of(describe.name, calls)
        if blueprint.redactor is not None:
            if doubtful:
                redacted = blueprint.redactor.redact_attributes(attributes, doubtful)
                attributes = attributes if redacted is None else redacted
            name = blueprint.redactor.redact(name)
            if status.description:
                said = blueprint.redactor.redact(status.description)
                status = Status(status.status_code, said)
        return Encoded(self, blueprint, name, attributes, status)

    @property
    def _needs_sdk(self) -> bool:
        """Whether the SDK has to see what is exported: it has already, or would change it."""
        limits = self._fs_blueprint.limits
        return (
            self._fs_blueprint.is_cut
            or self.is_full
            or bool(self._fs_given_links)
            or limits.max_span_attribute_length is not None
        )

    def _describe(self) -> Telling:
        return self._fs_blueprint.teller.tell(self._fs_captured, self._fs_id, self._fs_facts)

    def _exported_in_full(self, blueprint: Blueprint) -> ReadableSpan:
        self._become()
        if blueprint.redact is not None:
            blueprint.redact(self)
        return self._readable_span()

    def _keep(self, method: str, *args: Any) -> bool:
        """Keep a call for later; False where it is too late for that."""
        if self.is_full or self._end_time is not None:
            return False
        call = (method, args)
        calls = self._calls()
        calls.append(call)
        # Who seals the calls says so before, so this was in time if nobody has.
        return not self._fs_is_shared or _is_before_seal(calls, call)

    def _calls(self) -> list[tuple[str, tuple[Any, ...]]]:
        """Return where calls are kept, the same for all threads."""
        calls = self._fs_calls
        if calls is None:
            calls = cast(
                "list[tuple[str, tuple[Any, ...]]]", vars(self).setdefault("_fs_calls", [])
            )
        return calls

    def _kept(self) -> Sequence[tuple[str, tuple[Any, ...]]]:
        """Return the calls that were kept in time."""
        # All at once, as another thread, or what describes the trigger, may seal them meanwhile.
        kept = tuple(self._fs_calls or ())
        return kept[: kept.index(_SEAL)] if _SEAL in kept else kept

    @property
    def _is_sealed(self) -> bool:
        """Whether it is the SDK's span, or somebody is about to make it that."""
        calls = self._fs_calls
        return calls is not None and _SEAL in calls

    def _become(self) -> None:
        """
        Become the SDK's span, as if it had been that from the start.

        Threads that do so at once each make one of the same calls, and all go on with the first.
        """
        if self.is_full:
            return
        known = vars(self)
        if "_fs_full" not in known:
            self._fs_is_shared = True
            self._calls().append(_SEAL)
            known.setdefault("_fs_full", self._made_in_full())
        fields = cast("dict[str, Any]", known["_fs_full"])
        for name in _FIELDS:  # none that is there: it was set by its private name, or since
            known.setdefault(name, fields[name])
        if self._end_time is not None:
            known["_attributes"]._immutable = True  # noqa: SLF001
        self.is_full = True

    def _made_in_full(self) -> dict[str, Any]:
        """Make the SDK's span, and return what it consists of."""
        blueprint, describe = self._fs_blueprint, self._describe()
        tracer = blueprint.tracer
        span = SdkSpan(
            name=describe.name,
            context=self.get_span_context(),
            parent=self._parent,
            sampler=tracer.sampler,
            resource=tracer.resource,
            attributes={**blueprint.constants, **_described(describe)},
            links=self._fs_given_links,
            kind=blueprint.kind,
            span_processor=tracer.span_processor,
            instrumentation_info=tracer.instrumentation_info,
            limits=blueprint.limits,
            instrumentation_scope=blueprint.scope,
            record_end_metrics=cast("Callable[[], None] | None", self._fs_record_end),
        )
        for method, args in self._kept():
            getattr(span, method)(*args)
        span.set_attributes(self._fs_said or {})
        return vars(span)


# What a span has that InvocationSpan has not from the start.
_FIELDS = vars(SdkSpan("", INVALID_SPAN_CONTEXT, resource=Resource.get_empty())).keys() - {
    "_context",
    "_parent",
    "_start_time",
    "_end_time",
}
for _cls, _names, _make in (
    (UnsampledSpan, _IDS, "_identify"),
    (InvocationSpan, _IDS, "_identify"),
    (InvocationSpan, _FIELDS, "_become"),
):
    for _name in _names:
        setattr(_cls, _name, _Lazy(_name, _make))


def _is_before_seal(calls: Sequence[object], call: object) -> bool:
    """Tell whether a call was kept in time."""
    return next(known is call for known in calls if known is call or known is _SEAL)


def _is_name(key: object) -> bool:
    return isinstance(key, str)


def _described(describe: Callable[[], Attributes]) -> dict[str, Any]:
    """Describe a trigger; an odd one costs what cannot be said of it, not the span."""
    try:
        return dict(describe())
    except Exception:
        _logger.exception("a trigger could not be described")
        return {}


def _replay(
    calls: Sequence[tuple[str, tuple[Any, ...]]],
    attributes: dict[str, Any],
    doubtful: dict[str, Any],
) -> Status | None:
    """
    Apply what was kept, as the SDK would; None where that needs the SDK.

    Args:
        calls: What was kept.
        attributes: To be changed.
        doubtful: Gets it, too, as it may hold secrets.
    """
    status = _UNSET
    for method, args in calls:
        if method == "set_status":
            given = _next_status(status, *args)
            if given is None:
                return None
            status = given
            continue
        if method == _NAMED:
            continue
        pairs = {args[0]: args[1]} if method == "set_attribute" else args[0]
        _set_again(attributes, pairs)
        doubtful.update(pairs)
    return status


def _set_again(attributes: dict[str, Any], pairs: Mapping[str, Any] | None) -> None:
    """Set attributes as the SDK does: one that is set again goes to the end."""
    if pairs:
        for key in pairs.keys() & attributes.keys():
            del attributes[key]
        attributes.update(pairs)


def _name_of(first: str, calls: Sequence[tuple[str, tuple[Any, ...]]]) -> str:
    """Return the name that was given last."""
    return next((str(args[0]) for method, args in reversed(calls) if method == _NAMED), first)


def _next_status(current: Status, given: object, description: str | None) -> Status | None:
    if isinstance(given, StatusCode) and not (description and given is not StatusCode.ERROR):
        if current.status_code is StatusCode.OK or given is StatusCode.UNSET:
            return current
        return Status(given, description)
    if isinstance(given, Status) and description is None:
        if current.status_code is StatusCode.OK or given.status_code is StatusCode.UNSET:
            return current
        return given
    return None
