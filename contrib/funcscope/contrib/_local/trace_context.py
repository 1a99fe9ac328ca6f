"""The W3C trace context that the host gives to each invocation."""

from __future__ import annotations

import re
import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = "01"


@dataclass(frozen=True, slots=True)
class HostTraceContext:
    """
    The host's own place in a trace: the parent of the invocation's span.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: The span that stands for the host's request, 16 hexadecimal digits.
        flags: Two hexadecimal digits.
        state: The `tracestate` header, `""` where there is none.
        parent_id: The caller's span, `""` where the trace starts here.
    """

    trace_id: str
    span_id: str
    flags: str = _SAMPLED
    state: str = ""
    parent_id: str = ""

    @property
    def trace_parent(self) -> str:
        """The `traceparent` that the function receives."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"

    @property
    def is_sampled(self) -> bool:
        """Whether the trace is meant to be recorded."""
        return bool(int(self.flags, 16) & 1)


def continue_trace(
    trace_parent: str = "",
    trace_state: str = "",
    *,
    random_hex: Callable[[int], str] = secrets.token_hex,
) -> HostTraceContext:
    """
    Continue the caller's trace with a new span, or start one where the header is missing or wrong.

    Source: https://www.w3.org/TR/trace-context-1/#processing-model, which also says to drop
    `tracestate` together with an invalid `traceparent`.
    """
    span_id = _nonzero_id(8, random_hex)
    caller = _parse(trace_parent.strip())
    if caller is None:
        return HostTraceContext(_nonzero_id(16, random_hex), span_id)
    trace_id, parent_id, flags = caller
    return HostTraceContext(trace_id, span_id, flags, trace_state.strip(), parent_id)


def new_id() -> str:
    """Make the id of an invocation, a GUID."""
    return str(uuid.uuid4())


def new_traceparent() -> str:
    """Make a sampled `traceparent` of a trace that starts at the host."""
    return continue_trace().trace_parent


def _parse(trace_parent: str) -> tuple[str, str, str] | None:
    match = _TRACEPARENT.fullmatch(trace_parent)
    if match is None:
        return None
    version, trace_id, parent_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more):
        return None
    if not (int(trace_id, 16) and int(parent_id, 16)):
        return None
    return trace_id, parent_id, flags


def _nonzero_id(size: int, random_hex: Callable[[int], str]) -> str:
    """Return random hexadecimal digits for `size` bytes; all zeros mean an invalid id."""
    digits = random_hex(size)
    return digits if int(digits, 16) else f"{1:0{2 * size}x}"
