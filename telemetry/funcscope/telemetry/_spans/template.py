"""The template of one function's spans: all that they have in common, and how each is described."""

from __future__ import annotations

import logging
from time import time_ns
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.trace import SpanKind

from funcscope.telemetry._config.host import route_prefix
from funcscope.telemetry._context import context_of, host_parent, host_trace_headers
from funcscope.telemetry._redaction.redactor import make_redactor
from funcscope.telemetry._semconv import NAMES_1_44, read_names
from funcscope.telemetry._spans.attributes import (
    function_attributes,
    host_instance,
    invocation_attributes,
)
from funcscope.telemetry._spans.contexts import baggage_parameter
from funcscope.telemetry._triggers.choice import extractor_for
from funcscope.telemetry._triggers.extractor import DescribedSnapshot
from funcscope.telemetry._triggers.http import Headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanLimits, Tracer
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, Span, SpanContext
    from opentelemetry.trace import Tracer as AnyTracer

    from funcscope.extensions import Function, Invocation, TraceContext
    from funcscope.telemetry._config.host import HostMode
    from funcscope.telemetry._config.settings import Settings
    from funcscope.telemetry._redaction.redactor import Redactor
    from funcscope.telemetry._semconv import Attributes, ChosenNames
    from funcscope.telemetry._spans.redaction import RedactingProcessor
    from funcscope.telemetry._triggers.extractor import TriggerExtractor

    # Whether an invocation is a cold start, how often it was retried, and the host's id.
    HostFacts = tuple[bool, int, "str | None"]

NO_HOST_FACTS: HostFacts = (False, 0, None)
NO_LINKS: Sequence[Link] = ()
HOST_ID_READS_LEFT = 63
"""For how many invocations of a function the host's id is taken for what it was."""
UNREADABLE_TRIGGER = "the trigger of %s could not be described"

_logger = logging.getLogger("funcscope.telemetry")


class EncodedParts:
    """
    The encoder's cache for one function: parts of messages that many of its spans share.

    Attributes:
        triggers: By what an extractor tells snapshots by: a span's name, and as they are sent
            its constants with the trigger's attributes, and how many these are.
        invocations: By an invocation's facts: its own attributes without its id, and how many.
        outcomes: By the identity of a result's attributes: these, which it keeps, as they are sent.
    """

    def __init__(self) -> None:
        self.triggers: dict[object, tuple[str, bytes, int]] = {}
        self.invocations: dict[object, tuple[list[bytes], int]] = {}
        self.outcomes: dict[int, tuple[Attributes, bytes]] = {}


