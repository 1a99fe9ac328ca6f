"""
Sampling of invocations: the policy for the host's flag, the decisions of the SDK's, and the ratio.

A span that came through a ratio tells of it in the `ot` entry of its trace state: `th` is how many
of the 2 ** 56 values of a trace's randomness are rejected (OpenTelemetry's specification of
probability sampling, in development; the SDK's composable samplers, 1.45, write the same).

docs/decisions/047 says why.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision as SdkDecision
from opentelemetry.sdk.trace.sampling import (
    ParentBased,
    Sampler,
    SamplingResult,
    StaticSampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import SpanContext, TraceState, get_current_span

from funcscope.telemetry._context import unsampled_host_parent, valid_span_context

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.trace import Link, SpanKind
    from opentelemetry.util.types import Attributes

    Decision: TypeAlias = "bool | Ratio | Callable[[int], bool] | None"

SAMPLED = 1
"""The flag of a sampled trace."""

_ENTRY = "ot"
_ALL = 1 << 56
"""As many values as a trace's randomness may have."""
# Of an entry, and of a trace state (W3C Trace Context level 2, section 3.3.1).
_LONGEST_ENTRY, _MOST_ENTRIES = 256, 32
_THRESHOLD = re.compile("th:([0-9a-f]{1,14})").fullmatch
_RANDOMNESS = re.compile("rv:([0-9a-f]{14})").fullmatch

_logger = logging.getLogger("funcscope.telemetry")


class Ratio(NamedTuple):
    """
    A ratio of all traces: those whose randomness is not below a threshold, whoever decides.

    Attributes:
        threshold: How many of the 2 ** 56 values of the randomness are rejected.
    """

    threshold: int

    @classmethod
    def of(cls, ratio: float) -> Ratio:
        """Return a ratio from 0 to 1."""
        return cls(_ALL - round(ratio * _ALL))

    def samples(self, trace_id: int, state: TraceState | None) -> bool:
        """Return whether a trace is among those."""
        return randomness(trace_id, state) >= self.threshold

    def decide(self, trace_id: int, state: TraceState | None) -> tuple[bool, TraceState]:
        """Return whether a span is sampled, and its trace state; given is its parent's."""
        if not state:  # as in most traces: each invocation is decided on here
            is_sampled = trace_id % _ALL >= self.threshold
            return is_sampled, _only(self.threshold if is_sampled else None)
        is_sampled = self.samples(trace_id, state)
        return is_sampled, with_threshold(state, self.threshold if is_sampled else None)


@lru_cache(maxsize=16)
def _only(threshold: int | None) -> TraceState:
    """Return the trace state of most traces: making one takes 4 µs."""
    return with_threshold(None, threshold)


def randomness(trace_id: int, state: TraceState | None) -> int:
    """Return a trace's randomness: what its state says (`rv`), else its id's last 56 bits."""
    stated = next(filter(None, map(_RANDOMNESS, _members(state))), None)
    return int(stated[1], 16) if stated else trace_id % _ALL


def with_threshold(state: TraceState | None, threshold: int | None) -> TraceState:
    """Return a trace state that tells of a threshold, or of none, and of all else as before."""
    members = [member for member in _members(state) if not member.startswith("th:")]
    if threshold is not None:
        members.insert(0, f"th:{f'{threshold:014x}'.rstrip('0') or '0'}")
    while len(entry := ";".join(members)) > _LONGEST_ENTRY:
        members.pop()
    others = [pair for pair in state.items() if pair[0] != _ENTRY] if state else []
    # What was changed goes first, and the last one where there are too many.
    return TraceState([*([(_ENTRY, entry)] if entry else []), *others][:_MOST_ENTRIES])


def after_stage(trace_id: int, state: TraceState | None, threshold: int) -> TraceState:
    """Return a trace state after a later stage: with the higher threshold, where that is kept."""
    both = Ratio(max(threshold, _threshold(state) or 0))
    return both.decide(trace_id, state)[1]


