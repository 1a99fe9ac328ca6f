"""What to make of a host that says its trace is not sampled."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, cast

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult

from funcscope.telemetry._context import unsampled_host_parent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import Link, SpanKind
    from opentelemetry.trace.span import TraceState
    from opentelemetry.util.types import Attributes

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
        self._is_said = False

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
        if parent is not None:
            self.say()
        if parent is None or self.is_honoured:
            return self.sampler.should_sample(
                parent_context, trace_id, name, kind, attributes, links, trace_state
            )
        result = self.sampler.should_sample(
            Context(), trace_id, name, kind, attributes, links, trace_state
        )
        chosen = cast("Attributes", result.attributes)  # pyright: ignore[reportUnknownMemberType]
        return SamplingResult(result.decision, chosen, parent.trace_state)

    def get_description(self) -> str:
        """Name this sampler and the one that decides."""
        return f"HostFlagSampler({self.sampler.get_description()})"

    def say(self) -> None:
        """Say once what the flag was taken for."""
        if self._is_said:
            return
        self._is_said = True
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
