"""Sampling of invocations: the policy for the host's flag, and the decisions of the SDK's."""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision as SdkDecision
from opentelemetry.sdk.trace.sampling import (
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

    Decision = bool | Callable[[int], bool] | None

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
        sampler: The other sampler.
        is_honoured: Whether the flag is meant.

    Attributes:
        sampler: The same.
        is_honoured: The same.
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
            effect = _effect(_OF_UNSAMPLED, description)
            _logger.info(
                "the host did not sample a trace, and its invocation is %s: "
                "FUNCSCOPE_PARENT_FLAG=ignore has the sampler decide as if there were no parent",
                effect,
            )
        else:
            effect = _effect(_OF_ROOTS, description)
            _logger.info(
                "the host did not sample a trace (it exports none), and its invocation is %s: "
                "FUNCSCOPE_PARENT_FLAG=honour has the sampler follow the host",
                effect,
            )


# By the SDK's descriptions, from their start or after what a parent-based sampler says.
_OF_ROOTS = re.compile(r"(?:ParentBased\{root:)?(AlwaysOnSampler|AlwaysOffSampler)\b")
_OF_UNSAMPLED = re.compile(
    r"(?:ParentBased\{.*remoteParentNotSampled:)?(AlwaysOnSampler|AlwaysOffSampler)\b"
)


def _effect(pattern: re.Pattern[str], description: str) -> str:
    """Name the effect of a sampler on such an invocation, if that is always the same."""
    known = pattern.match(description)
    if known is None:
        return f"recorded if the sampler says so ({description})"
    if known[1] == "AlwaysOnSampler":
        return "recorded all the same"
    return f"not recorded, as the sampler says ({description})"


class Decisions(NamedTuple):
    """
    How a sampler decides, as far as that needs the parent and the trace's id alone.

    Attributes:
        roots: Where there is no parent: the same for all, or by the trace's id; None where only
            the sampler itself can tell.
        sampled: Below any sampled parent, likewise.
        unsampled: Below any parent that is not.
    """

    roots: Decision
    sampled: Decision
    unsampled: Decision

    def decide(self, parent: SpanContext | None, trace_id: int) -> bool | None:
        """Return whether a span is sampled; None where only the sampler itself can tell."""
        if parent is None:
            decision = self.roots
        else:
            decision = self.sampled if parent.trace_flags & SAMPLED else self.unsampled
        return decision(trace_id) if callable(decision) else decision


def decisions_of(sampler: Sampler) -> Decisions:
    """Return how one of the SDK's samplers decides."""
    decides_by = type(sampler).should_sample
    if decides_by is ParentBased.should_sample:
        parts = cast("Any", sampler)  # which keeps them to itself
        return Decisions(
            decisions_of(parts._root).roots,  # noqa: SLF001
            decisions_of(parts._remote_parent_sampled).sampled,  # noqa: SLF001
            decisions_of(parts._remote_parent_not_sampled).unsampled,  # noqa: SLF001
        )
    decision: Decision = None
    if decides_by is StaticSampler.should_sample:
        static = cast("StaticSampler", sampler)._decision  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        decision = {SdkDecision.RECORD_AND_SAMPLE: True, SdkDecision.DROP: False}.get(static)
    elif decides_by is TraceIdRatioBased.should_sample:
        bound, bits = cast("TraceIdRatioBased", sampler).bound, TraceIdRatioBased.TRACE_ID_LIMIT
        decision = partial(_is_below, bound, bits)
    return Decisions(decision, decision, decision)


def _is_below(bound: int, bits: int, trace_id: int) -> bool:
    return trace_id & bits < bound