def probability(state: TraceState | None) -> float | None:
    """Return how probable it was that a span is sampled, from 0 to 1; None where none is told."""
    threshold = _threshold(state)
    return None if threshold is None else (_ALL - threshold) / _ALL


def _threshold(state: TraceState | None) -> int | None:
    stated = next(filter(None, map(_THRESHOLD, _members(state))), None)
    return int(stated[1].ljust(14, "0"), 16) if stated else None


def _members(state: TraceState | None) -> list[str]:
    """Return what OpenTelemetry's own entry says, part by part; nothing of one that is too long."""
    if not state:
        return []
    entry = state.get(_ENTRY, "")
    return [m for m in entry.split(";") if m] if len(entry) <= _LONGEST_ENTRY else []


class HostFlagSampler(Sampler):
    """
    Decides by another sampler, with a policy for the host's flag `00`.

    A host without a sink of its own sends `00` always, and OpenTelemetry's default sampler,
    which follows its parent, would then record nothing (opentelemetry-java-instrumentation#19417).
    Where the flag is ignored the sampler decides as for a root span: the parent stays the parent,
    and no sampler is widened.

    Where `TraceIdRatioBased` would decide, a `Ratio` does, which spans tell of.

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
        self._has_ratio = False
        with suppress(AttributeError):  # an SDK whose insides are others
            self._has_ratio = any(isinstance(each, Ratio) for each in self.decisions)

    @cached_property
    def decisions(self) -> Decisions:
        """How it decides on spans of invocations."""
        return decisions_of(self.sampler, by_ratio=True)

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
        if self._has_ratio:
            own = valid_span_context(get_current_span(parent_context))
            decision = self.decisions.below(None if is_ignored else own)
            if isinstance(decision, Ratio):
                is_sampled, state = decision.decide(trace_id, own and own.trace_state)
                if is_sampled:
                    return SamplingResult(SdkDecision.RECORD_AND_SAMPLE, attributes, state)
                return SamplingResult(SdkDecision.DROP, trace_state=state)
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
    How a sampler decides, as far as that needs the parent and the trace alone.

    Attributes:
        roots: Where there is no parent: the same for all, or by the trace; None where only the
            sampler itself can tell.
        sampled: Below any sampled parent of another process, likewise.
        unsampled: Below any such parent that is not.
    """

    roots: Decision
    sampled: Decision
    unsampled: Decision

    def below(self, parent: SpanContext | None) -> Decision:
        """Return the decision below a parent; None for a root."""
        if parent is None:
            return self.roots
        return self.sampled if parent.trace_flags & SAMPLED else self.unsampled


def decisions_of(sampler: Sampler, *, by_ratio: bool = False) -> Decisions:
    """Return how one of the SDK's samplers decides, or would where its ratio is a `Ratio`."""
    decides_by = type(sampler).should_sample
    if decides_by is ParentBased.should_sample:
        parts = cast("Any", sampler)  # which keeps them to itself
        below = (parts._root, parts._remote_parent_sampled, parts._remote_parent_not_sampled)  # noqa: SLF001
        decided = (decisions_of(part, by_ratio=by_ratio) for part in below)
        return Decisions(*(each[place] for place, each in enumerate(decided)))
    decision: Decision = None
    if decides_by is StaticSampler.should_sample:
        static = cast("StaticSampler", sampler)._decision  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        decision = {SdkDecision.RECORD_AND_SAMPLE: True, SdkDecision.DROP: False}.get(static)
    elif decides_by is TraceIdRatioBased.should_sample:
        known, bits = cast("TraceIdRatioBased", sampler), TraceIdRatioBased.TRACE_ID_LIMIT
        decision = Ratio.of(known.rate) if by_ratio else partial(_is_below, known.bound, bits)
    return Decisions(decision, decision, decision)


def _is_below(bound: int, bits: int, trace_id: int) -> bool:
    return trace_id & bits < bound