class SpanTemplate:
    """
    The common parts of one function's spans.

    Args:
        tracer: Makes the spans, or is read by who makes them; its parts are read when a span needs
            them, as they may be replaced.
        extractor: Reads the function's trigger.
        constants: Attributes that all spans have beside the extractor's.
        redacting: The provider's processor that takes secrets out; None where it has none.
        is_below_request: Whether the host exports a span of each request, below which ours is.
        baggage: The parameter whose request may carry baggage; None where none is read.
        names: The names that the app asks for.
        clock: Nanoseconds since the epoch.

    Attributes:
        name: The spans' name; None where it is the extractor's.
        kind: The spans' kind.
        constants: Attributes that all of them have.
        id_names: The names of an invocation's id.
        redacted_constants: The same without secrets.
        redactor: Takes secrets out of what is set and read; None as for `redacting`.
        is_cut: Whether `redacting` cuts attributes, too.
        is_redacted: Whether what is read of the trigger has no secrets.
        snapshot: The extractor's.
        links: Returns links to the contexts that came with messages; None where none ever do.
        host_facts: What nearly all invocations have alike of what their own attributes are made of.
        host_id_reads_left: For how many more invocations the host's id is not read again.
        encoded: The encoder's cache.
    """

    def __init__(
        self,
        tracer: AnyTracer,
        extractor: TriggerExtractor,
        constants: Attributes | None = None,
        *,
        redacting: RedactingProcessor | None = None,
        is_below_request: bool = False,
        baggage: str | None = None,
        names: ChosenNames = NAMES_1_44,
        clock: Callable[[], int] = time_ns,
    ) -> None:
        self.tracer: Tracer = cast("Tracer", tracer)  # where more is asked than to start spans
        self.extractor = extractor
        self.name: str | None = f"function {extractor.function.name}" if is_below_request else None
        self.kind: SpanKind = SpanKind.INTERNAL if is_below_request else extractor.kind
        self.constants: dict[str, Any] = {**(constants or {}), **extractor.constants}
        self.redacted_constants: dict[str, Any] = self.constants
        self.redacting = redacting
        self.redactor: Redactor | None = None if redacting is None else redacting.redactor
        if self.redactor is not None:
            redacted = self.redactor.redact_attributes(self.constants)
            self.redacted_constants = redacted or self.constants
        self.is_cut: bool = redacting is not None and redacting.lengths.span is not None
        self.is_redacted: bool = extractor.is_redacted
        self.baggage = baggage
        self.id_names: tuple[str, ...] = names.invocation_id
        self.clock = clock
        # Bound once, as a method is an object each time (docs/decisions/022).
        self.snapshot: Callable[[Invocation], object] = extractor.snapshot
        self.links: Callable[[Invocation], Sequence[Link]] | None = None
        if extractor.has_links:
            self.links = self._links
        self.host_facts: HostFacts = NO_HOST_FACTS
        self.host_id_reads_left: int = 0
        self.encoded: EncodedParts = EncodedParts()

    @property
    def limits(self) -> SpanLimits:
        """The provider's limits, which its tracers keep to themselves."""
        return self.tracer._span_limits  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    @property
    def scope(self) -> InstrumentationScope:
        """The tracer's own scope, which it keeps to itself too."""
        return self.tracer._instrumentation_scope  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    def parent(self, invocation: Invocation) -> SpanContext | None:
        """Return the host's span; where it sends none, the caller's that the trigger tells of."""
        parent = host_parent(host_trace_headers(invocation.context))
        return self.extractor.parent(invocation) if parent is None else parent

    def on_snapshot_error(self, invocation: Invocation, error: Exception) -> DescribedSnapshot:
        """Log that a trigger could not be read, and name the span by its function."""
        _logger.error(UNREADABLE_TRIGGER, invocation.function_name, exc_info=error)
        return DescribedSnapshot(invocation.function_name, {})

    def span_name(self, snapshot: object) -> str:
        """Return the name of a span."""
        return self.name or self.extractor.span_name(snapshot)

    def describe(
        self, snapshot: object, invocation_id: str, host_facts: HostFacts
    ) -> dict[str, Any]:
        """
        Return what a span has beside the constants.

        Args:
            snapshot: Of its trigger. One that cannot be read costs the trigger's attributes, and
                not the invocation's own.
            invocation_id: The invocation's.
            host_facts: What else the invocation's own attributes are made of.
        """
        try:
            attributes = self.extractor.attributes(snapshot)
        except Exception:
            _logger.exception(UNREADABLE_TRIGGER, self.extractor.function.name)
            attributes = {}
        return attributes | invocation_attributes(self.id_names, invocation_id, *host_facts)

    def read_host_facts(
        self,
        is_cold_start: bool,  # noqa: FBT001  (kept as it stands)
        retry_count: int,
        sent: TraceContext | None,
    ) -> HostFacts:
        """
        Return what an invocation's own attributes are made of, and keep what others have alike.

        The host sends its id with each invocation, in a map that takes longer to ask than all else
        does, 1.6 µs (docs/decisions/022), and has one as long as it lives (azure-functions-host
        4.x, `AddLogUserCategory` and `GrpcWorkerChannel.AddAdditionalTraceContext`), which a worker
        may outlive. One tuple for all of which it is the same.
        """
        instance = host_instance(sent)
        if instance != self.host_facts[2]:
            self.host_facts = False, 0, instance
        self.host_id_reads_left = 0 if sent is None else HOST_ID_READS_LEFT
        if is_cold_start or retry_count:
            return is_cold_start, retry_count, instance
        return self.host_facts

    def start_span(self, invocation: Invocation, beside: Context | None = None) -> Span:
        """Have the tracer start the span of an invocation; its context has something beside it."""
        snapshot: object
        try:
            snapshot = self.snapshot(invocation)
        except Exception as error:  # noqa: BLE001  (logged there)
            snapshot = self.on_snapshot_error(invocation, error)
        instance = host_instance(invocation.trace_context)
        host_facts = invocation.is_cold_start, invocation.retry_count, instance
        attributes = {**self.constants, **self.describe(snapshot, invocation.id, host_facts)}
        links = NO_LINKS if self.links is None else self.links(invocation)
        parent = context_of(self.parent(invocation), beside)
        name = self.span_name(snapshot)
        return self.tracer.start_span(name, parent, self.kind, attributes, links)

    def _links(self, invocation: Invocation) -> Sequence[Link]:
        try:
            return self.extractor.links(invocation)
        except Exception:
            _logger.exception(UNREADABLE_TRIGGER, invocation.function_name)
            return NO_LINKS


def make_template(
    function: Function,
    settings: Settings,
    environ: Mapping[str, str],
    tracer: AnyTracer,
    mode: HostMode,
    redacting: RedactingProcessor | None,
) -> SpanTemplate:
    """
    Work out what the spans of a function have in common.

    Args:
        function: The function.
        settings: What the app asks for.
        environ: The app settings.
        tracer: Makes the spans.
        mode: What the host exports itself.
        redacting: The provider's processor that takes secrets out; None where it has none.
    """
    extractor = extractor_for(
        function,
        route_prefix=route_prefix(environ),
        environ=environ,
        max_links=settings.max_links,
        headers=Headers(
            settings.capture_request_headers,
            settings.capture_response_headers,
            make_redactor(settings.redact, settings.max_text_length),
        ),
    )
    return SpanTemplate(
        tracer,
        extractor,
        function_attributes(function, environ),
        names=read_names(environ),
        redacting=redacting,
        is_below_request=mode.owns_request_span,
        baggage=baggage_parameter(function, settings, environ),
    )
