"""
The ids of invocations' spans, made as the SDK's tracer does, when somebody asks for them.

A span that nobody asks gets its ids on the exporter's thread (docs/decisions/022).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from funcscope.telemetry._context import host_parent, valid_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.trace import TraceState
    from typing_extensions import TypeIs

    from funcscope.telemetry._context import TraceHeaders
    from funcscope.telemetry._semconv import Attributes

    Ids = tuple[SpanContext, "SpanContext | None"]  # its own, and its parent's
    # Ids, or what the host sent that they are to be made of: a `traceparent`, or that and a
    # `tracestate`.
    Origin = Ids | TraceHeaders | str

FLAGS = tuple(TraceFlags(bits) for bits in range(4))
RANDOM = 2
"""The flag of a trace whose id is random."""


class LazyField:
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

    takes_outcome = False
    """Whether it takes the attributes of its invocation's outcome."""
    _context: Any = LazyField("_context", "_identify")
    _parent: Any = LazyField("_parent", "_identify")

    def __init__(self, origin: Origin, ids: IdGenerator) -> None:  # pyright: ignore[reportMissingSuperCall]
        self.fs_origin = origin
        self._fs_id_generator = ids

    def _identify(self) -> None:
        ids = self._fs_id_generator
        make_ids(self, self.fs_origin, ids, ids.generate_span_id, is_sampled=False)

    def end_with(self, attributes: Attributes) -> None:
        """Leave them out."""


def own_context(
    parent: SpanContext | None,
    trace_id: int,
    state: TraceState | None,
    ids: IdGenerator,
    make_span_id: Callable[[], int],
    *,
    is_sampled: bool,
) -> SpanContext:
    """Make a span's ids as the SDK's tracer does, with a trace state."""
    if parent is None:
        random = RANDOM if ids.is_trace_id_random() else 0
    else:
        random = parent.trace_flags & RANDOM
    span_id, flags = make_span_id(), FLAGS[is_sampled | random]
    if state:
        return SpanContext(trace_id, span_id, False, flags, state)  # noqa: FBT003  (not remote)
    return valid_context(trace_id, span_id, flags, is_remote=False)


def make_ids(
    span: Any,
    origin: Origin,
    ids: IdGenerator,
    make_span_id: Callable[[], int],
    *,
    is_sampled: bool,
) -> None:
    """Make a span's ids; whichever thread is first, all see the same."""
    if not _are_ids(origin):
        parent = host_parent((origin, "") if isinstance(origin, str) else origin)
        trace_id = ids.generate_trace_id() if parent is None else parent.trace_id
        state = None if parent is None else parent.trace_state
        own = own_context(parent, trace_id, state, ids, make_span_id, is_sampled=is_sampled)
        origin = cast("Ids", span.__dict__.setdefault("_fs_ids", (own, parent)))
    span.__dict__.update(zip(("_context", "_parent"), origin, strict=True))


def _are_ids(origin: Origin) -> TypeIs[Ids]:
    return not isinstance(origin[0], str)
