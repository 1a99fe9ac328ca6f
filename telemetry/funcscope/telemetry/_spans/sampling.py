"""Which invocations are sampled: the host's flag, and what the SDK's samplers decide by it."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import (
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    StaticSampler,
    TraceIdRatioBased,
)

from funcscope.telemetry._context import unsampled_host_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.trace import Link, SpanContext, SpanKind
    from opentelemetry.trace.span import TraceState
    from opentelemetry.util.types import Attributes

    Decide = Callable[["SpanContext | None", int], "bool | None"]

SAMPLED = 1
"""The flag of a sampled trace."""

_logger = logging.getLogger("funcscope.telemetry")


class HostFlagSampler(Sampler):
    """
    Decides by another sampler, with a policy for the host's flag `00`.

    A host without a sink of its own sends `00` always, and OpenTelemetry's default sampler,
    which follows its parent, would then record nothing (opentelemetry-java-instrumentation#19417).
    Where the flag is ignored the sampler decides as for a root span: the parent stays the parent,
    and no sampler is widened.

    Args:
        sampler: What decides.
        is_honoured: Whether the flag is meant.

    Attributes:
        sampler: What decides.
        is_honoured: Whether the flag is meant.
    """

    def __init__(self, sampler: Sampler, *, is_honoured: bool) -> None:
        self.sampler = sampler
        self.is_honoured = is_honoured
        self._is_logged = False

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide whether a span is recorded."""
        parent = unsampled_host_parent(parent_context)
        is_ignored = parent is not None and self.deciding_parent(parent) is None
        context = Context() if is_ignored else parent_context
        result = self.sampler.should_sample(
            context, trace_id, name, kind, attributes, links, trace_state
        )
        if parent is None or not is_ignored:
            return result
        chosen = cast("Attributes", result.attributes)  # pyright: ignore[reportUnknownMemberType]
        return SamplingResult(result.decision, chosen, parent.trace_state)

    def get_description(self) -> str:
        """Name this sampler and the one that decides."""
        return f"HostFlagSampler({self.sampler.get_description()})"

    def deciding_parent(self, parent: SpanContext | None) -> SpanContext | None:
        """Return the parent below which the sampler decides; None for a root."""
        if parent is None or parent.trace_flags & SAMPLED:
            return parent
        self._log_once()
        return parent if self.is_honoured else None

    def _log_once(self) -> None:
        """Log once how the flag is taken."""
        if self._is_logged:
            return
        self._is_logged = True
        description = self.sampler.get_description()
        if self.is_honoured:
            whether = _whether(_OF_UNSAMPLED, description)
            _logger.info(
                "the host did not sample a trace, and its invocation is %s: "
                "FUNCSCOPE_PARENT_FLAG=ignore has the sampler decide as if there were no parent",
                whether,
            )
        else:
            whether = _whether(_OF_ROOTS, description)
            _logger.info(
                "the host did not sample a trace (it exports none), and its invocation is %s: "
                "FUNCSCOPE_PARENT_FLAG=honour has the sampler follow the host",
                whether,
            )


# By the SDK's descriptions, from their start or after what a parent-based sampler says.
_OF_ROOTS = re.compile(r"(?:ParentBased\{root:)?(AlwaysOnSampler|AlwaysOffSampler)\b")
_OF_UNSAMPLED = re.compile(
    r"(?:ParentBased\{.*remoteParentNotSampled:)?(AlwaysOnSampler|AlwaysOffSampler)\b"
)


def _whether(decides: re.Pattern[str], description: str) -> str:
    """Say what a sampler makes of it, if that is always the same."""
    known = decides.match(description)
    if known is None:
        return f"recorded if the sampler says so ({description})"
    if known[1] == "AlwaysOnSampler":
        return "recorded all the same"
    return f"not recorded, as the sampler says ({description})"


def decision_of_sampled(sampler: Sampler) -> bool | None:
    """Return how a sampler decides below any sampled parent; None where that depends."""
    return _decision_of_part(sampler, "_remote_parent_sampled")


def decision_of_roots(sampler: Sampler) -> bool | None:
    """Return how a sampler decides where there is no parent; None where that depends."""
    return _decision_of_part(sampler, "_root")


def _decision_of_part(sampler: Sampler, part: str) -> bool | None:
    if type(sampler) is HostFlagSampler:
        sampler = sampler.sampler
    if type(sampler).should_sample is ParentBased.should_sample:
        sampler = getattr(sampler, part)
    return _decision_of_static(sampler)


def _decision_of_static(sampler: Sampler) -> bool | None:
    if type(sampler).should_sample is not StaticSampler.should_sample:
        return None
    decision = cast("StaticSampler", sampler)._decision  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return {Decision.RECORD_AND_SAMPLE: True, Decision.DROP: False}.get(decision)


def decision_of(sampler: Sampler) -> Decide:
    """
    Return how a sampler decides, where its decision needs the parent and the trace id alone.

    What is returned takes these two, and tells whether a span is sampled; None where only the
    sampler itself can tell.
    """
    if type(sampler) is HostFlagSampler:
        by_parent = decision_of(sampler.sampler)
        return lambda parent, trace_id: by_parent(sampler.deciding_parent(parent), trace_id)
    decides_by = type(sampler).should_sample
    if decides_by is StaticSampler.should_sample:
        known = _decision_of_static(sampler)
        return lambda _parent, _trace_id: known
    if decides_by is TraceIdRatioBased.should_sample:
        bound, most = cast("TraceIdRatioBased", sampler).bound, TraceIdRatioBased.TRACE_ID_LIMIT
        return lambda _parent, trace_id: trace_id & most < bound
    if decides_by is ParentBased.should_sample:
        return _by_parent(cast("Any", sampler))
    return lambda _parent, _trace_id: None


def _by_parent(sampler: Any) -> Decide:  # which keeps its parts to itself
    root = decision_of(sampler._root)  # noqa: SLF001
    sampled = decision_of(sampler._remote_parent_sampled)  # noqa: SLF001
    unsampled = decision_of(sampler._remote_parent_not_sampled)  # noqa: SLF001

    def decide(parent: SpanContext | None, trace_id: int) -> bool | None:
        if parent is None:
            return root(None, trace_id)
        is_sampled = parent.trace_flags & SAMPLED
        return (sampled if is_sampled else unsampled)(parent, trace_id)

    return decide
